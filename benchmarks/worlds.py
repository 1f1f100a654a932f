"""All runs of a simulated dataset on five worlds: `make bench-methods`. Hours on two cores; a second call continues.

python -m benchmarks.worlds                                     all runs of `simulated`
python -m benchmarks.worlds --dataset simulated_activitynet     of the other world
python -m benchmarks.worlds --runs ugct ccp --worlds 0 1        some runs, some worlds
python -m benchmarks.worlds --smoke                             a check in ten minutes: one world, one round, few steps

A world is the unit of every mean and interval, with one training seed: seeds in one world differ less than worlds do,
so an interval over them would promise too much.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.measure import ROOT, print_result
from benchmarks.methods import SIMULATED_DATASET, Tree, build_dataset, run_workflow
from clip_ae.scoring.paired import compare_paired, estimate_mean

WORLDS = (0, 1, 2, 3, 4)
SMOKE_RUNS = ("ugct", "clip_ae", "stpn", "wsal_bm", "ridge_weak", "oracle")
SMOKE_STEPS = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default=SIMULATED_DATASET)
    parser.add_argument("--worlds", nargs="+", type=int, default=list(WORLDS))
    parser.add_argument("--runs", nargs="+", help="runs of the dataset; the first is the base of differences")
    parser.add_argument("--smoke", action="store_true")
    arguments = parser.parse_args()
    start = time.perf_counter()
    changes = {"runs": arguments.runs, "main_run": arguments.runs[0]} if arguments.runs else {}
    worlds = build_worlds(arguments.dataset, arguments.worlds, **changes)
    if arguments.smoke:
        worlds = {f"{name}_smoke": make_small(data) for name, data in list(worlds.items())[:1]}
    runs = next(iter(worlds.values()))["runs"]
    run_workflow({"datasets": worlds}, *list_map_paths(worlds, runs))
    print_table(list(worlds), runs, runs[0], next(iter(worlds.values()))["evaluation"]["tiou_ranges"][-1])
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


def read_maps(names: Sequence[str], run: str) -> list[Mapping[str, Any]]:
    """map.json of a run in each world."""
    return [json.loads((ROOT / path).read_text()) for path in list_map_paths(names, [run])]


def print_table(names: Sequence[str], runs: Sequence[str], base: str, tiou_range: str) -> None:
    """A row of Markdown for each run: average mAP in %, by world, minus the base, by the other curve, purity, size."""
    print(f"| run | average | worlds | minus {base} | 95 % interval | cut from | other curve | purity | parameters |")
    print("|" + "---|" * 9)
    maps = {run: read_maps(names, run) for run in runs}
    scores = {run: read_scores(found, tiou_range) for run, found in maps.items()}
    for run in runs:
        cells = [run, *describe_scores(scores[run], scores[base]), *describe_maps(maps[run], tiou_range)]
        print(f"| {' | '.join(cells)} |")


def read_scores(maps: Sequence[Mapping[str, Any]], tiou_range: str) -> dict[int, float]:
    return {world: 100 * found["average"][tiou_range] for world, found in enumerate(maps)}


def describe_scores(scores: Mapping[int, float], base: Mapping[int, float]) -> list[str]:
    """Cells: mean and sd, each world, mean difference to the base and its interval."""
    mean, difference = estimate_mean(list(scores.values())), compare_paired(scores, base)
    return [
        f"{mean.mean:.1f}" + (f" ± {mean.sd:.1f}" if mean.sd is not None else ""),
        ", ".join(f"{score:.1f}" for score in scores.values()),
        f"{difference.mean:+.1f}",
        f"{difference.interval[0]:.1f} to {difference.interval[1]:.1f}" if difference.interval else "-",
    ]


def describe_maps(maps: Sequence[Mapping[str, Any]], tiou_range: str) -> list[str]:
    """Cells: the curve that segments are cut from, the score by the other one, purity by round, parameters."""
    curves = [found["cut_from"]["curve"] for found in maps if found.get("cut_from")]
    others = [100 * found["other_curve"]["average"][tiou_range] for found in maps if found.get("other_curve")]
    rounds = zip(*(found["rounds"] for found in maps), strict=True)
    purities = [100 * statistics.fmean(entry["purity"] for entry in entries) for entries in rounds]
    return [
        ", ".join(f"{name} {curves.count(name)}" for name in sorted(set(curves))) or "-",
        f"{statistics.fmean(others):.1f}" if others else "-",
        ", ".join(f"{purity:.0f}" for purity in purities) or "-",
        f"{maps[0]['num_parameters']:,}" if maps[0].get("num_parameters") else "-",
    ]


if __name__ == "__main__":
    main()
