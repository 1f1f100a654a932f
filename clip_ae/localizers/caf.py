"""CAF, audio-visual cross-attention fusion (CLIP-AE eq. 1-3), of one I3D stream and the audio.

X_a, X_v [B, L, d] are the features after a linear layer each, x the same on the unit sphere:
    Lambda = x_a W x_v^T                                                      (1)
    X~_a = softmax_columns(Lambda)^T X_a,  X~_v = softmax_columns(Lambda^T)^T X_v     (2)
    X^(t) = tanh(sum_{i<t} X^(i) + X~^(t)),  X^(0) = X                        (3)

A column of Lambda is one visual snippet against all of the audio: the weights come from the other modality, what is
mixed is a modality's own. Row l of X~_a therefore belongs to visual snippet l and row l of X~_v to audio snippet l;
they meet in eq. 3 because all streams share one grid.
"""

from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clip_ae.core.config.methods import CafSwitches
from clip_ae.localizers.attention import attend, attention_entropy
from clip_ae.localizers.fusion_outputs import CafOutput


class CafLayer(nn.Module):
    """Eq. 1 and 2, with a W of its own."""

    def __init__(self, width: int, switches: CafSwitches) -> None:
        super().__init__()
        self.correlation = nn.Linear(width, width, bias=False)
        # Features on the unit sphere correlate by so little that the softmax is almost even: this may grow.
        self.scale = nn.Parameter(torch.tensor(switches.scale))
        self.normalized_values = switches.normalized_values

    def forward(self, audio: Tensor, visual: Tensor, audio_mask: Tensor, video_mask: Tensor) -> tuple[Tensor, Tensor]:
        a, v, queries = self.project_queries(audio, visual)
        if self.normalized_values:
            audio, visual = a, v
        mixed_audio = attend(queries, a, audio, audio_mask, scale=1.0)
        mixed_visual = attend(self.scale * F.linear(a, self.correlation.weight.T), v, visual, video_mask, scale=1.0)
        return mixed_audio * video_mask[..., None], mixed_visual * audio_mask[..., None]

    def project_queries(self, audio: Tensor, visual: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Both modalities' directions, and what each visual snippet looks for in the audio: W x_v, scaled."""
        a, v = F.normalize(audio, dim=-1), F.normalize(visual, dim=-1)
        return a, v, self.scale * self.correlation(v)


class Caf(nn.Module):
    def __init__(self, audio_dim: int, visual_dim: int, width: int, switches: CafSwitches) -> None:
        super().__init__()
        self.audio = nn.Linear(audio_dim, width)
        self.visual = nn.Linear(visual_dim, width)
        stages = nn.ModuleList(CafLayer(width, switches) for _ in range(switches.num_layers))
        self.layers: Iterable[CafLayer] = stages  # type: ignore[assignment]
        norms = (nn.LayerNorm(width) if switches.layer_norm else nn.Identity() for _ in range(2 * switches.num_layers))
        self.norms = nn.ModuleList(norms)

    def forward(self, audio: Tensor, visual: Tensor, audio_mask: Tensor, video_mask: Tensor) -> CafOutput:
        *_, last = self._stages(audio, visual, audio_mask, video_mask)
        return last

    def attention_entropies(
        self, audio: Tensor, visual: Tensor, audio_mask: Tensor, video_mask: Tensor
    ) -> Iterator[float]:
        """How even each stage's map over the audio is."""
        fused = list(self._stages(audio, visual, audio_mask, video_mask))
        for t, stage in enumerate(self.layers):
            a, _, queries = stage.project_queries(fused[t].audio, fused[t].visual)
            yield attention_entropy(
                queries, a, video_mask, _sounding(audio_mask, video_mask) if t else audio_mask, scale=1.0
            )

    def _stages(self, audio: Tensor, visual: Tensor, heard: Tensor, seen: Tensor) -> Iterator[CafOutput]:
        """The inputs of each stage in turn, and the last one's output."""
        sounding = _sounding(heard, seen)
        a, v = self.audio(audio) * heard[..., None], self.visual(visual) * seen[..., None]
        yield CafOutput(a, v)
        sum_a, sum_v = a, v
        for t, stage in enumerate(self.layers):
            mixed_a, mixed_v = stage(a, v, sounding if t else heard, seen)
            a = torch.tanh(self.norms[2 * t](sum_a + mixed_a)) * sounding[..., None]
            v = torch.tanh(self.norms[2 * t + 1](sum_v + mixed_v)) * seen[..., None]
            sum_a, sum_v = sum_a + a, sum_v + v
            yield CafOutput(a, v)


def _sounding(heard: Tensor, seen: Tensor) -> Tensor:
    """Where there is sound after the first stage, [B, T]: it fills gaps wherever there is a picture.

    A video is silent where it has no sound at all.
    """
    return heard.any(dim=1, keepdim=True) & seen
