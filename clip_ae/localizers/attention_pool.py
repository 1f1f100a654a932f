"""Descriptor of later rounds: snippets are weighted by the attention of the previous round's model.

Each stream is pooled with its own attention, as in TCAM, whose attention is a softmax over time. Where attention a is a
sigmoid, its logit is log(a / (1 - a)), and the softmax of that over time is a / (1 - a), divided by its sum. All other
weights are a / sum a. The pooled features are those of the streams,
as in TCAM, or (descriptor `fused`) the output of the model's front end, which L_self trains to be clustered.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from clip_ae.core.config.methods import DescriptorWeights
from clip_ae.core.types import FeaturesByStream, SnippetWeights, VideoFeatures
from clip_ae.localizers.caf_audio import replace_audio
from clip_ae.localizers.feature_table import FeatureTable
from clip_ae.localizers.localizer import Localizer, LocalizerOutput
from clip_ae.localizers.model_state import read_localizer_config, restore_localizer

# Float32 rounds a sigmoid to 1 from a logit of 17 on; weights stay finite at this distance from 1.
MIN_COMPLEMENT = 1e-6


def prepare_pooling(
    streams: FeaturesByStream,
    tensors: Mapping[str, NDArray[Any]],
    metadata: Mapping[str, Any],
    device: str,
    *,
    use_fused: bool,
    descriptor_weights: DescriptorWeights,
) -> tuple[FeaturesByStream, SnippetWeights]:
    """The cbp streams to pool and the weight of each snippet, by stream and video id.

    tensors and metadata are those of a localizer's model file.
    """
    localizer = restore_localizer(tensors, metadata, device)
    use_softmax = descriptor_weights == "softmax" and localizer.head.attention_is_sigmoid
    table = FeatureTable(replace_audio(streams, read_localizer_config(metadata)), device)
    weights: dict[str, dict[str, NDArray[np.float64]]] = {}
    pooled_streams: dict[str, dict[str, VideoFeatures]] = {}
    for video_id in table.video_ids:
        attention, head_inputs = _run_localizer(localizer, table, video_id, use_fused=use_fused)
        for name, curve in attention.items():
            video = streams[name][video_id]
            weights.setdefault(name, {})[video_id] = _normalize(_odds(curve) if use_softmax else curve)
            pooled = replace(video, feature=head_inputs[name]) if use_fused else video
            pooled_streams.setdefault(name, {})[video_id] = pooled
    return pooled_streams, weights


@torch.inference_mode()
def _run_localizer(
    localizer: Localizer, table: FeatureTable, video_id: str, *, use_fused: bool
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[Any]]]:
    """The attention [T] of each stream, and with use_fused the input features of the head [T, D]."""
    attention: dict[str, list[NDArray[np.float64]]] = {}
    head_inputs: dict[str, list[NDArray[Any]]] = {}
    for batch in table.full_video_batches(video_id):
        output: LocalizerOutput = localizer(batch)
        for name, stream in output.streams.items():
            attention.setdefault(name, []).append(stream.attention[0].cpu().numpy().astype(np.float64))
            if use_fused:
                head_inputs.setdefault(name, []).append(output.features[name][0].cpu().numpy())
    return (
        {name: np.concatenate(parts) for name, parts in attention.items()},
        {name: np.concatenate(parts) for name, parts in head_inputs.items()},
    )


def _odds(attention: NDArray[np.float64]) -> NDArray[np.float64]:
    """exp of the attention's logit: a / (1 - a)."""
    return attention / np.maximum(1 - attention, MIN_COMPLEMENT)


def _normalize(attention: NDArray[np.float64]) -> NDArray[np.float64]:
    total = float(attention.sum())
    return attention / total if total > 0 else attention
