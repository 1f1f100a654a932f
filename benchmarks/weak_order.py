"""Whether a world has the published order of the weakly supervised methods.

python -m benchmarks.weak_order                    every setting of the world below, world 0
python -m benchmarks.weak_order --worlds 1 2       other worlds

The methods train with the true video labels. On THUMOS14 their published scores are 27.0 (STPN), 36.3 (WSAL-BM), 37.8
(TSCN) and 43.6 (UGCT), average over tIoU 0.1 to 0.7. Before a simulated world may rank methods against each other, it
should have this order. No unsupervised score and no score of CLIP-AE is read.
"""

import argparse
from collections.abc import Mapping
from typing import Any

from benchmarks.methods import build_dataset, read_average_map, run_workflow

RUNS = ("stpn_weak", "wsal_bm_weak", "tscn_weak", "ugct_weak")
SETTINGS: Mapping[str, dict[str, Any]] = {
    "as it is": {},
    "three looks a class": {"modes": 3},
    "two phases, the first shared": {"phases": 2, "shared_phases": 1},
    "two looks, two phases, the first shared": {"modes": 2, "phases": 2, "shared_phases": 1},
    "three phases, one shared": {"phases": 3, "shared_phases": 1},
    "three phases, two shared": {"phases": 3, "shared_phases": 2},
    "distractors like actions, twice as many": {"distractors": 6.0, "distractor_strength": 1.0},
    "scenes of the class": {"scene_class": 0.6},
    "i3d responds more to outer parts": {"i3d_outer": 0.6},
    "half of the nuisance": {"nuisance": 0.5},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", nargs="+", type=int, default=[0])
    worlds = parser.parse_args().worlds
    datasets = {
        _name(number, seed): build_dataset(
            simulate={**change, "seed": seed}, runs=list(RUNS), main_run=RUNS[0], seeds=[0]
        )
        for number, change in enumerate(SETTINGS.values())
        for seed in worlds
    }
    run_workflow({"datasets": datasets}, *(_map_path(name, run) for name in datasets for run in RUNS))
    print(f"{'':42} {'world':>5}", *(f"{run:>12}" for run in RUNS), "  published order")
    for number, setting in enumerate(SETTINGS):
        for seed in worlds:
            scores = [read_average_map(_map_path(_name(number, seed), run)) for run in RUNS]
            print(
                f"{setting:42} {seed:5}", *(f"{s:12.1f}" for s in scores), f"  {'yes' if is_ordered(scores) else 'no'}"
            )


def is_ordered(scores: list[float]) -> bool:
    """STPN < WSAL-BM <= TSCN < UGCT."""
    stpn, wsal_bm, tscn, ugct = scores
    return stpn < wsal_bm <= tscn < ugct


def _name(number: int, seed: int) -> str:
    return f"weak_order_{number}_world{seed}"


def _map_path(dataset: str, run: str) -> str:
    return f"results/{dataset}/runs/{run}/seed-0/map.json"


if __name__ == "__main__":
    main()
