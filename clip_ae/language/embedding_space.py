"""Spaces in which snippets are compared: extracted features, and also the joint space of a feature adapter."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from clip_ae.core.types import FeaturesByStream, VideoFeatures
from clip_ae.language.adapter import JointEmbedding

# 1 / temperature for cosines of extracted features: the best of 7, 14 and 28, on training videos of other classes.
EXTRACTED_SCALE = 7.0
# Name of a stream's adapted view.
ADAPTED = "{}, adapted"
# The snippets of one video [T, width], unit length, by view: a stream, extracted or adapted.
SnippetEmbeddings = Mapping[str, Tensor]


@dataclass(frozen=True)
class EmbeddingSpace:
    """A function from features to embeddings by view, with the scale (1 / temperature) of each view.

    background_embeddings has an entry for the views with a learned background.
    """

    embed: Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
    scales: Mapping[str, float]
    background_embeddings: Mapping[str, Tensor]

    def embed_streams(self, streams: FeaturesByStream, device: str) -> dict[str, SnippetEmbeddings]:
        """The snippet embeddings of each video."""
        videos = next(iter(streams.values()))
        with torch.inference_mode():
            return {i: self.embed({n: _tensor(stream[i], device) for n, stream in streams.items()}) for i in videos}


def extracted_space(streams: FeaturesByStream, device: str) -> EmbeddingSpace:
    """The space of extracted features minus their mean over the given videos, which is common to all snippets."""
    means = {n: torch.from_numpy(_mean(list(videos.values()))).to(device) for n, videos in streams.items()}

    def embed(x: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: F.normalize(x[name] - mean, dim=-1) for name, mean in means.items()}

    return EmbeddingSpace(embed, dict.fromkeys(means, EXTRACTED_SCALE), {})


def adapted_space(joint_embedding: JointEmbedding, base_space: EmbeddingSpace) -> EmbeddingSpace:
    """The base space and the joint space, with equal weight: adapted features are [x, g(x)], so both are compared."""
    views = {name: ADAPTED.format(name) for name in joint_embedding.adapters}

    def embed(x: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return base_space.embed(x) | {
            views[name]: embeddings for name, embeddings in embed_features(joint_embedding, x).items()
        }

    scales = dict.fromkeys(views.values(), float(joint_embedding.scale.detach()))
    return EmbeddingSpace(
        embed,
        {**base_space.scales, **scales},
        dict.fromkeys(views.values(), joint_embedding.background_embedding.detach()),
    )


@torch.inference_mode()
def embed_features(joint_embedding: JointEmbedding, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """g of the features [T, D] of one video, by stream: [T, width], unit length."""
    return {name: F.normalize(joint_embedding.adapters[name](x[None])[0], dim=-1) for name, x in features.items()}


def _mean(videos: list[VideoFeatures]) -> NDArray[np.float32]:
    mean: NDArray[np.float64] = np.concatenate([v.feature[v.coverage > 0] for v in videos]).mean(axis=0, dtype=float)
    return mean.astype(np.float32)


def _tensor(video: VideoFeatures, device: str) -> Tensor:
    return torch.from_numpy(video.feature.astype(np.float32)).to(device)
