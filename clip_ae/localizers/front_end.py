"""The front end: the head's input in place of a cbp stream X, computed with CAF and CCP.

The paper does not say how the outputs of CAF and CCP enter the head. Here:
    M = [g s chi_v; g s chi_a; Z_CBP; Z_VLP]    of the modules that are on, each part less its mean over time
    F = X + P(D(M))                             P is initialised to 0; D drops dimensions of M in the whole video
    s = max(rms Z_CBP, rms Z_VLP) / rms chi     in each video; 1 without CCP
On the simulated world chi is 4 to 26 times as large as Z. Adam's steps in P do not depend on the size of a gradient, so
the head would learn from chi alone without s (`caf.scaled_to_ccp: false`). g is 1, or with `caf.gate: correspondence` 0
in videos whose sound does not follow the picture.

So training starts from the baseline, and without both modules there is no front end. The mean over the snippets of a
video is subtracted because it contains nothing about time but identifies the video: with it, a head would memorise the
labels (`fusion_input: residual` keeps it). `fusion_input: layer_norm` is F = LN(P([X; D(M)])), with the means. Each
stream has its own modules.
"""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from clip_ae.core.config.methods import LocalizerConfig
from clip_ae.localizers.batch import Batch, common_mask
from clip_ae.localizers.caf import Caf
from clip_ae.localizers.ccp import Ccp
from clip_ae.localizers.correspondence import audio_gate
from clip_ae.localizers.fusion_outputs import FusedFeatures
from clip_ae.localizers.stream_modules import modules_by_stream

# Added to mean squares: small beside those of any feature.
MIN_SQUARE = 1e-8


class StreamFrontEnd(nn.Module):
    """CAF, CCP and the projection P of one cbp stream."""

    def __init__(self, name: str, config: LocalizerConfig) -> None:
        super().__init__()
        dims, width, caf, ccp, roles = config.dims, config.width, config.caf, config.ccp, config.roles
        # Empty names are never used: without CAF and CCP there is nothing to read.
        self.name, self.audio, self.vlp = name, roles.audio or "", roles.vlp or ""
        self.caf = Caf(dims[self.audio], dims[name], width, caf) if caf else None
        self.ccp = Ccp(dims[name], dims[self.vlp], width, ccp) if ccp else None
        self.uses_audio = caf is not None and (caf.audio_to == "all" or name == roles.cbp[0])
        num_parts = (1 + self.uses_audio if caf else 0) + (2 if ccp else 0)
        self.centred = config.fusion_input == "centred"
        self.scaled = caf is not None and caf.scaled_to_ccp
        self.norm = nn.LayerNorm(dims[name]) if config.fusion_input == "layer_norm" else None
        self.projection = nn.Linear(num_parts * width + (dims[name] if self.norm else 0), dims[name])
        # Drop whole channels, not single snippets: per-snippet dropout creates random differences between snippets,
        # which attention would fit.
        self.dropout = nn.Dropout1d(config.dropout)
        if not self.norm:
            nn.init.zeros_(self.projection.weight)
            nn.init.zeros_(self.projection.bias)

    def forward(self, x: Tensor, batch: Batch, video_mask: Tensor, gate: Tensor | None = None) -> FusedFeatures:
        caf = self.caf(batch.features[self.audio], x, batch.masks[self.audio], video_mask) if self.caf else None
        ccp = self.ccp(x, batch.features[self.vlp], video_mask, batch.masks[self.vlp]) if self.ccp else None
        caf_parts = [caf.visual] if caf else []
        caf_parts += [caf.audio] if caf and self.uses_audio else []
        ccp_parts = [ccp.cbp, ccp.vlp] if ccp else []
        module_features = torch.cat(self._prepare_parts(caf_parts, ccp_parts, video_mask, gate), dim=-1)
        return FusedFeatures(self._fuse(x, module_features) * video_mask[..., None], caf, ccp)

    def _prepare_parts(
        self, caf_parts: Sequence[Tensor], ccp_parts: Sequence[Tensor], video_mask: Tensor, gate: Tensor | None
    ) -> list[Tensor]:
        """The parts of M: centred, and those of CAF scaled and gated."""
        if self.centred:
            caf_parts = [part - _mean_over_time(part, video_mask) for part in caf_parts]
            ccp_parts = [part - _mean_over_time(part, video_mask) for part in ccp_parts]
        if self.scaled and ccp_parts:
            size = torch.stack([_root_mean_square(part, video_mask) for part in ccp_parts]).amax(dim=0).detach()
            caf_parts = [part * (size / _root_mean_square(part, video_mask)) for part in caf_parts]
        if gate is not None:
            caf_parts = [part * gate[:, None, None] for part in caf_parts]
        return [*caf_parts, *ccp_parts]

    def _fuse(self, x: Tensor, module_features: Tensor) -> Tensor:
        """F of X and M, before masking."""
        if self.norm:
            fused: Tensor = self.norm(self.projection(torch.cat([x, self._drop_channels(module_features)], dim=-1)))
            return fused
        residual: Tensor = self.projection(self._drop_channels(module_features))
        return x + residual

    def _drop_channels(self, module_features: Tensor) -> Tensor:
        dropped: Tensor = self.dropout(module_features.transpose(1, 2))
        return dropped.transpose(1, 2)

    def diagnostics(self, x: Tensor, batch: Batch, video_mask: Tensor) -> Iterator[tuple[str, float]]:
        """The entropy of each attention map (1 is uniform), and the scales of CAF."""
        if self.caf:
            entropies = self.caf.attention_entropies(batch.features[self.audio], x, batch.masks[self.audio], video_mask)
            for number, (layer, entropy) in enumerate(zip(self.caf.layers, entropies, strict=True), start=1):
                yield f"entropy {self.name} caf {number}", entropy
                yield f"scale {self.name} caf {number}", float(layer.scale)
        if self.ccp:
            yield f"entropy {self.name} ccp", self.ccp.attention_entropy(x, batch.features[self.vlp], video_mask)


