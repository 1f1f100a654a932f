"""Inference: the curves of one video at its native length, without sampling and without other videos in the batch.

A very long video is localized in parts, as if each were a video (core/long_videos.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from clip_ae.localizers.feature_table import FeatureTable
from clip_ae.localizers.head import Curves
from clip_ae.localizers.localizer import Localizer


@dataclass(frozen=True)
class VideoPrediction:
    """attention [T], activation [T, C] and scores [C]; the attention of a snippet without coverage is 0."""

    attention: NDArray[np.float64]
    activation: NDArray[np.float64]
    scores: NDArray[np.float64]


@torch.inference_mode()
def predict_video(
    localizer: Localizer, feature_table: FeatureTable, video_id: str, *, stream_weights: Mapping[str, float]
) -> VideoPrediction:
    """The curves of one video, with the streams fused."""
    batches = feature_table.full_video_batches(video_id)
    return _join([_to_prediction(localizer.fuse(localizer(batch), batch.masks, stream_weights)) for batch in batches])


@torch.inference_mode()
def predict_branches(localizer: Localizer, feature_table: FeatureTable, video_id: str) -> dict[str, VideoPrediction]:
    """The curves of one video by each branch: that of each stream, or the one of all streams."""
    streams = localizer.cbp_streams
    alone = {name: dict.fromkeys(streams, 0.0) | {name: 1.0} for name in streams}
    weights_by_branch = alone if localizer.has_branch_by_stream else {"": {}}
    parts: dict[str, list[VideoPrediction]] = {name: [] for name in weights_by_branch}
    for batch in feature_table.full_video_batches(video_id):
        output = localizer(batch)
        for name, weights in weights_by_branch.items():
            parts[name].append(_to_prediction(localizer.fuse(output, batch.masks, weights)))
    return {name: _join(predictions) for name, predictions in parts.items()}


def _to_prediction(curves: Curves) -> VideoPrediction:
    arrays = (t[0].cpu().numpy().astype(np.float64) for t in (curves.attention, curves.activation, curves.scores))
    return VideoPrediction(*arrays)


def _join(parts: Sequence[VideoPrediction]) -> VideoPrediction:
    """The curves of all parts one after another, and the mean of their scores by length."""
    if len(parts) == 1:
        return parts[0]
    lengths = [len(part.attention) for part in parts]
    return VideoPrediction(
        np.concatenate([part.attention for part in parts]),
        np.concatenate([part.activation for part in parts]),
        np.average([part.scores for part in parts], axis=0, weights=lengths),
    )
