"""How much was scored, and what of it is odd."""

from collections.abc import Mapping, Sequence

import numpy as np

from clip_ae.core.types import Annotation, Detection
from clip_ae.scoring.evaluate import EvalInput


def count_scored_items(
    test: Mapping[str, Annotation], detections: Sequence[Detection], eval_input: EvalInput
) -> dict[str, int]:
    """What is odd is scored as it is, but for detections outside the subset or without a cluster."""
    truth, scored = eval_input.ground_truth, len(eval_input.detections)
    inside = [d for d in detections if d.video_id in test]
    lengths = {i: a.duration for i, a in test.items() if a.duration is not None}
    return {
        "videos": len(test),
        "videos_with_detections": len({d.video_id for d in inside}),
        "instances": sum(len(a.instances) for a in test.values()),
        "classes": len({i.label for a in test.values() for i in a.instances}),
        "ambiguous": sum(len(a.ambiguous) for a in test.values()),
        "instances_without_length": int(np.sum(truth.start == truth.stop)),
        "detections": scored,
        "detections_outside_subset": len(detections) - len(inside),
        "detections_without_cluster": len(inside) - scored,
        "detections_before_start": sum(d.start < 0 for d in inside),
        "detections_beyond_end": sum(d.stop > lengths.get(d.video_id, d.stop) for d in inside),
        "detections_without_length": sum(d.start == d.stop for d in inside),
    }
