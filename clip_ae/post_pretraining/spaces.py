"""Where snippets are compared by their cosines: the joint space that was taught, or features as they were extracted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from clip_ae.core.types import Streams, VideoFeatures
from clip_ae.post_pretraining.adapter import Joint
from clip_ae.post_pretraining.likeness import embedded

# One over the temperature of cosines of plain features. Of 7, 14 and 28 the best, on training videos of other classes.
PLAIN_SCALE = 7.0
# A video's snippets [T, width], of length 1, by stream.
Seen = Mapping[str, Tensor]


@dataclass(frozen=True)
class Space:
    """nothing: background's point where one was learned; scale: one over the temperature."""

    embed: Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
    nothing: Tensor | None
    scale: float

    def seen(self, streams: Streams, device: str) -> dict[str, Seen]:
        """Every video's snippets as points."""
        videos = next(iter(streams.values()))
        return {i: self.embed({n: _tensor(found[i], device) for n, found in streams.items()}) for i in videos}


def taught(joint: Joint) -> Space:
    return Space(partial(embedded, joint), joint.nothing.detach(), float(joint.scale.detach()))


def plain(streams: Streams, device: str) -> Space:
    """Features less their mean: what all snippets share says nothing."""
    means = {n: torch.from_numpy(_mean(list(found.values()))).to(device) for n, found in streams.items()}
    return Space(lambda x: {n: F.normalize(x[n] - means[n], dim=-1) for n in x}, None, PLAIN_SCALE)


def _mean(videos: list[VideoFeatures]) -> NDArray[np.float32]:
    mean: NDArray[np.float64] = np.concatenate([v.feature[v.coverage > 0] for v in videos]).mean(axis=0, dtype=float)
    return mean.astype(np.float32)


def _tensor(video: VideoFeatures, device: str) -> Tensor:
    return torch.from_numpy(video.feature.astype(np.float32)).to(device)
