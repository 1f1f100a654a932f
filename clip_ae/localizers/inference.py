"""Inference: the curves of one video at its native length, without sampling and without other videos in the batch.

A very long video is localized in parts, as if each were a video (core/long_videos.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from clip_ae.localizers.batch import Batch
from clip_ae.localizers.feature_table import FeatureTable
from clip_ae.localizers.head import Curves
from clip_ae.localizers.localizer import Localizer


@dataclass(frozen=True)
class VideoPrediction:
    """attention [T], activation [T, C] and scores [C]; the attention of a snippet without coverage is 0."""

    attention: NDArray[np.float64]
    activation: NDArray[np.float64]
    scores: NDArray[np.float64]


class _Parts:
    """The predictions of the parts of a video, in order."""

    def __init__(self) -> None:
        self.predictions: list[VideoPrediction] = []
        self.num_covered: list[int] = []

    def add(self, prediction: VideoPrediction, batch: Batch) -> None:
        self.predictions.append(prediction)
        self.num_covered.append(sum(int(mask.sum()) for mask in batch.masks.values()))

    def join(self) -> VideoPrediction:
        """The curves one after another, and the mean of the scores; a part counts as its snippets with coverage."""
        if len(self.predictions) == 1:
            return self.predictions[0]
        weights = self.num_covered if any(self.num_covered) else None
        return VideoPrediction(
            np.concatenate([part.attention for part in self.predictions]),
            np.concatenate([part.activation for part in self.predictions]),
            np.average([part.scores for part in self.predictions], axis=0, weights=weights),
        )


@torch.inference_mode()
def predict_video(
    localizer: Localizer, feature_table: FeatureTable, video_id: str, *, stream_weights: Mapping[str, float]
) -> VideoPrediction:
    """The curves of one video, with the streams fused."""
    parts = _Parts()
    for batch in feature_table.full_video_batches(video_id):
        parts.add(_to_prediction(localizer.fuse(localizer(batch), batch.masks, stream_weights)), batch)
    return parts.join()


@torch.inference_mode()
def predict_branches(localizer: Localizer, feature_table: FeatureTable, video_id: str) -> dict[str, VideoPrediction]:
    """The curves of one video by each branch: that of each stream, or the one of all streams."""
    streams = localizer.cbp_streams
    alone = {name: dict.fromkeys(streams, 0.0) | {name: 1.0} for name in streams}
    weights_by_branch = alone if localizer.has_branch_by_stream else {"": {}}
    parts = {name: _Parts() for name in weights_by_branch}
    for batch in feature_table.full_video_batches(video_id):
        output = localizer(batch)
        for name, weights in weights_by_branch.items():
            parts[name].add(_to_prediction(localizer.fuse(output, batch.masks, weights)), batch)
    return {name: branch.join() for name, branch in parts.items()}


def _to_prediction(curves: Curves) -> VideoPrediction:
    arrays = (t[0].cpu().numpy().astype(np.float64) for t in (curves.attention, curves.activation, curves.scores))
    return VideoPrediction(*arrays)
