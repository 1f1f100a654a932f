"""Ranges of tIoU thresholds, over which tables average mAP."""

from collections.abc import Iterable

from clip_ae.core.errors import UserError

TiouThresholds = tuple[float, ...]


def parse_tiou_ranges(
    tiou_ranges: tuple[str, ...], thresholds: TiouThresholds, where: str = "evaluation"
) -> dict[str, TiouThresholds]:
    """The thresholds in each LOW:HIGH range, whose ends must be thresholds; one range over all where none is given."""
    if (
        not thresholds
        or list(thresholds) != sorted(set(thresholds))
        or len({f"{t:g}" for t in thresholds}) < len(thresholds)
    ):
        raise UserError(f"{where}.tiou: expected rising numbers of six digits at most, got {list(thresholds)}")
    return {
        text: _select_thresholds(text, thresholds, where)
        for text in tiou_ranges or (f"{thresholds[0]}:{thresholds[-1]}",)
    }


def _select_thresholds(text: str, thresholds: TiouThresholds, where: str) -> TiouThresholds:
    try:
        low, high = (float(end) for end in text.split(":"))
        selected = tuple(t for t in thresholds if low <= t <= high) if {low, high} <= set(thresholds) else ()
    except ValueError:
        selected = ()
    if not selected:
        raise UserError(f"{where}.tiou_ranges: '{text}' must be LOW:HIGH with both ends in tiou")
    return selected


def sort_by_width(tiou_ranges: Iterable[str]) -> list[str]:
    """LOW:HIGH ranges in the order of papers: the widest last."""

    def width_and_start(name: str) -> tuple[float, float]:
        low, high = map(float, name.split(":"))
        return round(high - low, 6), low

    return sorted(tiou_ranges, key=width_and_start)
