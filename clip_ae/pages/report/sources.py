"""The section Sources: number of videos by status, failures, and the provenance of the page."""

from collections.abc import Mapping, Sequence
from typing import Any

from clip_ae.core.provenance import Provenance
from clip_ae.pages.page import render_html_table, render_key_numbers, wrap_collapsible

STATUSES = ("ok", "partial", "failed", "missing")


def render_sources(
    catalog: Sequence[Mapping[str, Any]], failures: Sequence[Mapping[str, Any]], provenance: Provenance
) -> str:
    """HTML of the section, from the rows of videos.parquet and failures.parquet."""
    statuses = [row["status"] for row in catalog]
    counts = {f"videos {status}": str(statuses.count(status)) for status in STATUSES}
    rows = [(r["video_id"], r["stage"], r["kind"], r["message"]) for r in failures]
    failure_table = (
        render_html_table("Failures", ["video", "stage", "kind", "message"], rows, wrap_text=True) if rows else ""
    )
    return "".join([render_key_numbers(counts), failure_table, _render_provenance(provenance)])


def _render_provenance(provenance: Provenance) -> str:
    """Digests and versions; the full provenance is in the page as JSON."""
    rows = [("code", provenance.code), *provenance.inputs.items(), *provenance.versions.items()]
    digests = render_html_table("Code, inputs and libraries", ["name", "digest or version"], rows, wrap_text=True)
    return wrap_collapsible("Provenance of this page", digests)
