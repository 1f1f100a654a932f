"""Results of few-shot episodes: means over episodes with intervals, the chance level, and gains over plain features."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from clip_ae.core.config.feature_adapters import UNADAPTED, FeatureAdapter
from clip_ae.core.config.specs import ScoreFewshotSpec
from clip_ae.core.score_columns import TIOU_KINDS, format_column_heading
from clip_ae.core.tiou_ranges import sort_by_width
from clip_ae.scoring.paired import MeanEstimate, compare_paired, estimate_mean
from clip_ae.scoring.results import ResultTable

# The metrics of one episode, and the same at chance level.
EpisodeScore = tuple[Mapping[str, Any], Mapping[str, Any]]
# By number of shots.
EpisodeScores = dict[int, list[EpisodeScore]]


def collect_held_out_classes(spec: ScoreFewshotSpec) -> set[str]:
    """Classes that were held out of adapter training; adapters with held-out classes all have the same ones."""
    return {name for adapter in spec.feature_adapters.values() for name in adapter.held_out_classes}


def build_fewshot_result(
    spec: ScoreFewshotSpec, classes: Sequence[str], scores: Mapping[str, EpisodeScores]
) -> dict[str, Any]:
    """The classes and rows of the few-shot JSON, from the episode scores of each feature adapter."""
    return {
        "classes": list(classes),
        "held_out": bool(collect_held_out_classes(spec)),
        "rows": {name: _build_row(name, scores, spec.feature_adapters.get(name)) for name in scores},
    }


def build_fewshot_captions(spec: ScoreFewshotSpec, result: Mapping[str, Any]) -> list[str]:
    """Lines that explain the few-shot table."""
    settings, widest = spec.fewshot, _get_widest_range(result)
    lines = [
        f"Average mAP over tIoU {widest}: mean over {settings.episodes} episodes of {settings.ways} classes each, with "
        "its 95 % interval (Student's t). All rows use the same episodes, and the examples of fewer shots are among "
        "those of more shots.",
        f"The classes of an episode are drawn from {', '.join(result['classes'])}.",
        "Chance level: the classes of the detections are permuted in each test video; segments and scores stay.",
        "The intervals cover other episodes on the same videos, not other videos.",
    ]
    if not result["held_out"]:
        lines.append("No feature adapter holds out classes: all were trained on videos of these classes, too.")
    if spec.simulated:
        lines.append("The features are simulated: compare rows with each other only.")
    return lines


def build_fewshot_table(spec: ScoreFewshotSpec, result: Mapping[str, Any]) -> ResultTable:
    """A row for each kind of features; three columns for each number of shots."""
    shots = [str(k) for k in spec.fewshot.shots]
    widest = _get_widest_range(result)
    headings = [heading for k in shots for heading in (f"{k}-shot", "chance", f"minus {UNADAPTED}")]
    rows = []
    for name, row in result["rows"].items():
        cells = [cell for k in shots for cell in _format_shots(row["shots"][k], widest)]
        rows.append([name, _describe_training(spec.feature_adapters.get(name), result["held_out"]), *cells])
    header = ["features", "adapter training", *headings]
    return ResultTable(f"mAP, %, {format_column_heading(widest)}", header, rows, 2)


def _build_row(name: str, scores: Mapping[str, EpisodeScores], adapter: FeatureAdapter | None) -> dict[str, Any]:
    shots = {
        str(k): _summarize_episodes(episodes, scores[UNADAPTED][k] if adapter else None)
        for k, episodes in scores[name].items()
    }
    return {"uses_names": bool(adapter and adapter.uses_class_names), "shots": shots}


def _summarize_episodes(
    episodes: Sequence[EpisodeScore], unadapted_episodes: Sequence[EpisodeScore] | None
) -> dict[str, Any]:
    """Mean, interval and chance level; the paired gain over the unadapted features, if these are given."""
    scores, chance = zip(*episodes, strict=True)
    widest = sort_by_width(scores[0]["average"])[-1]
    summary = {
        "mean": _reduce_episodes(scores, statistics.fmean),
        "interval": _reduce_episodes(scores, lambda values: _list_ends(estimate_mean(values))),
        "chance": _reduce_episodes(chance, statistics.fmean),
    }
    if unadapted_episodes is None:
        return summary
    unadapted_scores = [score for score, _ in unadapted_episodes]
    gain = compare_paired(_get_by_episode(scores, widest), _get_by_episode(unadapted_scores, widest))
    return {**summary, "minus_plain": {"mean": gain.mean, "interval": _list_ends(gain)}}


def _reduce_episodes(scores: Sequence[Mapping[str, Any]], reduce: Callable[[list[float]], Any]) -> dict[str, Any]:
    return {
        kind: {column: reduce([score[kind][column] for score in scores]) for column in scores[0][kind]}
        for kind in TIOU_KINDS
    }


def _list_ends(estimate: MeanEstimate) -> list[float]:
    return list(estimate.interval or ())


def _get_by_episode(scores: Sequence[Mapping[str, Any]], column: str) -> dict[int, float]:
    return {number: score["average"][column] for number, score in enumerate(scores)}


def _get_widest_range(result: Mapping[str, Any]) -> str:
    row = next(iter(result["rows"].values()))
    return sort_by_width(next(iter(row["shots"].values()))["mean"]["average"])[-1]


def _describe_training(adapter: FeatureAdapter | None, some_hold_out: bool) -> str:
    if adapter is None:
        return "no adapter"
    description = "uses class names" if adapter.uses_class_names else "no class names"
    return f"{description}; trained on these classes" if some_hold_out and not adapter.held_out_classes else description


def _format_shots(shots: Mapping[str, Any], column: str) -> list[str]:
    """Cells of one number of shots: mean with its interval, chance level, gain with its interval."""
    gain = shots.get("minus_plain")
    return [
        f"{100 * shots['mean']['average'][column]:.1f} {_format_ends(shots['interval']['average'][column], '.1f')}",
        f"{100 * shots['chance']['average'][column]:.1f}",
        f"{100 * gain['mean']:+.1f} {_format_ends(gain['interval'], '+.1f')}" if gain else "-",
    ]


def _format_ends(ends: Sequence[float], format_spec: str) -> str:
    return f"[{', '.join(format(100 * end, format_spec) for end in ends)}]"
