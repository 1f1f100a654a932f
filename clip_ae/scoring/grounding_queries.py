"""Queries to score grounding: class names for datasets without sentences; sentences of other videos as a control."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from clip_ae.core.types import Annotation, GroundingQuery


def build_class_queries(annotations: Mapping[str, Annotation]) -> list[GroundingQuery]:
    """One query for each video and each class in it: the class name, with all instances as right moments."""
    moments: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for video_id, annotation in sorted(annotations.items()):
        for instance in annotation.instances:
            moments.setdefault((video_id, instance.label), []).append((instance.start, instance.stop))
    return [GroundingQuery(video_id, label, tuple(spans)) for (video_id, label), spans in moments.items()]


def build_control_queries(queries: Sequence[GroundingQuery]) -> list[GroundingQuery]:
    """The same moments, each with a text that describes other videos only.

    The control shows the recall of a search that does not read the text. A query has no control if all texts describe
    its video.
    """
    texts = np.random.default_rng(0).permutation(sorted({query.text for query in queries})).tolist()
    text_index = {text: n for n, text in enumerate(texts)}
    texts_of_video: dict[str, set[str]] = {}
    for query in queries:
        texts_of_video.setdefault(query.video_id, set()).add(query.text)

    def find_other_text(query: GroundingQuery) -> str | None:
        next_texts = (texts[(text_index[query.text] + k) % len(texts)] for k in range(1, len(texts)))
        return next((text for text in next_texts if text not in texts_of_video[query.video_id]), None)

    return [replace(query, text=text) for query in queries if (text := find_other_text(query)) is not None]
