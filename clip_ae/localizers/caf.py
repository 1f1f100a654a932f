"""CAF, audio-visual cross-attention fusion (CLIP-AE eq. 1-3), of one cbp stream and the audio stream.

X_a, X_v [B, L, d] are the features after one linear layer each, x the same with unit length:
    Lambda = x_a W x_v^T                                                      (1)
    X~_a = softmax_columns(Lambda)^T X_a,  X~_v = softmax_columns(Lambda^T)^T X_v     (2)
    X^(t) = tanh(sum_{i<t} X^(i) + X~^(t)),  X^(0) = X                        (3)

A column of Lambda compares one visual snippet with all audio snippets: the weights depend on the other modality, the
mixed values are those of the own modality. So row l of X~_a belongs to visual snippet l, and row l of X~_v to audio
snippet l. Eq. 3 can add them because all streams share one grid.
"""

from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clip_ae.core.config.methods import CafSwitches
from clip_ae.localizers.attention import attend, attention_entropy
from clip_ae.localizers.fusion_outputs import CafOutput


class CafLayer(nn.Module):
    """Eq. 1 and 2 with their own W."""

    def __init__(self, width: int, switches: CafSwitches) -> None:
        super().__init__()
        self.correlation = nn.Linear(width, width, bias=False)
        # Correlations of unit vectors are so small that the softmax is almost uniform: a learned scale can grow.
        self.scale = nn.Parameter(torch.tensor(switches.scale))
        self.normalized_values = switches.normalized_values

    def forward(self, audio: Tensor, visual: Tensor, audio_mask: Tensor, video_mask: Tensor) -> tuple[Tensor, Tensor]:
        """X~_a and X~_v [B, L, d]; 0 where the other modality is masked."""
        a, v, queries = self.project_queries(audio, visual)
        if self.normalized_values:
            audio, visual = a, v
        mixed_audio = attend(queries, a, audio, audio_mask, scale=1.0)
        mixed_visual = attend(self.scale * F.linear(a, self.correlation.weight.T), v, visual, video_mask, scale=1.0)
        return mixed_audio * video_mask[..., None], mixed_visual * audio_mask[..., None]

    def project_queries(self, audio: Tensor, visual: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x_a, x_v, and the query of each visual snippet to the audio: W x_v, scaled."""
        a, v = F.normalize(audio, dim=-1), F.normalize(visual, dim=-1)
        return a, v, self.scale * self.correlation(v)


class Caf(nn.Module):
    """The linear layers of both modalities and the CAF layers."""

    def __init__(self, audio_dim: int, visual_dim: int, width: int, switches: CafSwitches) -> None:
        super().__init__()
        self.audio = nn.Linear(audio_dim, width)
        self.visual = nn.Linear(visual_dim, width)
        layers = nn.ModuleList(CafLayer(width, switches) for _ in range(switches.num_layers))
        self.layers: Iterable[CafLayer] = layers  # type: ignore[assignment]
        norms = (nn.LayerNorm(width) if switches.layer_norm else nn.Identity() for _ in range(2 * switches.num_layers))
        self.norms = nn.ModuleList(norms)

    def forward(self, audio: Tensor, visual: Tensor, audio_mask: Tensor, video_mask: Tensor) -> CafOutput:
        return self._layer_outputs(audio, visual, audio_mask, video_mask)[-1]

    def attention_entropies(
        self, audio: Tensor, visual: Tensor, audio_mask: Tensor, video_mask: Tensor
    ) -> Iterator[float]:
        """The entropy of each layer's attention map over the audio; 1 is uniform."""
        inputs = self._layer_outputs(audio, visual, audio_mask, video_mask)
        for t, layer in enumerate(self.layers):
            a, _, queries = layer.project_queries(inputs[t].audio, inputs[t].visual)
            key_mask = _audio_video_mask(audio_mask, video_mask) if t else audio_mask
            yield attention_entropy(queries, a, video_mask, key_mask, scale=1.0)

    def _layer_outputs(self, audio: Tensor, visual: Tensor, audio_mask: Tensor, video_mask: Tensor) -> list[CafOutput]:
        """X^(0), X^(1), ...: the input of the first layer and the output of each layer."""
        audio_video_mask = _audio_video_mask(audio_mask, video_mask)
        a, v = self.audio(audio) * audio_mask[..., None], self.visual(visual) * video_mask[..., None]
        outputs = [CafOutput(a, v)]
        sum_a, sum_v = a, v
        for t, layer in enumerate(self.layers):
            mixed_a, mixed_v = layer(a, v, audio_video_mask if t else audio_mask, video_mask)
            a = torch.tanh(self.norms[2 * t](sum_a + mixed_a)) * audio_video_mask[..., None]
            v = torch.tanh(self.norms[2 * t + 1](sum_v + mixed_v)) * video_mask[..., None]
            sum_a, sum_v = sum_a + a, sum_v + v
            outputs.append(CafOutput(a, v))
        return outputs


def _audio_video_mask(audio_mask: Tensor, video_mask: Tensor) -> Tensor:
    """The audio mask [B, T] after the first layer: gaps in the audio are filled wherever there is video.

    All False for a video without any audio.
    """
    return audio_mask.any(dim=1, keepdim=True) & video_mask
