"""The network of a feature adapter: one small network for each stream, into a joint space with texts.

It is a linear map plus two temporal convolutions, from a feature x to g(x) [width]. The adapted feature is [x, g(x)]:
no information of x is lost.
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
# As in CLIP: the learned scale is at most 100.
MAX_LOG_SCALE = math.log(100)


class StreamAdapter(nn.Module):
    """g: features [B, T, dim] -> [B, T, width]."""

    def __init__(self, dim: int, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.projection = nn.Linear(dim, width)
        self.first = nn.Conv1d(dim, width, KERNEL_SIZE, padding=KERNEL_SIZE // 2)
        self.second = nn.Conv1d(width, width, KERNEL_SIZE, padding=KERNEL_SIZE // 2)

    def forward(self, x: Tensor) -> Tensor:
        # Rows of zeros have no coverage. Masked, because the second convolution would mix the first one's output there
        # into neighbouring snippets.
        mask = x.any(dim=-1)[:, None]
        x = self.norm(x)
        context = self.second(F.gelu(self.first(x.transpose(1, 2))) * mask)
        g: Tensor = self.projection(x) + context.transpose(1, 2)
        return g


class JointEmbedding(nn.Module):
    """The stream adapters, the projection of texts into the joint space, and a learned embedding for background.

    init_args are stored in the model file.
    """

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
        """1 / temperature, the factor on cosine similarities."""
        return self.log_scale.clamp(max=MAX_LOG_SCALE).exp()

    def embed_texts(self, embeddings: Tensor) -> Tensor:
        """Text embeddings [N, text_dim] in the joint space [N, width], unit length."""
        return F.normalize(self.text_projection(embeddings), dim=-1)

    @property
    def background_embedding(self) -> Tensor:
        """[width], unit length: takes the place of a text for background."""
        return F.normalize(self.background, dim=0)


def restore_joint_embedding(
    tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, Any], device: str
) -> JointEmbedding:
    """The network of a model file, ready for inference: its tensors, and metadata with its constructor arguments."""
    joint = JointEmbedding(**metadata["joint"])
    joint.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in tensors.items()})
    return joint.to(device).eval()
