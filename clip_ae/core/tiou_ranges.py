"""Ranges of tIoU, as tables of the field average over them."""

from collections.abc import Iterable, Mapping
from typing import Any

from clip_ae.core.errors import UserError

TiouThresholds = tuple[float, ...]


def parse_tiou_ranges(
    texts: tuple[str, ...], tiou: TiouThresholds, where: str = "evaluation"
) -> dict[str, TiouThresholds]:
    """The thresholds in each LOW:HIGH range, whose ends are thresholds themselves; without any range, all of them."""
    if not tiou or list(tiou) != sorted(set(tiou)) or len({f"{t:g}" for t in tiou}) < len(tiou):
        raise UserError(f"{where}.tiou: expected rising numbers of six digits at most, got {list(tiou)}")
    return {text: _inside(text, tiou, where) for text in texts or (f"{tiou[0]}:{tiou[-1]}",)}


def _inside(text: str, tiou: TiouThresholds, where: str) -> TiouThresholds:
    try:
        low, high = (float(end) for end in text.split(":"))
        found = tuple(t for t in tiou if low <= t <= high) if {low, high} <= set(tiou) else ()
    except ValueError:
        found = ()
    if not found:
        raise UserError(f"{where}.averages: '{text}' must be LOW:HIGH with both ends in tiou")
    return found


def sort_by_width(names: Iterable[str]) -> list[str]:
    """LOW:HIGH ranges as papers print them: the widest last."""

    def width_and_start(name: str) -> tuple[float, float]:
        low, high = map(float, name.split(":"))
        return round(high - low, 6), low

    return sorted(names, key=width_and_start)


def list_score_columns(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a map.json has scores of: every tIoU under mAP, then every range under average."""
    return [
        *(("mAP", t) for t in sorted(result["mAP"], key=float)),
        *(("average", r) for r in sort_by_width(result["average"])),
    ]
