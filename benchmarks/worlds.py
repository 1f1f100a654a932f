"""All runs of a simulated dataset on five worlds: `make bench-methods`. Hours on two cores; a second call continues.

python -m benchmarks.worlds                                     all runs of `simulated`
python -m benchmarks.worlds --dataset simulated_activitynet     of the other world
python -m benchmarks.worlds --runs ugct ccp --worlds 0 1        some runs, some worlds
python -m benchmarks.worlds --record                            put the scores into docs/measured/DATASET.jsonl
python -m benchmarks.worlds --smoke                             a check in ten minutes: one world, one round, few steps

A world is the unit of every mean and interval, with one training seed: seeds in one world differ less than worlds do,
so an interval over them would promise too much.
"""

import argparse
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.measure import ROOT, print_result
from benchmarks.methods import SIMULATED_DATASET, Tree, build_dataset, run_workflow
from benchmarks.world_scores import WorldScore, add_scores, format_table, read_map
from clip_ae.provenance.machine import describe_machine

WORLDS = (0, 1, 2, 3, 4)
SMOKE_RUNS = ("ugct", "clip_ae", "stpn", "wsal_bm", "ridge_weak", "oracle")
SMOKE_STEPS = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default=SIMULATED_DATASET)
    parser.add_argument("--worlds", nargs="+", type=int, default=list(WORLDS))
    parser.add_argument("--runs", nargs="+", help="runs of the dataset; the first is the base of differences")
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--record", action="store_true", help="put the scores into docs/measured/DATASET.jsonl")
    either.add_argument("--smoke", action="store_true")
    arguments = parser.parse_args()
    start = time.perf_counter()
    changes = {"runs": arguments.runs, "main_run": arguments.runs[0]} if arguments.runs else {}
    worlds = build_worlds(arguments.dataset, arguments.worlds, **changes)
    if arguments.smoke:
        worlds = {f"{name}_smoke": make_small(data) for name, data in list(worlds.items())[:1]}
    runs = next(iter(worlds.values()))["runs"]
    run_workflow({"datasets": worlds}, *list_map_paths(worlds, runs))
    scores = read_worlds(worlds, runs)
    if arguments.record:
        add_scores(ROOT / f"docs/measured/{arguments.dataset}.jsonl", scores)
    print("\n".join(format_table(scores, runs)))
    print_result("minutes", (time.perf_counter() - start) / 60, "min")


def make_small(data: Tree) -> Tree:
    """The dataset with one round, few runs and few steps."""
    training = {**data["training"], "steps": SMOKE_STEPS}
    small = {"rounds": 1, "runs": list(SMOKE_RUNS), "main_run": SMOKE_RUNS[0], "training": training}
    return {**data, **small, "run_overrides": {}}


def build_worlds(dataset: str, worlds: Iterable[int] = WORLDS, **changes: Any) -> dict[str, Tree]:
    """The dataset once for each seed of its world, by name."""
    return {
        f"{dataset}_world{seed}": build_dataset(dataset, simulate={"seed": seed}, seeds=[0], **changes)
        for seed in worlds
    }


def list_map_paths(names: Iterable[str], runs: Iterable[str]) -> list[str]:
    return [f"results/{name}/runs/{run}/seed-0/map.json" for name in names for run in runs]


def read_worlds(worlds: Mapping[str, Tree], runs: Sequence[str]) -> list[WorldScore]:
    """The score of each run in each world, measured on this machine."""
    machine = describe_machine()["processor"]
    return [
        read_map(ROOT / path, run, data["simulate"]["seed"], data["evaluation"]["tiou_ranges"][-1], machine)
        for run in runs
        for name, data in worlds.items()
        for path in list_map_paths([name], [run])
    ]


if __name__ == "__main__":
    main()
