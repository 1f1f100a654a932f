"""Where snippets are compared: features as they were extracted, and beside them the joint space that was taught."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from clip_ae.core.types import FeaturesByStream, VideoFeatures
from clip_ae.language.adapter import JointEmbedding

# One over the temperature of cosines of plain features. Of 7, 14 and 28 the best, on training videos of other classes.
EXTRACTED_SCALE = 7.0
ADAPTED = "{}, adapted"
# By view, a stream in a space: a video's snippets [T, width], of length 1.
SnippetEmbeddings = Mapping[str, Tensor]


@dataclass(frozen=True)
class EmbeddingSpace:
    """By view: one over the temperature of cosines there, and background's point where one was learned."""

    embed: Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
    scales: Mapping[str, float]
    background_embeddings: Mapping[str, Tensor]

    def embed_streams(self, streams: FeaturesByStream, device: str) -> dict[str, SnippetEmbeddings]:
        """Every video's snippets as points."""
        videos = next(iter(streams.values()))
        with torch.inference_mode():
            return {i: self.embed({n: _tensor(found[i], device) for n, found in streams.items()}) for i in videos}


def extracted_space(streams: FeaturesByStream, device: str) -> EmbeddingSpace:
    """Features less their mean over some videos: what all snippets share says nothing."""
    means = {n: torch.from_numpy(_mean(list(found.values()))).to(device) for n, found in streams.items()}

    def embed(x: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: F.normalize(x[name] - mean, dim=-1) for name, mean in means.items()}

    return EmbeddingSpace(embed, dict.fromkeys(means, EXTRACTED_SCALE), {})


def adapted_space(joint_embedding: JointEmbedding, base_space: EmbeddingSpace) -> EmbeddingSpace:
    """As post-pretrained features are [x, g(x)], both are compared, and each has the same say."""
    names = {name: ADAPTED.format(name) for name in joint_embedding.adapters}

    def embed(x: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return base_space.embed(x) | {
            names[name]: points for name, points in embed_features(joint_embedding, x).items()
        }

    scale = dict.fromkeys(names.values(), float(joint_embedding.scale.detach()))
    return EmbeddingSpace(
        embed,
        {**base_space.scales, **scale},
        dict.fromkeys(names.values(), joint_embedding.background_embedding.detach()),
    )


@torch.inference_mode()
def embed_features(joint_embedding: JointEmbedding, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """g of a video's features [T, D], of length 1, by stream."""
    return {name: F.normalize(joint_embedding.adapters[name](x[None])[0], dim=-1) for name, x in features.items()}


def _mean(videos: list[VideoFeatures]) -> NDArray[np.float32]:
    mean: NDArray[np.float64] = np.concatenate([v.feature[v.coverage > 0] for v in videos]).mean(axis=0, dtype=float)
    return mean.astype(np.float32)


def _tensor(video: VideoFeatures, device: str) -> Tensor:
    return torch.from_numpy(video.feature.astype(np.float32)).to(device)
