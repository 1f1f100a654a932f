"""What the head sees in place of an I3D stream X: the paper does not say how CAF's and CCP's features get there.

    F = X + P([chi_v; chi_a; Z_CBP; Z_VLP])      of the modules that are on; P starts at 0

So training starts from the baseline, and with both modules off there is no front end at all. `feed: layer_norm` is the
other reading, F = LN(P([X; ...])). Each stream has its own modules.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from clip_ae.core.methods import MAIN_STREAMS, Blueprint
from clip_ae.localizers.batch import Batch
from clip_ae.localizers.caf import Caf
from clip_ae.localizers.ccp import Ccp
from clip_ae.localizers.seen import Seen


class StreamFrontEnd(nn.Module):
    def __init__(self, name: str, blueprint: Blueprint) -> None:
        super().__init__()
        dims, width, caf, ccp = blueprint.dims, blueprint.width, blueprint.caf, blueprint.ccp
        self.caf = Caf(dims["audio"], dims[name], width, caf) if caf else None
        self.ccp = Ccp(dims[name], dims["clip"], width, ccp) if ccp else None
        self.fed_audio = caf is not None and (caf.audio_to == "both" or name == "rgb")
        parts = (1 + self.fed_audio if caf else 0) + (2 if ccp else 0)
        self.norm = nn.LayerNorm(dims[name]) if blueprint.feed == "layer_norm" else None
        self.projection = nn.Linear(parts * width + (dims[name] if self.norm else 0), dims[name])
        if not self.norm:
            nn.init.zeros_(self.projection.weight)
            nn.init.zeros_(self.projection.bias)

    def forward(self, x: Tensor, batch: Batch, seen: Tensor) -> Seen:
        fused = self.caf(batch.features["audio"], x, batch.mask["audio"], seen) if self.caf else None
        views = self.ccp(x, batch.features["clip"], seen, batch.mask["clip"]) if self.ccp else None
        parts = [fused.visual] if fused else []
        parts += [fused.audio] if fused and self.fed_audio else []
        parts += [views.cbp, views.vlp] if views else []
        if self.norm:
            features = self.norm(self.projection(torch.cat([x, *parts], dim=-1)))
        else:
            features = x + self.projection(torch.cat(parts, dim=-1))
        return Seen(features * seen[..., None], fused, views)

    def entropies(self, x: Tensor, batch: Batch, seen: Tensor) -> dict[str, float]:
        """How even each attention map is; 1 points nowhere."""
        found = {}
        if self.caf:
            values = self.caf.entropies(batch.features["audio"], x, batch.mask["audio"], seen)
            found = {f"caf {stage}": value for stage, value in enumerate(values, start=1)}
        if self.ccp:
            found["ccp"] = self.ccp.entropy(x, batch.features["clip"], seen)
        return found


class FrontEnd(nn.Module):
    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        streams = nn.ModuleDict({name: StreamFrontEnd(name, blueprint) for name in MAIN_STREAMS})
        self.streams: Mapping[str, StreamFrontEnd] = streams  # type: ignore[assignment]

    def forward(self, batch: Batch) -> Mapping[str, Seen]:
        return {name: stream(batch.features[name], batch, batch.mask[name]) for name, stream in self.streams.items()}

    def entropies(self, batch: Batch) -> dict[str, float]:
        return {
            f"entropy {name} {part}": value
            for name, stream in self.streams.items()
            for part, value in stream.entropies(batch.features[name], batch, batch.mask[name]).items()
        }


def build(blueprint: Blueprint) -> FrontEnd:
    return FrontEnd(blueprint)
