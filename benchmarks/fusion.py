"""How CAF and CCP should enter the head: cross-entropy of held-out videos' clusters. No annotation and no test video.

python -m benchmarks.fusion                     every variant on the simulated worlds 0 and 1: an hour on one core
python -m benchmarks.fusion --worlds 2 3 4      other worlds, to confirm a choice
python -m benchmarks.fusion NAME ...            some variants

Each line: the criterion of held_out.py, its mean over the worlds, then each world.
"""

import argparse
import statistics
from collections.abc import Mapping
from typing import Any

from benchmarks.held_out import build_world, measure, read_training
from clip_ae.encoders.devices import configure_torch

UNSCALED = {"scaled_to_ccp": False}
VARIANTS: Mapping[str, dict[str, Any]] = {
    "ugct": {"method": "ugct"},
    "caf": {"method": "clip_ae", "caf": {}},
    "ccp": {"method": "clip_ae", "ccp": {}},
    "both, as they are": {"method": "clip_ae", "caf": UNSCALED, "ccp": {}},
    "both, gated": {"method": "clip_ae", "caf": {**UNSCALED, "gate": "correspondence"}, "ccp": {}},
    "both, scaled": {"method": "clip_ae", "caf": {}, "ccp": {}},
    "both, scaled and gated": {"method": "clip_ae", "caf": {"gate": "correspondence"}, "ccp": {}},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--worlds", nargs="+", type=int, default=[0, 1])
    arguments = parser.parse_args()
    configure_torch(1)
    for name in arguments.names or VARIANTS:
        losses = [measure(build_world(seed), VARIANTS[name], read_training(), seed) for seed in arguments.worlds]
        print(f"{name:24} {statistics.fmean(losses):6.3f}   ", *(f"{loss:6.3f}" for loss in losses), flush=True)


if __name__ == "__main__":
    main()
