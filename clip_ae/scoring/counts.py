"""Counts of the scored items, and of unusual ones."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from clip_ae.core.types import Annotation, Detection
from clip_ae.scoring.eval_input import EvalInput


def count_scored_items(
    test: Mapping[str, Annotation],
    detections: Sequence[Detection],
    without_features: Collection[str],
    eval_input: EvalInput,
) -> dict[str, int]:
    """The key `counts` of map.json.

    Unusual items are scored like others, except detections outside the subset or without a cluster: these are left
    out.
    """
    truth, num_scored = eval_input.ground_truth, len(eval_input.detections)
    inside = [d for d in detections if d.video_id in test]
    detected = {d.video_id for d in inside}
    durations = {video_id: a.duration for video_id, a in test.items() if a.duration is not None}
    return {
        "videos": len(test),
        "videos_with_detections": len(detected),
        "videos_without_features": len((test.keys() & set(without_features)) - detected),
        "instances": sum(len(a.instances) for a in test.values()),
        "classes": len({i.label for a in test.values() for i in a.instances}),
        "ambiguous": sum(len(a.ambiguous) for a in test.values()),
        "instances_without_length": int(np.sum(truth.start == truth.stop)),
        "detections": num_scored,
        "detections_outside_subset": len(detections) - len(inside),
        "detections_without_cluster": len(inside) - num_scored,
        "detections_before_start": sum(d.start < 0 for d in inside),
        "detections_beyond_end": sum(d.stop > durations.get(d.video_id, d.stop) for d in inside),
        "detections_without_length": sum(d.start == d.stop for d in inside),
    }
