"""Inference: the curves of one video at its native length, without sampling and without other videos in the batch."""

from collections.abc import Mapping
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
    batch = feature_table.full_video_batch(video_id)
    return _to_prediction(localizer.fuse(localizer(batch), batch.masks, stream_weights))


@torch.inference_mode()
def predict_branches(localizer: Localizer, feature_table: FeatureTable, video_id: str) -> dict[str, VideoPrediction]:
    """The curves of one video by each branch: that of each stream, or the one of all streams."""
    batch = feature_table.full_video_batch(video_id)
    output = localizer(batch)
    if not localizer.has_branch_by_stream:
        return {"": _to_prediction(localizer.fuse(output, batch.masks, {}))}
    alone = {name: dict.fromkeys(localizer.cbp_streams, 0.0) | {name: 1.0} for name in localizer.cbp_streams}
    return {name: _to_prediction(localizer.fuse(output, batch.masks, weights)) for name, weights in alone.items()}


def _to_prediction(curves: Curves) -> VideoPrediction:
    arrays = (t[0].cpu().numpy().astype(np.float64) for t in (curves.attention, curves.activation, curves.scores))
    return VideoPrediction(*arrays)
