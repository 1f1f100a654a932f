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
    def __init__(self, localizer: Localizer, config: LocalizerConfig, steps: int) -> None:
        super().__init__(localizer, config, steps)
        assert config.self_supervision is not None
        self.self_supervision = config.self_supervision
        self.has_caf = config.caf is not None
        size = config.num_videos, config.width, self.self_supervision.momentum
        names = [f"{stream}_{view}" for stream in I3D_STREAMS for view in ("cbp", "vlp")] if config.ccp else []
        memories = nn.ModuleDict({name: MemoryBank(*size) for name in names})
        self.memory_banks: Mapping[str, MemoryBank] = memories  # type: ignore[assignment]

    @property
    def loss_weights(self) -> Mapping[str, float]:
        own = {**({"decor": 1.0} if self.has_caf else {}), **({"ins_dis": 1.0} if self.memory_banks else {})}
        return {**super().loss_weights, **own}

    def losses(self, output: LocalizerOutput, batch: Batch, targets: Targets, step: int) -> dict[str, Tensor]:
        found = super().losses(output, batch, targets, step)
        if self.has_caf:
            form, centred = self.self_supervision.decor, self.self_supervision.centred
            found["decor"] = torch.stack(list(self._decor(output, batch, form, centred))).sum()
        if self.memory_banks:
            found["ins_dis"] = torch.stack(list(self._ins_dis(output, batch, targets))).sum()
        return found

    def after_step(self, output: LocalizerOutput, targets: Targets, step: int) -> None:
        super().after_step(output, targets, step)
        for name, z in self._pooled(output).items():
            self.memory_banks[name].update(targets.video_indices, z.detach())

    @torch.no_grad()
    def diagnostics(self, output: LocalizerOutput, batch: Batch) -> dict[str, float]:
        """How even the modules' maps are too, and eq. 7 with the mean, which it then mostly measures, and without."""
        found = {**super().diagnostics(output, batch), **self.localizer.diagnostics(batch)}
        for way, centred in (("raw", False), ("centred", True)) if self.has_caf else ():
            found[f"decor {way}"] = float(torch.stack(list(self._decor(output, batch, "mean", centred))).sum())
        return found

    def _decor(self, output: LocalizerOutput, batch: Batch, form: str, centred: bool) -> Iterator[Tensor]:
        for name, made in output.fused.items():
            assert made.caf is not None
            real = batch.masks[name]
            heard = real & batch.masks["audio"].any(dim=1, keepdim=True)
            yield decorrelation_loss(made.caf.visual, real, form, centred=centred)
            yield decorrelation_loss(made.caf.audio, heard, form, centred=centred)

    def _ins_dis(self, output: LocalizerOutput, batch: Batch, truth: Targets) -> Iterator[Tensor]:
        pooled, pairs = self._pooled(output), BANK_PAIRINGS[self.self_supervision.pairing]
        for name, z in pooled.items():
            stream, view = name.split("_")
            memory = self.memory_banks[f"{stream}_{pairs[view]}"]
            yield instance_discrimination_loss(z, memory.bank, truth.video_indices, self.self_supervision.temperature)

    def _pooled(self, output: LocalizerOutput) -> dict[str, Tensor]:
        """z of every stream and view: the mean over its real snippets, on the unit sphere, [B, d]."""
        return {
            # The direction of the mean over time: snippets without material are 0, and length is taken away anyhow.
            f"{stream}_{view}": F.normalize(getattr(made.ccp, view).sum(dim=1), dim=-1)
            for stream, made in output.fused.items()
            if made.ccp is not None
            for view in ("cbp", "vlp")
        }


def build(localizer: Localizer, config: LocalizerConfig, steps: int) -> Learner:
    modules = config.caf or config.ccp
    return ClipAe(localizer, config, steps) if modules else Ugct(localizer, config, steps)
