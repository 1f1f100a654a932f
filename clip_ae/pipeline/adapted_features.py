"""Adapted features: rows x become [x, g(x)], with g a trained feature adapter."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import torch

from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.core.types import NetworkWeights, VideoFeatures
from clip_ae.language.adapter import JointEmbedding, restore_joint_embedding


def restore_joint_space(weights: NetworkWeights, device: str) -> JointEmbedding:
    """The joint embedding of a trained feature adapter."""
    if "joint" not in weights.metadata:
        raise UserError("--adapter: not a feature adapter; give the model.safetensors of train_adapter")
    return restore_joint_embedding(weights.tensors, weights.metadata, device)


def adapt_videos(
    joint: JointEmbedding, stream: str, videos: Iterable[VideoFeatures], device: str
) -> Iterator[VideoFeatures]:
    """Yield each video with rows [x, g(x)]. Snippets with coverage 0 keep zeros for g(x)."""
    for video in videos:
        x = torch.from_numpy(video.feature.astype(np.float32)).to(device)
        if x.shape[1] != joint.init_args["dims"][stream]:
            raise RefusedInput(
                f"video '{video.video_id}': {stream} features of {x.shape[1]} numbers; "
                f"the adapter was trained on {joint.init_args['dims'][stream]}"
            )
        with torch.inference_mode():
            g = joint.adapters[stream](x[None])[0].cpu().numpy()
        g[video.coverage <= 0] = 0
        yield replace(video, feature=np.concatenate([video.feature, g.astype(np.float16)], axis=1))
