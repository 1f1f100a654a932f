"""The table of curves: every run's score with segments cut from either curve of the same models."""

from collections.abc import Sequence
from typing import Any, get_args

from clip_ae.core.config.training import CurveName
from clip_ae.scoring.results import ResultTable, ScoredRun, format_mean_sd, list_tiou_ranges

CURVES: tuple[str, ...] = get_args(CurveName)
NOTE = (
    "The same models, with segments cut from and scored by attention times class activation (weighted), or by class "
    "activation alone. All other tables are of the chosen curve; by default a rule chooses it, which reads curves of "
    "training videos and no annotations. Both are equal where attention is constant."
)


def build_curves_table(runs: Sequence[ScoredRun]) -> ResultTable:
    """Average mAP over the widest range of tIoU, by run and curve."""
    tiou_range = list_tiou_ranges(runs[0])[-1]

    def format_row(run: ScoredRun) -> list[str]:
        results = list(run.results.values())
        chosen = [result["cut_from"] for result in results]
        by_curve = [_scores_by_curve(result, tiou_range) for result in results]
        return [
            run.name,
            ", ".join(dict.fromkeys(choice["curve"] for choice in chosen)),
            format_mean_sd([choice["smoothing_s"] for choice in chosen]),
            *(format_mean_sd([100 * scores[curve] for scores in by_curve]) for curve in CURVES),
        ]

    header = ["run", "chosen", "smoothing, s", *CURVES]
    return ResultTable(f"Curves, average mAP over tIoU {tiou_range}, %", header, [*map(format_row, runs)], 2, (NOTE,))


def _scores_by_curve(result: Any, tiou_range: str) -> dict[str, float]:
    other = result["other_curve"]
    return {
        result["cut_from"]["curve"]: result["average"][tiou_range],
        other["cut_from"]["curve"]: other["average"][tiou_range],
    }
