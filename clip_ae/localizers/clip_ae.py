"""CLIP-AE (Xia et al., 2025): UGCT after CAF and CCP, with L_self (eq. 9) on the outputs of these modules.

    L = L_UGCT + lambda (L_de-cor + L_ins-dis)
L_de-cor belongs to CAF: it is computed on the last layer's features of both modalities. L_ins-dis belongs to CCP: it is
computed on the pooled features of both views. Both are sums over the cbp streams, which have their own modules. A
module that is off has no loss; without both modules the method is UGCT.
"""

from collections.abc import Iterator, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clip_ae.core.config.methods import LocalizerConfig
from clip_ae.localizers.batch import Batch, StreamTensors, Targets
from clip_ae.localizers.learner import Learner
from clip_ae.localizers.localizer import Localizer, LocalizerOutput
from clip_ae.localizers.memory_bank import MemoryBank
from clip_ae.localizers.ugct import Ugct
from clip_ae.losses.decor import decorrelation_loss
from clip_ae.losses.ins_dis import instance_discrimination_loss

VIEWS = ("cbp", "vlp")
# For each value of `pairing`, the view whose memory bank a view is compared with.
BANK_PAIRINGS = {"within": {"cbp": "cbp", "vlp": "vlp"}, "cross": {"cbp": "vlp", "vlp": "cbp"}}


class ClipAe(Ugct):
    """UGCT with the losses of CAF and CCP."""

    def __init__(self, localizer: Localizer, config: LocalizerConfig, steps: int) -> None:
        super().__init__(localizer, config, steps)
        if config.self_supervision is None:
            raise ValueError("localizer config: self_supervision is missing; the method clip_ae needs it")
        self.self_supervision = config.self_supervision
        self.audio_stream = config.roles.audio if config.caf else None
        bank_args = config.num_videos, config.width, self.self_supervision.momentum
        names = [f"{stream}_{view}" for stream in config.roles.cbp for view in VIEWS] if config.ccp else []
        banks = nn.ModuleDict({name: MemoryBank(*bank_args) for name in names})
        self.memory_banks: Mapping[str, MemoryBank] = banks  # type: ignore[assignment]

    @property
    def loss_weights(self) -> Mapping[str, float]:
        module_weights = {
            **({"decor": 1.0} if self.audio_stream else {}),
            **({"ins_dis": 1.0} if self.memory_banks else {}),
        }
        return {**super().loss_weights, **module_weights}

    def losses(self, output: LocalizerOutput, batch: Batch, targets: Targets, step: int) -> dict[str, Tensor]:
        losses = super().losses(output, batch, targets, step)
        if self.audio_stream:
            form, centred = self.self_supervision.decor, self.self_supervision.centred
            losses["decor"] = _decor_loss(output, batch.masks, self.audio_stream, form, centred)
        if self.memory_banks:
            losses["ins_dis"] = torch.stack(list(self._ins_dis_losses(output, targets))).sum()
        return losses

    def after_step(self, output: LocalizerOutput, targets: Targets, step: int) -> None:
        super().after_step(output, targets, step)
        for name, z in _pool_views(output).items():
            self.memory_banks[name].update(targets.video_indices, z.detach())

    @torch.no_grad()
    def diagnostics(self, output: LocalizerOutput, batch: Batch) -> dict[str, float]:
        """Adds the entropy of the modules' attention maps, and eq. 7 with and without each dimension's mean.

        With the mean, eq. 7 mostly measures the mean.
        """
        values = {**super().diagnostics(output, batch), **self.localizer.diagnostics(batch)}
        if self.audio_stream:
            for name, centred in (("decor raw", False), ("decor centred", True)):
                values[name] = float(_decor_loss(output, batch.masks, self.audio_stream, "mean", centred))
        return values

    def _ins_dis_losses(self, output: LocalizerOutput, targets: Targets) -> Iterator[Tensor]:
        """L_ins-dis of each stream and view."""
        pairing, temperature = BANK_PAIRINGS[self.self_supervision.pairing], self.self_supervision.temperature
        for name, z in _pool_views(output).items():
            stream, _, view = name.rpartition("_")
            memory_bank = self.memory_banks[f"{stream}_{pairing[view]}"]
            yield instance_discrimination_loss(z, memory_bank.bank, targets.video_indices, temperature)


def _decor_loss(output: LocalizerOutput, masks: StreamTensors, audio_stream: str, form: str, centred: bool) -> Tensor:
    """L_de-cor, summed over the streams and both modalities."""
    losses = []
    for name, fused in output.fused.items():
        if fused.caf is not None:
            video_mask = masks[name]
            audio_mask = video_mask & masks[audio_stream].any(dim=1, keepdim=True)
            losses.append(decorrelation_loss(fused.caf.visual, video_mask, form, centred=centred))
            losses.append(decorrelation_loss(fused.caf.audio, audio_mask, form, centred=centred))
    return torch.stack(losses).sum()


def _pool_views(output: LocalizerOutput) -> dict[str, Tensor]:
    """z [B, d] by stream and view: the mean over the real snippets, normalised to unit length."""
    return {
        # A sum is enough: snippets without coverage are 0, and the length is normalised.
        f"{stream}_{view}": F.normalize(features.sum(dim=1), dim=-1)
        for stream, fused in output.fused.items()
        if fused.ccp is not None
        for view, features in fused.ccp.by_view.items()
    }


def build(localizer: Localizer, config: LocalizerConfig, steps: int) -> Learner:
    """The learner of CLIP-AE; that of UGCT if both modules are off."""
    modules = config.caf or config.ccp
    return ClipAe(localizer, config, steps) if modules else Ugct(localizer, config, steps)
