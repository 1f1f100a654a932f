"""Descriptor of later rounds: snippets count as much as the previous round's model attends to them.

Each stream is pooled with its own attention, a_t / sum a, as in TCAM; there the attention is a softmax over time. Here
it keeps the form in which the head pools videos itself. What is pooled are the streams' features, as in TCAM, or
(`fused`) what the model's front end makes of them, which L_self shapes for clustering.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from clip_ae.core.types import FeaturesByStream, VideoFeatures
from clip_ae.localizers.feature_table import FeatureTable
from clip_ae.localizers.localizer import LocalizerOutput
from clip_ae.localizers.model_state import restore_localizer

SnippetWeights = dict[str, dict[str, NDArray[np.float64]]]


def prepare_pooling(
    streams: FeaturesByStream,
    tensors: Mapping[str, NDArray[Any]],
    metadata: Mapping[str, Any],
    device: str,
    *,
    use_fused: bool,
) -> tuple[FeaturesByStream, SnippetWeights]:
    """The I3D streams to pool and each snippet's weight, by stream and video id."""
    localizer, library = restore_localizer(tensors, metadata, device), FeatureTable(streams, device)
    weights: SnippetWeights = {}
    features: dict[str, dict[str, VideoFeatures]] = {}
    for video_id in library.video_ids:
        for name, (attention, used) in _attended(localizer, library, video_id).items():
            video = streams[name][video_id]
            weights.setdefault(name, {})[video_id] = _normalised(attention)
            features.setdefault(name, {})[video_id] = replace(video, feature=used) if use_fused else video
    return features, weights


@torch.inference_mode()
def _attended(localizer: Any, library: FeatureTable, video_id: str) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """Of every stream its attention, and the features that its head saw."""
    output: LocalizerOutput = localizer(library.full_video_batch(video_id))
    return {
        name: (stream.attention[0].cpu().numpy().astype(np.float64), output.features[name][0].cpu().numpy())
        for name, stream in output.streams.items()
    }


def _normalised(attention: NDArray[np.float64]) -> NDArray[np.float64]:
    total = float(attention.sum())
    return attention / total if total > 0 else attention
