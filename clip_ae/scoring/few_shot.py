"""What episodes of few-shot localization say: means over episodes with intervals, beside chance and plain features."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from clip_ae.core.config.feature_adapters import UNADAPTED, FeatureAdapter
from clip_ae.core.config.specs import ScoreFewshotSpec
from clip_ae.core.tiou_ranges import sort_by_width
from clip_ae.scoring.paired import MeanEstimate, compare_paired, estimate_mean
from clip_ae.scoring.results import ResultTable, format_column_heading

# By number of shots, of every episode: mAP and averages, and the same by chance.
EpisodeScores = dict[int, list[tuple[Mapping[str, Any], Mapping[str, Any]]]]


def collect_held_out_classes(spec: ScoreFewshotSpec) -> set[str]:
    """Classes that a recipe never saw; all that leave any out leave out the same."""
    return {name for recipe in spec.feature_adapters.values() for name in recipe.held_out_classes}


def build_fewshot_result(
    spec: ScoreFewshotSpec, classes: Sequence[str], scores: Mapping[str, EpisodeScores]
) -> dict[str, Any]:
    return {
        "classes": list(classes),
        "held_out": bool(collect_held_out_classes(spec)),
        "rows": {name: _row(name, scores, spec.feature_adapters.get(name)) for name in scores},
    }


def build_fewshot_captions(spec: ScoreFewshotSpec, result: Mapping[str, Any]) -> list[str]:
    how, widest = spec.fewshot, _widest(result)
    lines = [
        f"Average mAP over tIoU {widest}: mean over {how.episodes} episodes of {how.ways} classes each, with its 95 % "
        "interval (Student's t). All rows see the same episodes, and what one example shows is among what more show.",
        f"Drawn among {', '.join(result['classes'])}.",
        "Chance: in every test video the detections' classes are permuted; segments and scores stay.",
        "Intervals speak of other episodes on the same videos, not of other videos.",
    ]
    if not result["held_out"]:
        lines.append("No recipe leaves any class out: the networks have seen videos of all of them.")
    if spec.simulated:
        lines.append("Features are simulated: compare rows with each other only.")
    return lines


def build_fewshot_table(spec: ScoreFewshotSpec, result: Mapping[str, Any]) -> ResultTable:
    shots = [str(k) for k in spec.fewshot.shots]
    widest = _widest(result)
    heads = [head for k in shots for head in (f"{k}-shot", "chance", f"minus {UNADAPTED}")]
    rows = []
    for name, row in result["rows"].items():
        cells = [cell for k in shots for cell in _cells(row["shots"][k], widest)]
        rows.append([name, _told(spec.feature_adapters.get(name), result["held_out"]), *cells])
    return ResultTable(f"mAP, %, {format_column_heading(widest)}", ["features", "what they were told", *heads], rows, 2)


def _row(name: str, scores: Mapping[str, EpisodeScores], recipe: FeatureAdapter | None) -> dict[str, Any]:
    shots = {str(k): _shots(episodes, scores[UNADAPTED][k] if recipe else None) for k, episodes in scores[name].items()}
    return {"uses_names": bool(recipe and recipe.uses_class_names), "shots": shots}


def _shots(episodes: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], plain: Any) -> dict[str, Any]:
    ours, chance = zip(*episodes, strict=True)
    widest = sort_by_width(ours[0]["average"])[-1]
    told = {"mean": _over(ours, _mean), "interval": _over(ours, _interval), "chance": _over(chance, _mean)}
    if plain is None:
        return told
    apart = compare_paired(_numbered(ours, widest), _numbered([score for score, _ in plain], widest))
    return {**told, "minus_plain": {"mean": apart.mean, "interval": _ends(apart)}}


def _over(scores: Sequence[Mapping[str, Any]], of: Any) -> dict[str, Any]:
    return {
        kind: {column: of([score[kind][column] for score in scores]) for column in scores[0][kind]}
        for kind in ("mAP", "average")
    }


def _mean(values: Sequence[float]) -> float:
    return statistics.fmean(values)


def _interval(values: Sequence[float]) -> list[float]:
    return _ends(estimate_mean(values))


def _ends(found: MeanEstimate) -> list[float]:
    return list(found.interval or ())


def _numbered(scores: Sequence[Mapping[str, Any]], column: str) -> dict[int, float]:
    return {number: score["average"][column] for number, score in enumerate(scores)}


def _widest(found: Mapping[str, Any]) -> str:
    row = next(iter(found["rows"].values()))
    return sort_by_width(next(iter(row["shots"].values()))["mean"]["average"])[-1]


def _told(recipe: FeatureAdapter | None, held_out: bool) -> str:
    if recipe is None:
        return "nothing"
    words = "uses class names" if recipe.uses_class_names else "no class names"
    return f"{words}; saw these classes" if held_out and not recipe.held_out_classes else words


def _cells(shots: Mapping[str, Any], column: str) -> list[str]:
    apart = shots.get("minus_plain")
    return [
        f"{100 * shots['mean']['average'][column]:.1f} {_brackets(shots['interval']['average'][column], '.1f')}",
        f"{100 * shots['chance']['average'][column]:.1f}",
        f"{100 * apart['mean']:+.1f} {_brackets(apart['interval'], '+.1f')}" if apart else "-",
    ]


def _brackets(ends: Sequence[float], form: str) -> str:
    return f"[{', '.join(format(100 * end, form) for end in ends)}]"
