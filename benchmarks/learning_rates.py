"""The learning rate of each method on the simulated world: cross-entropy of held-out videos' clusters.

python -m benchmarks.learning_rates                 all methods, worlds 0 and 1: 40 minutes on one core
python -m benchmarks.learning_rates stpn ugct       some methods

The rule, for every method alike: of the learning rates below, with the steps of the config, the one with the smallest
criterion of held_out.py. No annotation and no test video is read. Each line: a method, then the criterion by rate.
"""

import argparse
import statistics
from collections.abc import Mapping
from typing import Any

from benchmarks.held_out import build_world, measure, read_training
from clip_ae.encoders.devices import configure_torch

LEARNING_RATES = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
METHODS: Mapping[str, dict[str, Any]] = {
    "stpn": {"method": "stpn"},
    "wsal_bm": {"method": "wsal_bm"},
    "tscn": {"method": "tscn"},
    "tcam": {"method": "tcam"},
    "apsl_reconstructed": {"method": "apsl_reconstructed"},
    "ugct": {"method": "ugct"},
    "caf": {"method": "clip_ae", "caf": {}},
    "ccp": {"method": "clip_ae", "ccp": {}},
    "clip_ae": {"method": "clip_ae", "caf": {}, "ccp": {}},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="METHOD")
    parser.add_argument("--worlds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--rates", nargs="+", type=float, default=list(LEARNING_RATES))
    arguments = parser.parse_args()
    configure_torch(1)
    print(f"{'':20}", *(f"{rate:8g}" for rate in arguments.rates))
    for name in arguments.names or METHODS:
        print(f"{name:20}", end="", flush=True)
        for rate in arguments.rates:
            settings = read_training(learning_rate=rate)
            losses = [measure(build_world(seed), METHODS[name], settings, seed) for seed in arguments.worlds]
            print(f" {statistics.fmean(losses):8.3f}", end="", flush=True)
        print()


if __name__ == "__main__":
    main()
