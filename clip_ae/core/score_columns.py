"""The columns of a map.json: mAP of sampled frames, mAP at each tIoU, and averages over ranges of tIoU."""

from collections.abc import Mapping
from typing import Any

from clip_ae.core.config.schema import FRAME_PROTOCOL_NAMES
from clip_ae.core.tiou_ranges import sort_by_width

# A result has frame_mAP only if it was scored with a frame protocol.
FRAME_KIND = "frame_mAP"
TIOU_KINDS = ("mAP", "average")


def list_score_kinds(result: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys of a result that hold its scores, each by column."""
    return (FRAME_KIND, *TIOU_KINDS) if FRAME_KIND in result else TIOU_KINDS


def list_score_columns(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Kind and name of each column: the frame protocol if there is one, every tIoU, every range, the widest last."""
    return [
        *((FRAME_KIND, protocol) for protocol in result.get(FRAME_KIND, ())),
        *(("mAP", t) for t in sorted(result["mAP"], key=float)),
        *(("average", r) for r in sort_by_width(result["average"])),
    ]


def format_column_heading(column: str) -> str:
    """Heading of a column by its name: `charades frames`, `0.5` or `avg 0.1:0.7`."""
    if column in FRAME_PROTOCOL_NAMES:
        return f"{column} frames"
    return f"avg {column}" if ":" in column else column
