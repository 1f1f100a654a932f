"""The frame scores of map.json: mAP of sampled frames, AP of each class, and bootstrap draws.

Detections have classes as labels. Each function returns {} if the settings name no frame protocol.
"""

import numpy as np

from clip_ae.core.config.schema import Evaluation
from clip_ae.core.score_columns import FRAME_KIND
from clip_ae.scoring.eval_input import EvalInput
from clip_ae.scoring.frame_ap import RankedFrames, bootstrap_frame_map, compute_frame_ap, rank_frames
from clip_ae.scoring.frame_protocols import FRAME_PROTOCOLS
from clip_ae.scoring.frames import sample_frames
from clip_ae.scoring.segments import Floats, Segments


def score_frame_map(eval_input: EvalInput, detections: Segments, settings: Evaluation) -> dict[str, dict[str, float]]:
    """The key `frame_mAP`: mAP by frame protocol, over the classes that have a positive frame."""
    if settings.frame_protocol is None:
        return {}
    ap = compute_frame_class_ap(eval_input, detections, settings)
    return {FRAME_KIND: {settings.frame_protocol: float(np.mean(list(ap.values())))}}


def compute_frame_class_ap(eval_input: EvalInput, detections: Segments, settings: Evaluation) -> dict[str, float]:
    """AP of each class that has a positive frame, by class name."""
    if settings.frame_protocol is None:
        return {}
    ranked = _rank(eval_input, detections, settings.frame_protocol)
    (ap,) = compute_frame_ap(ranked, np.ones((1, len(eval_input.videos)), np.int64)).tolist()
    return dict(zip([eval_input.classes[c] for c in ranked.by_class], ap, strict=True))


def draw_frame_map(eval_input: EvalInput, detections: Segments, settings: Evaluation) -> dict[str, dict[str, Floats]]:
    """Bootstrap draws of frame_mAP, by frame protocol."""
    if settings.frame_protocol is None:
        return {}
    ranked = _rank(eval_input, detections, settings.frame_protocol)
    draws = bootstrap_frame_map(ranked, settings.bootstrap_samples, len(eval_input.videos))
    return {FRAME_KIND: {settings.frame_protocol: draws}}


def _rank(eval_input: EvalInput, detections: Segments, protocol: str) -> RankedFrames:
    return rank_frames(sample_frames(eval_input, FRAME_PROTOCOLS[protocol]), detections)
