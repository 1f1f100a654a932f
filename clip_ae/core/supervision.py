"""Supervision labels: what a weak or full run may read of the annotations, for training videos only.

Standard library only: the workflow digests them each time Snakemake parses the rules.
"""

from collections.abc import Mapping

from clip_ae.core.types import Annotation

# Video id -> class -> segments; weak supervision has no segments.
SupervisionLabels = dict[str, dict[str, tuple[tuple[float, float], ...]]]


def labels_for_supervision(annotations: Mapping[str, Annotation], subset: str, supervision: str) -> SupervisionLabels:
    """The labels of a subset's videos: classes for `weak`, classes with segments for `full`."""
    return {i: _classes(a, supervision == "full") for i, a in sorted(annotations.items()) if a.subset == subset}


def _classes(annotation: Annotation, full: bool) -> dict[str, tuple[tuple[float, float], ...]]:
    return {
        name: tuple((i.start, i.stop) for i in annotation.instances if full and i.label == name)
        for name in sorted({i.label for i in annotation.instances})
    }