def _mean_over_time(features: Tensor, mask: Tensor) -> Tensor:
    """[B, 1, D]: mean over the real snippets; the other snippets must be 0."""
    return features.sum(dim=1, keepdim=True) / mask.sum(dim=1)[:, None, None].clamp(min=1)


def _root_mean_square(features: Tensor, mask: Tensor) -> Tensor:
    """[B, 1, 1]: over the real snippets and dimensions of features [B, T, D]; a little more than 0 for zeros.

    The real snippets are those of the mask. In uncovered ones, features that were centred are not 0.
    """
    squares = (features * mask[..., None]).square().sum(dim=(1, 2))
    count = features.shape[-1] * mask.sum(dim=1).clamp(min=1)
    # Without the constant, the gradient of zeros (a silent video) would be nan.
    return (squares / count + MIN_SQUARE).sqrt()[:, None, None]


class FusionFrontEnd(nn.Module):
    """The front ends of all cbp streams."""

    def __init__(self, config: LocalizerConfig) -> None:
        super().__init__()
        self.roles = config.roles
        self.is_gated = config.caf is not None and config.caf.gate == "correspondence"
        streams = modules_by_stream({name: StreamFrontEnd(name, config) for name in config.roles.cbp})
        self.streams: Mapping[str, StreamFrontEnd] = streams  # type: ignore[assignment]

    def forward(self, batch: Batch) -> Mapping[str, FusedFeatures]:
        gate = self._gate(batch) if self.is_gated else None
        return {
            name: stream(batch.features[name], batch, batch.masks[name], gate) for name, stream in self.streams.items()
        }

    def _gate(self, batch: Batch) -> Tensor:
        """[B]: 1 for videos whose sound follows the picture, in the snippets that all cbp streams cover."""
        audio = self.roles.audio or ""
        # Each stream once, also if one stream is both views.
        views = [batch.features[name] for name in dict.fromkeys((*self.roles.cbp, self.roles.vlp)) if name]
        return audio_gate(batch.features[audio], batch.masks[audio], views, common_mask(batch.masks, self.roles.cbp))

    def diagnostics(self, batch: Batch) -> dict[str, float]:
        values: dict[str, float] = {}
        for name, stream in self.streams.items():
            values.update(stream.diagnostics(batch.features[name], batch, batch.masks[name]))
        return values


def build(config: LocalizerConfig) -> FusionFrontEnd:
    return FusionFrontEnd(config)
