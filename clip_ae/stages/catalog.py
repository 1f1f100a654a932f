"""Join the tables of all shards: every video with its subset, and every failure.

A video that is not annotated has the subset "". Without annotations every video has it.
"""

from pathlib import Path
from typing import Annotated

from clip_ae.core.config.specs import CatalogSpec
from clip_ae.pipeline.catalog import build_catalog


def run(
    spec: CatalogSpec,
    *,
    probe: Annotated[Path, "folder of the shards' tables of videos"],
    failures: Annotated[Path, "folder of the shards' tables of failures: probe/ and one folder for each stream"],
    shards: Annotated[int, "number of shards"],
    streams: Annotated[str, "the dataset's streams, separated by commas"],
    out: Annotated[Path, "table of all videos to write (parquet)"],
    failures_out: Annotated[Path, "table of all failures to write (parquet)"],
    annotations: Annotated[Path | None, "annotations in the ActivityNet format, for the subsets"] = None,
) -> None:
    build_catalog(
        spec,
        probe=probe,
        failures=failures,
        shards=shards,
        streams=streams,
        out=out,
        failures_out=failures_out,
        annotations=annotations,
    )
