"""What is asked of videos whose actions are known: their classes' names, and what is told of others."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from clip_ae.core.types import Annotation, GroundingQuery


def build_class_queries(annotations: Mapping[str, Annotation]) -> list[GroundingQuery]:
    """Each video asked for every class that it shows; any of its instances is right."""
    shown: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for video_id, annotation in sorted(annotations.items()):
        for instance in annotation.instances:
            shown.setdefault((video_id, instance.label), []).append((instance.start, instance.stop))
    return [GroundingQuery(video_id, label, tuple(moments)) for (video_id, label), moments in shown.items()]


def build_control_queries(queries: Sequence[GroundingQuery]) -> list[GroundingQuery]:
    """The same moments, asked for by what is said of other videos only: what a search finds that does not read.

    A video of which everything is said that is said of any has no such question.
    """
    texts = np.random.default_rng(0).permutation(sorted({query.text for query in queries})).tolist()
    place = {text: n for n, text in enumerate(texts)}
    told: dict[str, set[str]] = {}
    for query in queries:
        told.setdefault(query.video_id, set()).add(query.text)

    def another(query: GroundingQuery) -> str | None:
        following = (texts[(place[query.text] + k) % len(texts)] for k in range(1, len(texts)))
        return next((text for text in following if text not in told[query.video_id]), None)

    return [replace(query, text=text) for query in queries if (text := another(query)) is not None]
