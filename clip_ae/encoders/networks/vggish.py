"""VGGish (Hershey et al., ICASSP 2017): log-mel patches to 128-d embeddings.

Modules have the names of the published PyTorch weights (features.N, embeddings.N).
"""

from collections.abc import Mapping
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from clip_ae.core.config.schema import VggishOptions
from clip_ae.encoders.log_mel import MEL_BANDS, PATCH_FRAMES, SAMPLE_RATE
from clip_ae.encoders.networks.state_dict import unwrap_state_dict

# Output channels of the convolutions; 0 stands for a 2x2 max pooling.
LAYERS = (64, 0, 128, 0, 256, 256, 0, 512, 512, 0)
HIDDEN_DIM = 4096
EMBEDDING_DIM = 128


class Vggish(nn.Module):
    """Patches [B, 1, 96, 64] to embeddings [B, dim] or class logits [B, classes]."""

    def __init__(self, width_factor: float, num_classes: int) -> None:
        super().__init__()

        def scaled(n: int) -> int:
            return max(1, round(n * width_factor))

        layers: list[nn.Module] = []
        inputs = 1
        for outputs in LAYERS:
            if outputs:
                layers += [nn.Conv2d(inputs, scaled(outputs), 3, padding=1), nn.ReLU()]
                inputs = scaled(outputs)
            else:
                layers.append(nn.MaxPool2d(2))
        halvings = LAYERS.count(0)
        flat = inputs * (PATCH_FRAMES >> halvings) * (MEL_BANDS >> halvings)
        self.dim = scaled(EMBEDDING_DIM)
        self.features = nn.Sequential(*layers)
        self.embeddings = nn.Sequential(
            nn.Linear(flat, scaled(HIDDEN_DIM)),
            nn.ReLU(),
            nn.Linear(scaled(HIDDEN_DIM), scaled(HIDDEN_DIM)),
            nn.ReLU(),
            nn.Linear(scaled(HIDDEN_DIM), self.dim),
        )
        self.classifier = nn.Linear(self.dim, num_classes) if num_classes else None

    def embed(self, x: Tensor) -> Tensor:
        """Embeddings [B, dim] before the ReLU. The published weights expect maps flattened with channels last."""
        maps = self.features(x).permute(0, 2, 3, 1)
        embedding: Tensor = self.embeddings(maps.flatten(1))
        return embedding

    def forward(self, x: Tensor) -> Tensor:
        """Class logits [B, classes]."""
        if self.classifier is None:
            raise ValueError("vggish.classes is 0, so this network has no classifier; use embed")
        logits: Tensor = self.classifier(F.relu(self.embed(x)))
        return logits


def input_description(options: VggishOptions) -> str:
    """The network's input, for the metadata of network files."""
    return f"sound at {SAMPLE_RATE} Hz, log-mel patches of {PATCH_FRAMES} x {MEL_BANDS}"


def build(options: VggishOptions) -> Vggish:
    """The network with random weights."""
    return Vggish(options.width, options.classes)


def convert_state_dict(state_dict: Mapping[str, Any], options: VggishOptions) -> dict[str, Any]:
    """A published state dict, with this network's names and without the post-processing (a network of its own)."""
    return {name: value for name, value in unwrap_state_dict(state_dict).items() if not name.startswith("pproc.")}
