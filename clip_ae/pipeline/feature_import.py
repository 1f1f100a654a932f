"""Read one stream of precomputed features into a shard."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from clip_ae.core.config.specs import ImportFeaturesSpec
from clip_ae.core.errors import Unreadable
from clip_ae.core.progress import track
from clip_ae.core.provenance import make_provenance
from clip_ae.core.sharding import parse_shard_name
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Failure, VideoFeatures
from clip_ae.data.layouts.detect import list_feature_files
from clip_ae.data.parquet import FAILURES_SCHEMA, read_parquet_provenance, read_rows, write_rows
from clip_ae.data.precomputed_features import open_precomputed
from clip_ae.data.shards import open_shard
from clip_ae.data.snippet_times import snippet_times

FLOAT16_MAX = float(np.finfo(np.float16).max)


def import_shard(
    spec: ImportFeaturesSpec,
    *,
    features: Path,
    probe: Path,
    shard: str,
    out: Path,
    failures: Path,
) -> None:
    """Write the feature shard, one video after another, and its table of failures."""
    index, shards = parse_shard_name(shard)
    files = list_feature_files(features, spec.streams or (spec.stream,), spec.layout)
    source = open_precomputed(files, spec.grid, index, shards)
    rows = [row for row in read_rows(probe) if row["status"] != "failed"]
    inputs = {"probe": read_parquet_provenance(probe).id}
    provenance = make_provenance("import_features", spec, inputs, libraries=("numpy",))
    failure_rows: list[Failure] = []
    dim = source.dim(spec.stream)
    with open_shard(out, spec.stream, dim, provenance, with_loudness=spec.with_loudness) as write_video:
        for row in track(rows, f"import {spec.stream}", unit="videos"):
            try:
                loaded = _keep_first_rows(source.load(spec.stream, row["video_id"]), row["snippets"])
            except Unreadable as error:
                # Every stream of a video has the same rows, so the video is not left out here.
                loaded = _make_zeros(row["video_id"], spec.grid, row["snippets"], dim)
                failure_rows.append(_make_unreadable_failure(row, spec.stream, error))
            video, non_finite = _clear_non_finite(loaded)
            write_video(video)
            if non_finite:
                failure_rows.append(_make_non_finite_failure(video.video_id, spec.stream, non_finite))
    write_rows(failures, FAILURES_SCHEMA, failure_rows, provenance)


def _make_zeros(video_id: str, grid: SnippetGrid, num_rows: int, dim: int) -> VideoFeatures:
    """Return features of a video of which nothing could be read: zeros with coverage 0."""
    start, stop = snippet_times(grid, num_rows)
    return VideoFeatures(video_id, start, stop, np.zeros(num_rows, np.float32), np.zeros((num_rows, dim), np.float16))


def _make_unreadable_failure(row: Mapping[str, Any], stream: str, error: Unreadable) -> Failure:
    message = f"{error}; its {row['snippets']} {stream} snippets count as not decoded"
    return Failure(row["video_id"], f"import_features/{stream}", error.kind, message)


def _make_non_finite_failure(video_id: str, stream: str, non_finite: list[int]) -> Failure:
    message = (
        f"{len(non_finite)} {stream} features are not finite, or above {FLOAT16_MAX:.0f}, first that of snippet "
        f"{non_finite[0]}; they count as not decoded. Divide larger features by a constant before the import"
    )
    return Failure(video_id, f"import_features/{stream}", "not-finite", message)


def _keep_first_rows(video: VideoFeatures, num_rows: int) -> VideoFeatures:
    return replace(
        video,
        start=video.start[:num_rows],
        stop=video.stop[:num_rows],
        coverage=video.coverage[:num_rows],
        feature=video.feature[:num_rows],
        loudness=None if video.loudness is None else video.loudness[:num_rows],
    )


def _clear_non_finite(video: VideoFeatures) -> tuple[VideoFeatures, list[int]]:
    """Store features as float16, rows that it cannot hold as zeros with coverage 0; also return their snippets."""
    with np.errstate(over="ignore"):
        feature = video.feature.astype(np.float16, copy=False)
    finite_mask = np.asarray(np.isfinite(feature).all(axis=1))
    coverage = np.where(finite_mask, video.coverage, 0).astype(np.float32)
    # Most videos have none: no copy.
    if not finite_mask.all():
        feature = np.where(finite_mask[:, None], feature, np.float16(0))
    return replace(video, coverage=coverage, feature=feature), np.flatnonzero(~finite_mask).tolist()
