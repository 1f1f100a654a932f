"""Import one stream of precomputed features into a shard, from any layout of docs/features.md."""

from pathlib import Path
from typing import Annotated

from clip_ae.core.config.specs import ImportFeaturesSpec
from clip_ae.pipeline.feature_import import import_shard


def run(
    spec: ImportFeaturesSpec,
    *,
    features: Annotated[Path, "folder, or one file, of precomputed features; docs/features.md"],
    probe: Annotated[Path, "the shard's table of videos, from the probe stage"],
    shard: Annotated[str, "name of the shard, such as 0003-of-0008"],
    out: Annotated[Path, "feature shard to write (parquet)"],
    failures: Annotated[Path, "table of failures to write (parquet)"],
) -> None:
    import_shard(
        spec,
        features=features,
        probe=probe,
        shard=shard,
        out=out,
        failures=failures,
    )
