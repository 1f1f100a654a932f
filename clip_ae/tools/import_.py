"""Convert a folder of npy features to shards, outside a workflow. Inside one, the key `features_dir` does this."""

from pathlib import Path
from typing import Annotated

from clip_ae.core.config.specs import CatalogSpec, ImportFeaturesSpec, ProbeSpec
from clip_ae.core.config.streams import WELL_KNOWN_STREAMS
from clip_ae.core.errors import UserError
from clip_ae.core.files import check_writable_dir
from clip_ae.core.progress import log_line
from clip_ae.core.sharding import format_shard_name
from clip_ae.core.timeline import SnippetGrid
from clip_ae.data.parquet import read_rows
from clip_ae.pipeline.catalog import build_catalog
from clip_ae.pipeline.feature_import import import_shard
from clip_ae.pipeline.probing import probe_shard

SINGLE_SHARD = format_shard_name(0, 1)


def run(
    features: Annotated[Path, "folder with {stream}/{video_id}.npy of shape [snippets, D], at any depth"],
    *,
    out: Annotated[Path, "folder to write to: {stream}/*.parquet, videos.parquet, failures.parquet"],
    streams: Annotated[str, "streams, separated by commas (default: those that have a folder)"] = "",
    features_description: Annotated[str, "where the features come from; stored in the provenance of the shards"] = "",
    annotations: Annotated[
        Path | None, "ActivityNet-form JSON; its durations are compared with the lengths of the features"
    ] = None,
    fps: Annotated[float, "frames per second of the snippet grid"] = 25.0,
    frames: Annotated[int, "frames in a snippet"] = 16,
    stride: Annotated[int, "frames from the start of one snippet to the start of the next"] = 16,
) -> None:
    check_writable_dir("--out", out)
    grid = SnippetGrid(fps, frames, stride)
    names = streams.split(",") if streams else _list_streams(features)
    table, failures = out / "probe" / f"{SINGLE_SHARD}.parquet", out / "failures"
    probe_shard(
        ProbeSpec(grid, tuple(names)),
        shard=SINGLE_SHARD,
        features=features,
        out=table,
        failures=_shard_path(failures, "probe"),
    )
    for name in names:
        spec = ImportFeaturesSpec(name, grid, features_description or None)
        paths = {"out": _shard_path(out, name), "failures": _shard_path(failures, name)}
        import_shard(spec, features=features, probe=table, shard=SINGLE_SHARD, **paths)
    build_catalog(
        CatalogSpec(),
        probe=table.parent,
        failures=failures,
        shards=1,
        streams=",".join(names),
        out=out / "videos.parquet",
        failures_out=out / "failures.parquet",
        annotations=annotations,
    )
    _log_summary(out)


def _list_streams(features: Path) -> list[str]:
    names = [name for name in WELL_KNOWN_STREAMS if any(path.is_dir() for path in features.rglob(name))]
    if not names:
        raise UserError(
            f"{features}: has no folder called {', '.join(WELL_KNOWN_STREAMS)}; "
            "put the files of a stream in such a folder"
        )
    return names


def _shard_path(folder: Path, name: str) -> Path:
    return folder / name / f"{SINGLE_SHARD}.parquet"


def _log_summary(out: Path) -> None:
    failures, videos = read_rows(out / "failures.parquet"), read_rows(out / "videos.parquet")
    for row in failures:
        log_line(f"{row['video_id']}: {row['stage']}: {row['kind']}: {row['message']}")
    log_line(f"{sum(v['status'] == 'ok' for v in videos)} videos in {out}; {len(failures)} rows in failures.parquet")
