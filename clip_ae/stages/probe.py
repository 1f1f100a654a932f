"""Read the duration, frame rate, size and sound of each video of a shard; a broken video becomes a failure row.

For precomputed features, read the number of snippets of each video. This stage alone decides the number of snippets.
"""

from pathlib import Path
from typing import Annotated

from clip_ae.core.config.schema import DEFAULT_RUNTIME, Runtime
from clip_ae.core.config.specs import ProbeSpec
from clip_ae.pipeline.probing import probe_shard


def run(
    spec: ProbeSpec,
    *,
    shard: Annotated[str, "name of the shard, such as 0003-of-0008"],
    out: Annotated[Path, "table of videos to write (parquet)"],
    failures: Annotated[Path, "table of failures to write (parquet)"],
    videos: Annotated[Path | None, "folder of raw videos"] = None,
    features: Annotated[
        Path | None, "folder, or one file, of precomputed features, in place of --videos; the spec names its streams"
    ] = None,
    runtime: Annotated[Runtime, "decoder_timeout_s decoder_memory_gib"] = DEFAULT_RUNTIME,
) -> None:
    probe_shard(
        spec,
        shard=shard,
        out=out,
        failures=failures,
        videos=videos,
        features=features,
        runtime=runtime,
    )
