"""Scores of runs on simulated worlds, a line of JSON for each run and world, and the tables made of them.

python -m benchmarks.world_scores       write the tables of docs/results.md again, from the files of docs/measured/

A table stands below a line `<!-- docs/measured/NAME.jsonl -->`. Its first column names the runs; the first is the base
of the differences. In a table whose first column is called `difference`, each row names two runs.
"""

import json
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT
from clip_ae.core.files import write_text
from clip_ae.scoring.paired import MeanEstimate, compare_paired, estimate_mean

TABLE = re.compile(r"(?P<source><!-- (?P<path>docs/measured/\S+) -->\n\n?)(?P<table>(?:\|.*\n)+)")
REST_OF_HEADER = "| 95 % interval | cut from | other curve | purity | parameters |"


@dataclass(frozen=True)
class WorldScore:
    """What one run scored in one world, in %."""

    run: str
    world: int
    tiou_range: str
    average: float
    "Average mAP over the range."
    chance: float
    curve: str
    other_average: float
    "The same model, cut from the other curve."
    purities: Sequence[float]
    "Of the clusters of each round."
    parameters: int
    machine: str


def main() -> None:
    path = ROOT / "docs/results.md"
    write_text(path, update_tables(path.read_text()))


def update_tables(text: str) -> str:
    """The Markdown with each table of runs made again."""

    def make_table(match: re.Match[str]) -> str:
        title, _, *names = [row.split("|")[1].strip() for row in match["table"].splitlines()]
        make_rows = format_differences if title == "difference" else format_table
        return match["source"] + "".join(f"{row}\n" for row in make_rows(read_scores(ROOT / match["path"]), names))

    return TABLE.sub(make_table, text)


def read_map(path: Path, run: str, world: int, tiou_range: str, machine: str) -> WorldScore:
    """The score in a map.json."""
    content = json.loads(path.read_text())
    return WorldScore(
        run=run,
        world=world,
        tiou_range=tiou_range,
        average=_read_percent(content, tiou_range),
        chance=_read_percent(content["chance"], tiou_range),
        curve=content["cut_from"]["curve"],
        other_average=_read_percent(content["other_curve"], tiou_range),
        purities=[round(100 * entry["purity"], 1) for entry in content["rounds"]],
        parameters=content["num_parameters"],
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
    """Rows of Markdown: average mAP, by world, minus the first run, cut from the other curve, purity."""
    found = {run: sorted((s for s in scores if s.run == run), key=lambda s: s.world) for run in runs}
    base = _averages(found[runs[0]])
    worlds = sorted({s.world for shown in found.values() for s in shown})
    return [
        f"| run | average | by world | minus {runs[0]} {REST_OF_HEADER}",
        "|" + "---|" * 9,
        *(f"| {' | '.join([run, *_describe_run(found[run], base, worlds, run == runs[0])])} |" for run in runs),
    ]


def format_differences(scores: Sequence[WorldScore], names: Sequence[str]) -> list[str]:
    """Rows of Markdown: the difference of two runs by world, for names like `clip_ae minus ccp`."""
    rows = ["| difference | by world | mean | 95 % interval |", "|" + "---|" * 4]
    for name in names:
        first, second = (_averages(s for s in scores if s.run == run) for run in name.split(" minus "))
        worlds = sorted(first.keys() & second.keys())
        by_world = ", ".join(f"{first[world] - second[world]:+.1f}" for world in worlds)
        difference = compare_paired(first, second)
        rows.append(f"| {name} | {by_world} | {difference.mean:+.1f} | {_format_interval(difference)} |")
    return rows


def _describe_run(
    scores: Sequence[WorldScore], base: Mapping[int, float], worlds: Sequence[int], is_base: bool
) -> list[str]:
    averages = _averages(scores)
    mean, difference = estimate_mean(list(averages.values())), compare_paired(averages, base)
    curves = [score.curve for score in scores]
    rounds = zip(*(score.purities for score in scores), strict=True)
    return [
        f"{mean.mean:.1f}" + (f" ± {mean.sd:.1f}" if mean.sd is not None else ""),
        ", ".join(f"{averages[world]:.1f}" if world in averages else "-" for world in worlds),
        "" if is_base else f"{difference.mean:+.1f}",
        "" if is_base else _format_interval(difference),
        ", ".join(f"{name} {curves.count(name)}" for name in sorted(set(curves))),
        f"{statistics.fmean(score.other_average for score in scores):.1f}",
        ", ".join(f"{statistics.fmean(purities):.0f}" for purities in rounds),
        f"{scores[0].parameters:,}",
    ]


def _format_interval(difference: MeanEstimate) -> str:
    return "" if difference.interval is None else "{:.1f} to {:.1f}".format(*difference.interval)


def _averages(scores: Iterable[WorldScore]) -> dict[int, float]:
    return {score.world: score.average for score in scores}


def _read_percent(content: Mapping[str, Any], tiou_range: str) -> float:
    return round(100 * float(content["average"][tiou_range]), 2)


if __name__ == "__main__":
    main()
