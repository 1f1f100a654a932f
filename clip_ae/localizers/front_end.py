"""What the head sees in place of an I3D stream X: the paper does not say how CAF's and CCP's features get there.

    M = [chi_v; chi_a; Z_CBP; Z_VLP]      of the modules that are on
    F = X + P(D(M - mean_t M))            P starts at 0; D drops dimensions of M, each in the whole video

So training starts from the baseline, and with both modules off there is no front end at all. The mean over a video's
snippets is left out as it says nothing of where, but names the video: through it a head would learn its labels by heart
(`fusion_input: residual` leaves it in). `fusion_input: layer_norm` is F = LN(P([X; D(M)])). Each stream has its own
modules.
"""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from clip_ae.core.config.methods import I3D_STREAMS, LocalizerConfig
from clip_ae.localizers.batch import Batch
from clip_ae.localizers.caf import Caf
from clip_ae.localizers.ccp import Ccp
from clip_ae.localizers.fusion_outputs import FusedFeatures


class StreamFrontEnd(nn.Module):
    def __init__(self, name: str, config: LocalizerConfig) -> None:
        super().__init__()
        dims, width, caf, ccp = config.dims, config.width, config.caf, config.ccp
        self.caf = Caf(dims["audio"], dims[name], width, caf) if caf else None
        self.ccp = Ccp(dims[name], dims["clip"], width, ccp) if ccp else None
        self.name = name
        self.uses_audio = caf is not None and (caf.audio_to == "both" or name == "rgb")
        parts = (1 + self.uses_audio if caf else 0) + (2 if ccp else 0)
        self.centred = config.fusion_input == "centred"
        self.norm = nn.LayerNorm(dims[name]) if config.fusion_input == "layer_norm" else None
        self.projection = nn.Linear(parts * width + (dims[name] if self.norm else 0), dims[name])
        # By snippet it would make snippets differ by chance, and attention take them for different.
        self.dropout = nn.Dropout1d(config.dropout)
        if not self.norm:
            nn.init.zeros_(self.projection.weight)
            nn.init.zeros_(self.projection.bias)

    def forward(self, x: Tensor, batch: Batch, video_mask: Tensor) -> FusedFeatures:
        fused = self.caf(batch.features["audio"], x, batch.masks["audio"], video_mask) if self.caf else None
        views = self.ccp(x, batch.features["clip"], video_mask, batch.masks["clip"]) if self.ccp else None
        parts = [fused.visual] if fused else []
        parts += [fused.audio] if fused and self.uses_audio else []
        parts += [views.cbp, views.vlp] if views else []
        features = self._fed(x, torch.cat(parts, dim=-1), video_mask)
        return FusedFeatures(features * video_mask[..., None], fused, views)

    def _fed(self, x: Tensor, made: Tensor, seen: Tensor) -> Tensor:
        if self.norm:
            normed: Tensor = self.norm(self.projection(torch.cat([x, self._dropped(made)], dim=-1)))
            return normed
        fed: Tensor = self.projection(self._dropped(made - _mean(made, seen) if self.centred else made))
        return x + fed

    def _dropped(self, made: Tensor) -> Tensor:
        dropped: Tensor = self.dropout(made.transpose(1, 2))
        return dropped.transpose(1, 2)

    def diagnostics(self, x: Tensor, batch: Batch, video_mask: Tensor) -> Iterator[tuple[str, float]]:
        """How even each attention map is, and CAF's scales."""
        if self.caf:
            values = self.caf.attention_entropies(batch.features["audio"], x, batch.masks["audio"], video_mask)
            for number, (stage, value) in enumerate(zip(self.caf.layers, values, strict=True), start=1):
                yield f"entropy {self.name} caf {number}", value
                yield f"scale {self.name} caf {number}", float(stage.scale)
        if self.ccp:
            yield f"entropy {self.name} ccp", self.ccp.attention_entropy(x, batch.features["clip"], video_mask)


def _mean(made: Tensor, seen: Tensor) -> Tensor:
    """[B, 1, D] over real snippets; the others are 0."""
    return made.sum(dim=1, keepdim=True) / seen.sum(dim=1)[:, None, None].clamp(min=1)


class FusionFrontEnd(nn.Module):
    def __init__(self, config: LocalizerConfig) -> None:
        super().__init__()
        streams = nn.ModuleDict({name: StreamFrontEnd(name, config) for name in I3D_STREAMS})
        self.streams: Mapping[str, StreamFrontEnd] = streams  # type: ignore[assignment]

    def forward(self, batch: Batch) -> Mapping[str, FusedFeatures]:
        return {name: stream(batch.features[name], batch, batch.masks[name]) for name, stream in self.streams.items()}

    def diagnostics(self, batch: Batch) -> dict[str, float]:
        streams = self.streams.items()
        return dict(
            pair for n, stream in streams for pair in stream.diagnostics(batch.features[n], batch, batch.masks[n])
        )


def build(config: LocalizerConfig) -> FusionFrontEnd:
    return FusionFrontEnd(config)
