"""The learning rate of each method on the simulated world: cross-entropy of held-out videos' clusters.

python -m benchmarks.learning_rates                 all methods, worlds 0 and 1
python -m benchmarks.learning_rates stpn ugct       some methods
python -m benchmarks.learning_rates --dataset simulated_activitynet

The rule, for every method alike: of the learning rates below, with the steps of the config, the one with the smallest
criterion of held_out.py. No annotation and no test video is read. Each line: a method, then the criterion by rate.
CLIP-AE, with one module or both, has the learning rate of its baseline UGCT.
"""

import argparse
import statistics
from collections.abc import Mapping
from typing import Any

from benchmarks.held_out import build_world, measure, read_training
from benchmarks.methods import SIMULATED_DATASET
from clip_ae.encoders.devices import configure_torch

LEARNING_RATES = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
METHODS: Mapping[str, dict[str, Any]] = {
    "stpn": {"method": "stpn"},
    "wsal_bm": {"method": "wsal_bm"},
    "tscn": {"method": "tscn"},
    "tcam": {"method": "tcam"},
    "apsl_reconstructed": {"method": "apsl_reconstructed"},
    "topk_mil": {"method": "topk_mil"},
    "bas_net": {"method": "bas_net", "losses": {"sparsity": 0.336}},
    "cola": {"method": "cola"},
    "ugct": {"method": "ugct"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="METHOD")
    parser.add_argument("--worlds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--rates", nargs="+", type=float, default=list(LEARNING_RATES))
    parser.add_argument("--dataset", default=SIMULATED_DATASET)
    arguments = parser.parse_args()
    configure_torch(1)
    print(f"{'':20}", *(f"{rate:8g}" for rate in arguments.rates))
    for name in arguments.names or METHODS:
        print(f"{name:20}", end="", flush=True)
        for rate in arguments.rates:
            settings = read_training(arguments.dataset, learning_rate=rate)
            worlds = [build_world(seed, arguments.dataset) for seed in arguments.worlds]
            losses = [
                measure(world, METHODS[name], settings, seed)
                for world, seed in zip(worlds, arguments.worlds, strict=True)
            ]
            print(f" {statistics.fmean(losses):8.3f}", end="", flush=True)
        print()


if __name__ == "__main__":
    main()
