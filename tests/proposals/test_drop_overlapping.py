"""Selection of detections that do not overlap."""

from clip_ae.core.types import Detection
from clip_ae.proposals.drop_overlapping import drop_overlapping


def test_the_best_of_overlapping_detections_is_selected_in_order_of_time():
    best, adjacent, overlapping = (
        Detection("v", "cluster-00", 0.9, 4, 6),
        Detection("v", "cluster-00", 0.2, 6, 8),
        Detection("v", "cluster-00", 0.8, 5, 7),
    )
    assert drop_overlapping([overlapping, adjacent, best]) == [best, adjacent]
