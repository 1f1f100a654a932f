"""Error types of detections, after DETAD (Alwassel et al., ECCV 2018), and the mAP that each type takes away.

The type of a detection at a tIoU threshold is the first of these that applies:
    true           a true positive
    double         an action of its class overlaps it by the threshold or more, but is matched to another detection
    wrong label    an action of another class overlaps it by the threshold or more
    localization   an action of its class overlaps it by less than the threshold
    confusion      an action of another class overlaps it by less than the threshold
    background     no action overlaps it by tIoU 0.1 or more
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from clip_ae.core.error_types import ERROR_TYPES
from clip_ae.scoring.average_precision import MatchedDetections, average_over_classes, compute_average_precision
from clip_ae.scoring.matching import find_overlaps
from clip_ae.scoring.segments import Bools, Floats, Ints, Segments, rank_in_group

TRUE, DOUBLE, WRONG_LABEL, LOCALIZATION, CONFUSION, BACKGROUND = range(len(ERROR_TYPES))
# Below this tIoU an overlap does not count.
BACKGROUND_TIOU = 0.1
TOP_G_MULTIPLES = tuple(range(1, 11))


def classify_detections(matches: MatchedDetections, thresholds: Sequence[float]) -> Ints:
    """Error types [thresholds, detections], as indices of ERROR_TYPES."""
    truth, detections = matches.ground_truth, matches.detections
    own_tiou = compute_best_tiou(truth, detections)
    any_tiou = compute_best_tiou(truth.without_labels(), detections.without_labels())
    return np.stack(
        [
            _classify_at(tp_mask, own_tiou, any_tiou, threshold)
            for tp_mask, threshold in zip(matches.tp_mask, thresholds, strict=True)
        ]
    )


def compute_best_tiou(ground_truth: Segments, detections: Segments) -> Floats:
    """Highest tIoU [detections] of each detection with ground truth of its video and class."""
    pairs = find_overlaps(ground_truth.take(np.lexsort((ground_truth.video, ground_truth.label))), detections)
    best = np.zeros(len(detections))
    np.maximum.at(best, pairs.detection_index, pairs.tiou)
    return best


def count_types_in_top_kg(matches: MatchedDetections, detection_types: Ints) -> list[dict[str, int]]:
    """Number of detections of each error type among the top kG detections of all classes, for k from 1 to 10.

    G is the number of instances of a class.
    """
    label = matches.detections.label
    num_instances = np.bincount(matches.ground_truth.label, minlength=1 + int(label.max(initial=0)))
    class_rank = rank_in_group(label)
    counts_by_k = []
    for k in TOP_G_MULTIPLES:
        top_types = detection_types[class_rank < k * num_instances[label]]
        counts = np.bincount(top_types, minlength=len(ERROR_TYPES))
        counts_by_k.append(dict(zip(ERROR_TYPES, counts.tolist(), strict=True)))
    return counts_by_k


def compute_error_impact(matches: MatchedDetections, detection_types: Ints, num_classes: int) -> dict[str, Floats]:
    """Gain in mAP [thresholds] if the detections of one error type are removed, by type."""
    full_map = _compute_map(matches, num_classes)
    reduced = {
        name: replace(matches, counted_mask=matches.counted_mask & (detection_types != k))
        for k, name in enumerate(ERROR_TYPES)
        if k != TRUE
    }
    return {name: _compute_map(remaining, num_classes) - full_map for name, remaining in reduced.items()}


def _classify_at(tp_mask: Bools, own_tiou: Floats, any_tiou: Floats, threshold: float) -> Ints:
    """Error types [detections] at one threshold, from the best tIoU with the own class and with any class."""
    low = min(BACKGROUND_TIOU, threshold)
    tests = [tp_mask, own_tiou >= threshold, any_tiou >= threshold, own_tiou >= low, any_tiou >= low]
    return np.select(tests, [TRUE, DOUBLE, WRONG_LABEL, LOCALIZATION, CONFUSION], BACKGROUND)


def _compute_map(matches: MatchedDetections, num_classes: int) -> Floats:
    return average_over_classes(compute_average_precision(matches, num_classes), matches.ground_truth)
