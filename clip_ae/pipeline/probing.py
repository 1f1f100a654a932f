"""Read the length, frame rate, size and sound of a shard's videos, or the number of snippets of its feature files."""

from pathlib import Path

from clip_ae.core.config.schema import DEFAULT_RUNTIME, Runtime
from clip_ae.core.config.specs import ProbeSpec
from clip_ae.core.errors import Unreadable, UserError
from clip_ae.core.progress import log_line, track
from clip_ae.core.provenance import make_provenance
from clip_ae.core.sharding import parse_shard_name
from clip_ae.core.types import Failure, VideoInfo
from clip_ae.data import source_folder
from clip_ae.data.layouts.detect import list_feature_files
from clip_ae.data.parquet import FAILURES_SCHEMA, PROBE_SCHEMA, write_rows
from clip_ae.data.precomputed_features import open_precomputed
from clip_ae.data.precomputed_probe import probe_precomputed
from clip_ae.media.decoder_process import Decoder


def probe_shard(
    spec: ProbeSpec,
    *,
    shard: str,
    out: Path,
    failures: Path,
    videos: Path | None = None,
    features: Path | None = None,
    runtime: Runtime = DEFAULT_RUNTIME,
) -> None:
    """Write the shard's table of videos and its table of failures."""
    if features is not None:
        rows, files_digest = _probe_features(spec, features, shard)
    elif videos is not None:
        with Decoder(runtime) as decoder:
            rows, files_digest = _probe_videos(spec, videos, shard, decoder)
    else:
        raise UserError("probe: no source; give --videos or --features")
    provenance = make_provenance("probe", spec, {"source_files": files_digest}, libraries=("av",))
    write_rows(out, PROBE_SCHEMA, rows, provenance)
    write_rows(failures, FAILURES_SCHEMA, [_to_failure(row) for row in rows if row.reason], provenance)


def _probe_videos(spec: ProbeSpec, videos: Path, shard: str, decoder: Decoder) -> tuple[list[VideoInfo], str]:
    files = source_folder.select_shard(source_folder.list_videos(videos), *parse_shard_name(shard))
    rows = [_probe_file(decoder, spec, videos, *item) for item in track(files.items(), "probe", len(files), "videos")]
    return rows, source_folder.files_digest(videos, files.values(), with_mtime=False)


def _probe_features(spec: ProbeSpec, features: Path, shard: str) -> tuple[list[VideoInfo], str]:
    index, shards = parse_shard_name(shard)
    streams = spec.streams or ()
    files = list_feature_files(features, streams, spec.layout)
    source = open_precomputed(files, spec.grid, index, shards)
    log_line(source.describe())
    rows = probe_precomputed(source, streams, spec.grid)
    return rows, source_folder.files_digest(files.root_dir, files.files_of_shard(index, shards), with_mtime=False)


def _probe_file(decoder: Decoder, spec: ProbeSpec, videos: Path, video_id: str, path: str) -> VideoInfo:
    if source_folder.escape_undecodable(path) != path:
        return _failed_info(video_id, path, "name", "its file name is not UTF-8; rename it")
    try:
        facts = decoder.probe_video(videos / path, spec.grid)
    except Unreadable as failure:
        return _failed_info(video_id, path, failure.kind, str(failure))
    return VideoInfo(video_id, path, **vars(facts))


def _failed_info(video_id: str, path: str, kind: str, message: str) -> VideoInfo:
    return VideoInfo(video_id, source_folder.escape_undecodable(path), status="failed", reason=f"{kind}: {message}")


def _to_failure(row: VideoInfo) -> Failure:
    """The failure row of a video. The reason of a failed video begins with the kind of failure."""
    if row.status == "partial":
        return Failure(row.video_id, "probe", "partial", row.reason)
    kind, _, message = row.reason.partition(": ")
    return Failure(row.video_id, "probe", kind, message)
