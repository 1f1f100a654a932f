"""Post-processing of VGGish embeddings in the AudioSet release: PCA with whitening, then 8 bits per element.

The parameters have the names of the published file.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from clip_ae.core.config.schema import VggishPcaOptions

# Whitened values are clipped to -2 ... 2 and then scaled to 0 ... 255.
QUANTIZE_LIMIT = 2.0


class VggishPca(nn.Module):
    """Embeddings [B, dim] to whole numbers 0 ... 255, float32 [B, dim].

    AudioSet's code applies it to the embedding before the ReLU. The file agrees: some of its means are negative.
    torchvggish applies it to the embedding after the ReLU.
    """

    pca_eigen_vectors: Tensor
    pca_means: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.register_buffer("pca_eigen_vectors", torch.zeros(dim, dim))
        self.register_buffer("pca_means", torch.zeros(dim))

    def forward(self, embeddings: Tensor) -> Tensor:
        whitened = (embeddings.float() - self.pca_means) @ self.pca_eigen_vectors.T
        # Truncate, as AudioSet's code does when it converts to bytes. torchvggish rounds.
        return (
            (whitened.clamp(-QUANTIZE_LIMIT, QUANTIZE_LIMIT) + QUANTIZE_LIMIT) * (255 / (2 * QUANTIZE_LIMIT))
        ).floor()


def input_description(options: VggishPcaOptions) -> str:
    """The network's input, for the metadata of network files."""
    return "embeddings of VGGish"


def build(options: VggishPcaOptions) -> VggishPca:
    """The post-processing with zero parameters."""
    return VggishPca(options.dim)


def convert_state_dict(state_dict: Mapping[str, Any], options: VggishPcaOptions) -> dict[str, Any]:
    """The published state dict as tensors: it contains numpy arrays, with the means as a row or as a column."""
    arrays = {name: torch.as_tensor(value) for name, value in state_dict.items()}
    return {name: value.flatten() if name == "pca_means" else value for name, value in arrays.items()}
