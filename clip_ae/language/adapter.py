"""The light network that is taught: one adapter a stream, into a space that it shares with texts.

An adapter is two temporal convolutions beside a linear map. Of a feature x it makes g(x) [width]; x and g(x) side by
side are the post-pretrained feature, so that nothing is lost of what there was.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

KERNEL_SIZE = 3
# As CLIP's: a sharper contrast than 100 is not learned.
MAX_LOG_SCALE = math.log(100)


class StreamAdapter(nn.Module):
    """g: features [B, T, dim] to [B, T, width]."""

    def __init__(self, dim: int, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.projection = nn.Linear(dim, width)
        self.first = nn.Conv1d(dim, width, KERNEL_SIZE, padding=KERNEL_SIZE // 2)
        self.second = nn.Conv1d(width, width, KERNEL_SIZE, padding=KERNEL_SIZE // 2)

    def forward(self, x: Tensor) -> Tensor:
        # Rows of zeros are no material: what the first convolution makes of them would reach their neighbours.
        real = x.any(dim=-1)[:, None]
        x = self.norm(x)
        around = self.second(F.gelu(self.first(x.transpose(1, 2))) * real)
        g: Tensor = self.projection(x) + around.transpose(1, 2)
        return g


class JointEmbedding(nn.Module):
    """An adapter a stream, and the way of texts into their space; background has a text that is learned."""

    def __init__(
        self, dims: Mapping[str, int], text_dim: int, width: int, temperature: float, learned_temperature: bool
    ) -> None:
        super().__init__()
        self.init_args: dict[str, Any] = {
            "dims": dict(dims),
            "text_dim": text_dim,
            "width": width,
            "temperature": temperature,
            "learned_temperature": learned_temperature,
        }
        self.adapters = nn.ModuleDict({name: StreamAdapter(dim, width) for name, dim in dims.items()})
        self.text_projection = nn.Linear(text_dim, width, bias=False)
        self.background = nn.Parameter(torch.randn(width))
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)), requires_grad=learned_temperature)

    @property
    def scale(self) -> Tensor:
        """One over the temperature."""
        return self.log_scale.clamp(max=MAX_LOG_SCALE).exp()

    def embed_texts(self, embeddings: Tensor) -> Tensor:
        """[N, text_dim] into the joint space, of length 1."""
        return F.normalize(self.text_projection(embeddings), dim=-1)

    @property
    def background_embedding(self) -> Tensor:
        """Background's text, of length 1."""
        return F.normalize(self.background, dim=0)


def restore_joint_embedding(
    tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, Any], device: str
) -> JointEmbedding:
    """The network that `arrays` and what is known of it describe, ready for inference."""
    joint = JointEmbedding(**metadata["joint"])
    joint.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in tensors.items()})
    return joint.to(device).eval()
