"""The detections of perfect curves: what localize gives if the curves of the test videos are the annotations."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from clip_ae.core.config.training import Localization
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Annotation, Detection
from clip_ae.localizers.inference import VideoPrediction
from clip_ae.pipeline.detection import detect
from clip_ae.proposals.curve_choice import PROBABILITY_CURVES, choose_curve
from clip_ae.proposals.perfect_curves import compute_action_shares


@dataclass(frozen=True)
class VideoLength:
    """The length of a video in snippets and in seconds."""

    video_id: str
    snippets: int
    duration: float


def detect_from_annotations(
    annotations: Mapping[str, Annotation], videos: Iterable[VideoLength], settings: Localization, grid: SnippetGrid
) -> list[Detection]:
    """The scored segments of the annotated videos.

    Activation: the share of each snippet that is an action of the class. Attention: 1. Video score: 1 for the classes
    that occur. `auto` of `smoothing_s` is 0, because these curves have no errors. Videos without snippets have no
    detections, as in `localize`.
    """
    choice = choose_curve(settings, PROBABILITY_CURVES, grid.stride_s)
    detections: list[Detection] = []
    for video in videos:
        annotation = annotations.get(video.video_id)
        if annotation is None or not video.snippets or not annotation.instances:
            continue
        labels = sorted({instance.label for instance in annotation.instances})
        shares = compute_action_shares(annotation.instances, labels, video.snippets, grid)
        prediction = VideoPrediction(np.ones(len(shares)), shares, (shares.max(axis=0) > 0).astype(np.float64))
        detections += detect(video.video_id, video.duration, prediction, labels, settings, choice, grid)
    return detections
