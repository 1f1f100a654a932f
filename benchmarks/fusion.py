"""How CAF and CCP should enter the head: cross-entropy of held-out videos' clusters. No annotation and no test video.

python -m benchmarks.fusion                     every variant on the simulated worlds 0 and 1: an hour on one core
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
SLOW_RATE = 0.1


@dataclass(frozen=True)
class Variant:
    """A run, and what is changed in its trainer."""

    run: Mapping[str, Any]
    adjust: Adjustment | None = None


def list_front_ends(trainer: Trainer) -> list[StreamFrontEnd]:
    """The students' front ends, without the teachers'."""
    return [m for m in trainer.learner.localizer.modules() if isinstance(m, StreamFrontEnd)]


def slow_projection(trainer: Trainer) -> None:
    """Train the projection P with a tenth of the learning rate."""
    slow = [p for front_end in list_front_ends(trainer) for p in front_end.projection.parameters()]
    slow_ids, group = set(map(id, slow)), trainer.optimizer.param_groups[0]
    group["params"] = [p for p in group["params"] if id(p) not in slow_ids]
    trainer.optimizer.add_param_group({**group, "params": slow, "lr": SLOW_RATE * group["lr"]})


def drop_modules(trainer: Trainer) -> None:
    """In training, a third of the videos reads CAF's parts alone, a third CCP's alone."""
    for front_end in list_front_ends(trainer):
        front_end.projection.register_forward_pre_hook(_drop_parts)


def _drop_parts(projection: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    (parts,) = inputs
    caf, ccp = parts.chunk(2, dim=-1)  # two parts each: both have the same width
    choice = torch.randint(3, (len(parts), 1, 1))
    return (torch.cat([caf * (choice != 0), ccp * (choice != 1)], dim=-1),)


BOTH: Mapping[str, Any] = {"method": "clip_ae", "caf": {}, "ccp": {}}
AS_THEY_ARE: Mapping[str, Any] = {**BOTH, "caf": UNSCALED}
VARIANTS: Mapping[str, Variant] = {
    "ugct": Variant({"method": "ugct"}),
    "caf": Variant({"method": "clip_ae", "caf": {}}),
    "ccp": Variant({"method": "clip_ae", "ccp": {}}),
    "both, as they are": Variant(AS_THEY_ARE),
    "both, gated": Variant({**BOTH, "caf": {**UNSCALED, "gate": "correspondence"}}),
    "both, scaled": Variant(BOTH),
    "both, scaled and gated": Variant({**BOTH, "caf": {"gate": "correspondence"}}),
    "both, P at a tenth of the rate": Variant(AS_THEY_ARE, slow_projection),
    "both, scaled, P at a tenth": Variant(BOTH, slow_projection),
    "ccp, P at a tenth of the rate": Variant({"method": "clip_ae", "ccp": {}}, slow_projection),
    "caf, P at a tenth of the rate": Variant({"method": "clip_ae", "caf": {}}, slow_projection),
    "both, modality dropout": Variant(AS_THEY_ARE, drop_modules),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--worlds", nargs="+", type=int, default=[0, 1])
    arguments = parser.parse_args()
    configure_torch(1)
    settings = read_training()
    for name in arguments.names or VARIANTS:
        variant = VARIANTS[name]
        losses = [measure(build_world(seed), variant.run, settings, seed, variant.adjust) for seed in arguments.worlds]
        print(f"{name:32} {statistics.fmean(losses):6.3f}   ", *(f"{loss:6.3f}" for loss in losses), flush=True)


if __name__ == "__main__":
    main()
