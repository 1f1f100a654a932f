"""Convert features in any layout to shards, outside a workflow. Inside one, the key `features_dir` does this."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from clip_ae.core.config.dataclass_config import parse_dataclass
from clip_ae.core.config.specs import CatalogSpec, ImportFeaturesSpec, ProbeSpec
from clip_ae.core.config.stream_checks import check_stream_name
from clip_ae.core.errors import UserError, make_printable
from clip_ae.core.files import check_writable_dir
from clip_ae.core.progress import log_line
from clip_ae.core.sharding import format_shard_name
from clip_ae.core.timeline import SnippetGrid
from clip_ae.data.layouts.conventions import FORMS
from clip_ae.data.layouts.detect import FEATURE_SUFFIXES, NAMES_FILE, list_feature_files
from clip_ae.data.layouts.files import FeatureFiles
from clip_ae.data.parquet import read_rows
from clip_ae.data.source_folder import walk_files
from clip_ae.pipeline.catalog import build_catalog
from clip_ae.pipeline.feature_import import import_shard
from clip_ae.pipeline.probing import probe_shard

SINGLE_SHARD = format_shard_name(0, 1)
# Features on another grid than stated have a failure for each video.
MAX_LOGGED_FAILURES = 20


@dataclass(frozen=True)
class SourceOptions:
    """How the files are arranged, and the snippet grid that they were made on."""

    streams: Annotated[str, "streams, separated by commas (default: those that the files name)"] = ""
    layout: Annotated[str | None, f"{', '.join(FORMS)} (default: the one that fits)"] = None
    fps: Annotated[float, "frames per second of the snippet grid"] = 25.0
    frames: Annotated[int, "frames in a snippet"] = 16
    stride: Annotated[int, "frames from the start of one snippet to the start of the next"] = 16


def run(
    features: Annotated[Path, "folder, or one file, of features in any layout of docs/features.md"],
    *,
    out: Annotated[Path, "folder to write to: {stream}/*.parquet, videos.parquet, failures.parquet"],
    source: SourceOptions = SourceOptions(),
    features_description: Annotated[str, "where the features come from; stored in the provenance of the shards"] = "",
    annotations: Annotated[
        Path | None, "ActivityNet-form JSON; its durations are compared with the lengths of the features"
    ] = None,
) -> None:
    check_writable_dir("--out", out)
    options = {"fps": source.fps, "frames": source.frames, "stride": source.stride}
    grid = parse_dataclass(SnippetGrid, options, "import")
    streams = source.streams.split(",") if source.streams else []
    for name in streams:
        check_stream_name(f"--streams {name}", name)
    if len(set(streams)) < len(streams):
        raise UserError(f"--streams {source.streams}: names a stream twice")
    files = list_feature_files(features, streams, source.layout)
    names = files.streams
    for name in names:
        check_stream_name(f"{features}: stream {make_printable(name)}", name)
    if not streams:
        _log_other_files(features, files)
    if features.resolve() == out.resolve():
        raise UserError(f"--out {out}: is the folder of the features; name another")
    table, failures = out / "probe" / f"{SINGLE_SHARD}.parquet", out / "failures"
    probe_shard(
        ProbeSpec(grid, names, files.layout),
        shard=SINGLE_SHARD,
        features=features,
        out=table,
        failures=_shard_path(failures, "probe"),
    )
    for name in names:
        spec = ImportFeaturesSpec(name, grid, features_description or None, streams=names, layout=files.layout)
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


def _log_other_files(features: Path, files: FeatureFiles) -> None:
    """Say which feature files the layout leaves out. A folder of shards has tables of videos as well."""
    used = {NAMES_FILE, *files.files_of_shard(0, 1)}
    found = sorted(walk_files(features, FEATURE_SUFFIXES)) if features.is_dir() and files.layout != "shards" else []
    others = [path for path in found if path not in used]
    if others:
        log_line(f"{features}: {len(others)} files are left out, as {others[0]}: not of the layout {files.layout}")


def _shard_path(folder: Path, name: str) -> Path:
    return folder / name / f"{SINGLE_SHARD}.parquet"


def _log_summary(out: Path) -> None:
    failures, videos = read_rows(out / "failures.parquet"), read_rows(out / "videos.parquet")
    for row in failures[:MAX_LOGGED_FAILURES]:
        log_line(f"{row['video_id']}: {row['stage']}: {row['kind']}: {row['message']}")
    if len(failures) > MAX_LOGGED_FAILURES:
        log_line(f"and {len(failures) - MAX_LOGGED_FAILURES} more")
    log_line(f"{sum(v['status'] == 'ok' for v in videos)} videos in {out}; {len(failures)} rows in failures.parquet")
