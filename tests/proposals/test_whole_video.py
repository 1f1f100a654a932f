"""Whole videos as segments: one for each class above the threshold, scored by the video's class score."""

import numpy as np

from clip_ae.core.types import Detection
from clip_ae.proposals.whole_video import propose_whole_video

LABELS = ("cluster-00", "cluster-01", "cluster-02")


def propose(*scores: float, class_threshold: float) -> list[Detection]:
    return propose_whole_video("v", np.array(scores), labels=LABELS, class_threshold=class_threshold, duration=12.5)


def test_each_class_above_the_threshold_has_one_segment_over_the_video() -> None:
    assert propose(0.1, 0.6, 0.3, class_threshold=0.2) == [
        Detection("v", "cluster-01", 0.6, 0.0, 12.5),
        Detection("v", "cluster-02", 0.3, 0.0, 12.5),
    ]


def test_a_score_at_the_threshold_is_not_above_it() -> None:
    assert [d.label for d in propose(0.2, 0.6, 0.2, class_threshold=0.2)] == ["cluster-01"]


def test_the_best_class_always_has_a_segment() -> None:
    assert propose(0.05, 0.01, 0.02, class_threshold=0.2) == [Detection("v", "cluster-00", 0.05, 0.0, 12.5)]
