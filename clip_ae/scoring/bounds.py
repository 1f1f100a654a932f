"""The bound of perfect curves in the tables of results. It is not a method: it reads the annotations of test videos."""

from collections.abc import Sequence
from typing import Any

from clip_ae.core.score_columns import format_column_heading, list_score_columns
from clip_ae.scoring.results import ResultTable

PERFECT_CURVES = "bound: perfect curves (uses the annotations of the test videos)"
NOTE = (
    "No method: what `localize` and the evaluator give, with the dataset's own `localization`, when the curve of each "
    "class is the share of each snippet that is an action of the class, and the video scores are 1 for the true "
    "classes. What is missing to 100 is lost by the grid of snippets, the segments and the scoring."
)


def build_bounds_table(bound: Any) -> ResultTable:
    """The scores of perfect curves; `bound` is the content of their map.json."""
    columns = [(kind, column) for kind, column in list_score_columns(bound)]
    header = ["bound", *(format_column_heading(column) for _, column in columns)]
    row = [PERFECT_CURVES, *(f"{100 * bound[kind][column]:.1f}" for kind, column in columns)]
    return ResultTable("Bounds, mean average precision, %", header, [row], 1, (NOTE,))


def format_csv_bound(bound: Any, columns: Sequence[str], *, num_blanks: int) -> list[str]:
    """The row of the CSV table: no supervision, no run, no sd, and blanks at the end."""
    values = {column: 100 * bound[kind][column] for kind, column in list_score_columns(bound)}
    cells = (cell for c in columns for cell in (format(values[c], ".4g"), ""))
    return ["", PERFECT_CURVES, "", "bound", *cells, *[""] * num_blanks]
