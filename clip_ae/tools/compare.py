"""Test whether one result beats another on the same ground truth: a paired bootstrap over its videos."""

from pathlib import Path
from typing import Annotated

from clip_ae.core.score_columns import format_column_heading
from clip_ae.data.detections import read_json_object
from clip_ae.pages.text_table import align_table, format_percent
from clip_ae.pipeline.comparison import ComparedMetric, compare_results
from clip_ae.scoring.bootstrap import CONFIDENCE

HEADER = [
    "tIoU",
    "first, %",
    "second, %",
    "first - second",
    f"{100 * CONFIDENCE:.0f} % from",
    "to",
    "first is better in",
]


def run(
    first: Annotated[Path, "map.json of a result, or results/{dataset}_map.json of a main run over its seeds"],
    second: Annotated[Path, "map.json of another result, scored by the same protocol against the same ground truth"],
) -> None:
    metrics = compare_results(read_json_object(first), read_json_object(second), (str(first), str(second)))
    print("\n".join(align_table([HEADER, *map(_row, metrics)])))
    print(_verdict(first, second, metrics[-1]))


def _verdict(first: Path, second: Path, metric: ComparedMetric) -> str:
    result = metric.comparison
    low, high = (f"{100 * bound:+.1f}" for bound in result.interval)
    span = f"(average over {metric.name}: {100 * result.difference:+.1f} points, 95 % from {low} to {high})"
    if not result.is_significant:
        return f"undecided: on these videos {first} and {second} do not differ significantly {span}"
    better, worse = (first, second) if result.difference > 0 else (second, first)
    return f"{better} beats {worse} {span}"


def _row(metric: ComparedMetric) -> list[str]:
    result = metric.comparison
    signed = [f"{100 * value:+.1f}" for value in (result.difference, *result.interval)]
    share_better = f"{100 * result.share_ahead:.0f} % of samples"
    scores = (format_percent(score) for score in (metric.first, metric.second))
    return [format_column_heading(metric.name), *scores, *signed, share_better]
