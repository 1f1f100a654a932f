"""Scores of runs on simulated worlds: a line of JSON for each run and world, and the table of docs/results.md.

python -m benchmarks.world_scores docs/measured/simulated.jsonl              the table of all runs in the file
python -m benchmarks.world_scores FILE --runs ccp caf clip_ae                some runs; the first is the base
"""

import argparse
import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clip_ae.core.files import write_text
from clip_ae.scoring.paired import compare_paired, estimate_mean

REST_OF_HEADER = "| 95 % interval | cut from | other curve | purity | parameters |"


@dataclass(frozen=True)
class WorldScore:
    """What one run scored in one world, in %."""

    run: str
    world: int
    averages: Mapping[str, float]
    "Average mAP by range of tIoU."
    chance: float | None
    "Chance level in the last range; none for runs with true labels."
    curve: str | None
    other_averages: Mapping[str, float] | None
    "The same model, cut from the other curve."
    purities: Sequence[float]
    "Of the clusters of each round."
    parameters: int | None
    machine: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--runs", nargs="+", help="the first is the base of differences")
    arguments = parser.parse_args()
    scores = read_scores(arguments.file)
    print("\n".join(format_table(scores, arguments.runs or list(dict.fromkeys(s.run for s in scores)))))


def read_map(path: Path, run: str, world: int, machine: str) -> WorldScore:
    """The score in a map.json."""
    content = json.loads(path.read_text())
    other, cut_from = content.get("other_curve"), content.get("cut_from")
    chance = content.get("chance")
    return WorldScore(
        run=run,
        world=world,
        averages=_to_percent(content["average"]),
        chance=_to_percent(chance["average"])[_last(content["average"])] if chance else None,
        curve=cut_from["curve"] if cut_from else None,
        other_averages=_to_percent(other["average"]) if other else None,
        purities=[round(100 * entry["purity"], 1) for entry in content["rounds"]],
        parameters=content.get("num_parameters"),
        machine=machine,
    )


def read_scores(path: Path) -> list[WorldScore]:
    return [WorldScore(**json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


def add_scores(path: Path, new: Iterable[WorldScore]) -> None:
    """Put scores into the file, in the place of earlier ones of the same run and world."""
    scores = {(score.run, score.world): score for score in [*read_scores(path), *new]}
    order = {run: place for place, run in enumerate(dict.fromkeys(run for run, _ in scores))}
    lines = [json.dumps(asdict(s)) for s in sorted(scores.values(), key=lambda s: (order[s.run], s.world))]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "".join(f"{line}\n" for line in lines))


def format_table(scores: Sequence[WorldScore], runs: Sequence[str]) -> list[str]:
    """Rows of Markdown: average mAP in the last range, by world, minus the first run, by the other curve, purity."""
    found = {run: sorted((s for s in scores if s.run == run), key=lambda s: s.world) for run in runs}
    base = _averages(found[runs[0]])
    return [
        f"| run | average | by world | minus {runs[0]} {REST_OF_HEADER}",
        "|" + "---|" * 9,
        *(f"| {' | '.join([run, *_describe_run(found[run], base, run == runs[0])])} |" for run in runs),
    ]


def _describe_run(scores: Sequence[WorldScore], base: Mapping[int, float], is_base: bool) -> list[str]:
    averages = _averages(scores)
    mean, difference = estimate_mean(list(averages.values())), compare_paired(averages, base)
    curves = [score.curve for score in scores if score.curve]
    others = [s.other_averages[_last(s.other_averages)] for s in scores if s.other_averages]
    rounds = zip(*(score.purities for score in scores), strict=True)
    interval = difference.interval
    return [
        f"{mean.mean:.1f}" + (f" ± {mean.sd:.1f}" if mean.sd is not None else ""),
        ", ".join(f"{value:.1f}" for value in averages.values()),
        "" if is_base else f"{difference.mean:+.1f}",
        "" if is_base or interval is None else f"{interval[0]:.1f} to {interval[1]:.1f}",
        ", ".join(f"{name} {curves.count(name)}" for name in sorted(set(curves))),
        f"{statistics.fmean(others):.1f}" if others else "",
        ", ".join(f"{statistics.fmean(purities):.0f}" for purities in rounds),
        f"{scores[0].parameters:,}" if scores[0].parameters else "",
    ]


def _averages(scores: Sequence[WorldScore]) -> dict[int, float]:
    """By world, in the last range of tIoU."""
    return {score.world: score.averages[_last(score.averages)] for score in scores}


def _last(averages: Mapping[str, Any]) -> str:
    return list(averages)[-1]


def _to_percent(averages: Mapping[str, float]) -> dict[str, float]:
    return {tiou_range: round(100 * value, 2) for tiou_range, value in averages.items()}


if __name__ == "__main__":
    main()
