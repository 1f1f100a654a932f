"""How many videos there were, every one that gave trouble, and what made the page."""

from collections.abc import Mapping, Sequence
from typing import Any

from clip_ae.core.provenance import Provenance
from clip_ae.pages.page import render_html_table, render_key_numbers, wrap_collapsible

STATUSES = ("ok", "partial", "failed", "missing")


def render_sources(
    catalog: Sequence[Mapping[str, Any]], failures: Sequence[Mapping[str, Any]], provenance: Provenance
) -> str:
    statuses = [row["status"] for row in catalog]
    counts = {f"videos {status}": str(statuses.count(status)) for status in STATUSES}
    rows = [(r["video_id"], r["stage"], r["kind"], r["message"]) for r in failures]
    trouble = (
        render_html_table("What gave trouble", ["video", "stage", "kind", "message"], rows, wrap_text=True)
        if rows
        else ""
    )
    return "".join([render_key_numbers(counts), trouble, _origin(provenance)])


def _origin(record: Provenance) -> str:
    """In full it stands in the page as JSON."""
    rows = [("code", record.code), *record.inputs.items(), *record.versions.items()]
    digests = render_html_table("Digests of code and inputs", ["what", "digest or version"], rows, wrap_text=True)
    return wrap_collapsible("What made this page", digests)
