"""How CAF and CCP should enter the head: cross-entropy of held-out videos' clusters. No annotation and no test video.

python -m benchmarks.fusion                     every variant on the simulated worlds 0 and 1
python -m benchmarks.fusion --worlds 2 3 4      other worlds, to confirm a choice
python -m benchmarks.fusion NAME ...            some variants

Each line: the criterion of held_out.py, its mean over the worlds, then each world. A projection for each module, their
outputs added, is no variant: that is one projection of both, and Adam moves every weight on its own.
"""

import argparse
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.held_out import Adjustment, build_world, measure, read_training
from clip_ae.encoders.devices import configure_torch
from clip_ae.localizers.front_end import StreamFrontEnd
from clip_ae.localizers.trainer import Trainer

UNSCALED = {"scaled_to_ccp": False}


@dataclass(frozen=True)
class Variant:
    """A run, the factor on the learning rate of the projection P, and what else is changed in its trainer."""

    run: Mapping[str, Any]
    fusion_rate: float = 1.0
    adjust: Adjustment | None = None


def drop_modules(trainer: Trainer) -> None:
    """In training, a third of the videos reads CAF's parts alone, a third CCP's alone. Teachers read both."""
    for module in trainer.learner.localizer.modules():
        if isinstance(module, StreamFrontEnd):
            module.projection.register_forward_pre_hook(_drop_parts)


def _drop_parts(projection: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    (parts,) = inputs
    caf, ccp = parts.chunk(2, dim=-1)  # two parts each: both have the same width
    choice = torch.randint(3, (len(parts), 1, 1))
    return (torch.cat([caf * (choice != 0), ccp * (choice != 1)], dim=-1),)


BOTH: Mapping[str, Any] = {"method": "clip_ae", "caf": {}, "ccp": {}}
AS_THEY_ARE: Mapping[str, Any] = {**BOTH, "caf": UNSCALED}
CAF: Mapping[str, Any] = {"method": "clip_ae", "caf": {}}
CCP: Mapping[str, Any] = {"method": "clip_ae", "ccp": {}}
GATED = {"gate": "correspondence"}
VARIANTS: Mapping[str, Variant] = {
    "ugct": Variant({"method": "ugct"}),
    "caf": Variant(CAF),
    "ccp": Variant(CCP),
    "both, as they are": Variant(AS_THEY_ARE),
    "both, gated": Variant({**BOTH, "caf": {**UNSCALED, **GATED}}),
    "both, modality dropout": Variant(AS_THEY_ARE, adjust=drop_modules),
    "both, scaled": Variant(BOTH),
    "both, scaled and gated": Variant({**BOTH, "caf": GATED}),
    "caf, P at a tenth of the rate": Variant(CAF, 0.1),
    "ccp, P at a tenth of the rate": Variant(CCP, 0.1),
    "both, P at a tenth of the rate": Variant(AS_THEY_ARE, 0.1),
    "both, scaled, P at a tenth": Variant(BOTH, 0.1),
    "both, scaled, P at a tenth, gated": Variant({**BOTH, "caf": GATED}, 0.1),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--worlds", nargs="+", type=int, default=[0, 1])
    arguments = parser.parse_args()
    configure_torch(1)
    for name in arguments.names or VARIANTS:
        variant = VARIANTS[name]
        settings = read_training(fusion_rate=variant.fusion_rate)
        losses = [measure(build_world(seed), variant.run, settings, seed, variant.adjust) for seed in arguments.worlds]
        print(f"{name:44} {statistics.fmean(losses):6.3f}   ", *(f"{loss:6.3f}" for loss in losses), flush=True)


if __name__ == "__main__":
    main()
