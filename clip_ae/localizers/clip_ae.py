"""CLIP-AE (Xia et al., 2025): UGCT behind CAF and CCP, with L_self (eq. 9) for what they make.

    L = L_UGCT + lambda (L_de-cor + L_ins-dis)
L_de-cor is CAF's, of the last stage's features of both modalities; L_ins-dis is CCP's, of both views' pooled features.
Both are sums over the I3D streams, which have their own modules. A module that is off takes its loss with it: with both
off this is UGCT itself.
"""

from collections.abc import Iterator, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clip_ae.core.config.methods import I3D_STREAMS, LocalizerConfig
from clip_ae.localizers.batch import Batch, Targets
from clip_ae.localizers.learner import Learner
from clip_ae.localizers.localizer import Localizer, LocalizerOutput
from clip_ae.localizers.memory_bank import MemoryBank
from clip_ae.localizers.ugct import Ugct
from clip_ae.losses.decor import decorrelation_loss
from clip_ae.losses.ins_dis import instance_discrimination_loss

BANK_PAIRINGS = {"within": {"cbp": "cbp", "vlp": "vlp"}, "cross": {"cbp": "vlp", "vlp": "cbp"}}


class ClipAe(Ugct):
    def __init__(self, localizer: Localizer, blueprint: LocalizerConfig, steps: int) -> None:
        super().__init__(localizer, blueprint, steps)
        assert blueprint.self_supervision is not None
        self.self_supervision = blueprint.self_supervision
        self.caf = blueprint.caf is not None
        size = blueprint.videos, blueprint.width, self.self_supervision.momentum
        names = [f"{stream}_{view}" for stream in I3D_STREAMS for view in ("cbp", "vlp")] if blueprint.ccp else []
        memories = nn.ModuleDict({name: MemoryBank(*size) for name in names})
        self.memories: Mapping[str, MemoryBank] = memories  # type: ignore[assignment]

    @property
    def loss_weights(self) -> Mapping[str, float]:
        own = {**({"decor": 1.0} if self.caf else {}), **({"ins_dis": 1.0} if self.memories else {})}
        return {**super().loss_weights, **own}

    def losses(self, output: LocalizerOutput, batch: Batch, truth: Targets, step: int) -> dict[str, Tensor]:
        found = super().losses(output, batch, truth, step)
        if self.caf:
            form, centred = self.self_supervision.decor, self.self_supervision.centred
            found["decor"] = torch.stack(list(self._decor(output, batch, form, centred))).sum()
        if self.memories:
            found["ins_dis"] = torch.stack(list(self._ins_dis(output, batch, truth))).sum()
        return found

    def after_step(self, output: LocalizerOutput, truth: Targets, step: int) -> None:
        super().after_step(output, truth, step)
        for name, z in self._pooled(output).items():
            self.memories[name].update(truth.videos, z.detach())

    @torch.no_grad()
    def watched(self, output: LocalizerOutput, batch: Batch) -> dict[str, float]:
        """How even the modules' maps are too, and eq. 7 with the mean, which it then mostly measures, and without."""
        found = {**super().watched(output, batch), **self.localizer.watched(batch)}
        for way, centred in (("raw", False), ("centred", True)) if self.caf else ():
            found[f"decor {way}"] = float(torch.stack(list(self._decor(output, batch, "mean", centred))).sum())
        return found

    def _decor(self, output: LocalizerOutput, batch: Batch, form: str, centred: bool) -> Iterator[Tensor]:
        for name, made in output.made.items():
            assert made.fused is not None
            real = batch.mask[name]
            heard = real & batch.mask["audio"].any(dim=1, keepdim=True)
            yield decorrelation_loss(made.fused.visual, real, form, centred=centred)
            yield decorrelation_loss(made.fused.audio, heard, form, centred=centred)

    def _ins_dis(self, output: LocalizerOutput, batch: Batch, truth: Targets) -> Iterator[Tensor]:
        pooled, pairs = self._pooled(output), BANK_PAIRINGS[self.self_supervision.pairing]
        for name, z in pooled.items():
            stream, view = name.split("_")
            memory = self.memories[f"{stream}_{pairs[view]}"]
            yield instance_discrimination_loss(z, memory.bank, truth.videos, self.self_supervision.temperature)

    def _pooled(self, output: LocalizerOutput) -> dict[str, Tensor]:
        """z of every stream and view: the mean over its real snippets, on the unit sphere, [B, d]."""
        return {
            # The direction of the mean over time: snippets without material are 0, and length is taken away anyhow.
            f"{stream}_{view}": F.normalize(getattr(made.views, view).sum(dim=1), dim=-1)
            for stream, made in output.made.items()
            if made.views is not None
            for view in ("cbp", "vlp")
        }


def build(localizer: Localizer, blueprint: LocalizerConfig, steps: int) -> Learner:
    modules = blueprint.caf or blueprint.ccp
    return ClipAe(localizer, blueprint, steps) if modules else Ugct(localizer, blueprint, steps)
