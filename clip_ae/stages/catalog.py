"""Join all shards' tables: every video with its subset, and every failure.

A video that the annotations do not place has the subset "", as all have where there are no annotations.
"""

from pathlib import Path
from typing import Annotated

from clip_ae.core.config.specs import CatalogSpec
from clip_ae.pipeline.catalog import build_catalog


def run(
    spec: CatalogSpec,
    *,
    probe: Annotated[Path, "folder of the shards' tables of videos"],
    failures: Annotated[Path, "folder of the shards' tables of failures, in probe/ and in a folder a stream"],
    shards: Annotated[int, "number of shards"],
    streams: Annotated[str, "the dataset's streams, separated by commas"],
    out: Annotated[Path, "table of all videos to write (parquet)"],
    failures_out: Annotated[Path, "table of all failures to write (parquet)"],
    annotations: Annotated[Path | None, "annotations in ActivityNet's form, for the subsets"] = None,
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
