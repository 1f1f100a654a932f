"""Format rows of cells as aligned columns of plain text."""

from collections.abc import Sequence

from clip_ae.core.errors import make_printable


def align_table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with the first column aligned left and the others aligned right."""
    rows = _make_printable_rows(rows)
    widths = _measure_columns(rows)
    return ["  ".join(_justify(row, widths)).rstrip() for row in rows]


def align_left(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with all columns aligned left."""
    rows = _make_printable_rows(rows)
    return ["  ".join(map(str.ljust, row, _measure_columns(rows))).rstrip() for row in rows]


def format_percent(value: float) -> str:
    """A fraction as percent with one decimal."""
    return f"{100 * value:.1f}"


def _make_printable_rows(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[make_printable(cell) for cell in row] for row in rows]


def _measure_columns(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def _justify(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    first, *others = zip(row, widths, strict=True)
    return [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
