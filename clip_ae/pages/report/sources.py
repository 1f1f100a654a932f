"""How many videos there were, every one that gave trouble, and what made the page."""

from collections.abc import Mapping, Sequence
from typing import Any

from clip_ae.core.provenance import Record
from clip_ae.pages.page import figures, folded, table

STATUSES = ("ok", "partial", "failed", "missing")


def sources(catalog: Sequence[Mapping[str, Any]], failed: Sequence[Mapping[str, Any]], record: Record) -> str:
    statuses = [row["status"] for row in catalog]
    counts = {f"videos {status}": str(statuses.count(status)) for status in STATUSES}
    rows = [(r["video_id"], r["stage"], r["kind"], r["message"]) for r in failed]
    trouble = table("What gave trouble", ["video", "stage", "kind", "message"], rows, text=True) if rows else ""
    return "".join([figures(counts), trouble, _origin(record)])


def _origin(record: Record) -> str:
    """In full it stands in the page as JSON."""
    rows = [("code", record.code), *record.inputs.items(), *record.versions.items()]
    digests = table("Digests of code and inputs", ["what", "digest or version"], rows, text=True)
    return folded("What made this page", digests)
