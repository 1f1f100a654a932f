"""What a run that is told labels gets to know: of the training videos alone, and no more than its supervision allows.

Standard library only, as the workflow digests it every time it is parsed.
"""

from collections.abc import Mapping

from clip_ae.core.types import Annotation

# A video's classes, and where in it each acts; nowhere under weak supervision.
SupervisionLabels = dict[str, dict[str, tuple[tuple[float, float], ...]]]


def labels_for_supervision(annotations: Mapping[str, Annotation], subset: str, supervision: str) -> SupervisionLabels:
    return {i: _classes(a, supervision == "full") for i, a in sorted(annotations.items()) if a.subset == subset}


def _classes(annotation: Annotation, full: bool) -> dict[str, tuple[tuple[float, float], ...]]:
    return {
        name: tuple((i.start, i.stop) for i in annotation.instances if full and i.label == name)
        for name in sorted({i.label for i in annotation.instances})
    }
