"""Read one stream of precomputed features into a shard."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from clip_ae.core.config.specs import ImportFeaturesSpec
from clip_ae.core.progress import track
from clip_ae.core.provenance import make_provenance
from clip_ae.core.sharding import parse_shard_name
from clip_ae.core.types import Failure, VideoFeatures
from clip_ae.data import source_folder
from clip_ae.data.parquet import FAILURES_SCHEMA, read_parquet_provenance, read_rows, write_rows
from clip_ae.data.precomputed_features import PrecomputedFeatures, open_precomputed
from clip_ae.data.shards import write_shard


def import_shard(
    spec: ImportFeaturesSpec,
    *,
    features: Path,
    probe: Path,
    shard: str,
    out: Path,
    failures: Path,
) -> None:
    """Write the feature shard and its table of failures."""
    index, shards = parse_shard_name(shard)
    files = source_folder.list_feature_files(features, (spec.stream,))
    source = open_precomputed(features, files, spec.grid, index, shards)
    rows = [row for row in read_rows(probe) if row["status"] != "failed"]
    inputs = {"probe": read_parquet_provenance(probe).id}
    provenance = make_provenance("import_features", spec, inputs, libraries=("numpy",))
    failure_rows: list[Failure] = []
    videos = _import_videos(source, spec.stream, rows, failure_rows)
    write_shard(out, spec.stream, source.dim(spec.stream), videos, provenance)
    write_rows(failures, FAILURES_SCHEMA, failure_rows, provenance)


def _import_videos(
    source: PrecomputedFeatures, stream: str, rows: list[dict[str, int]], failures: list[Failure]
) -> Iterator[VideoFeatures]:
    """Yield one video at a time, as a shard may not fit into memory. Failures are added to the list."""
    for row in track(rows, f"import {stream}", unit="videos"):
        loaded = source.load(stream, str(row["video_id"]))
        video, non_finite = _clear_non_finite(_keep_first_rows(loaded, row["snippets"]))
        if non_finite:
            message = f"{len(non_finite)} features are not finite in float16, first that of snippet {non_finite[0]}"
            failures.append(Failure(video.video_id, f"import_features/{stream}", "not-finite", message))
        yield video


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
    """Set rows with nan or infinity to zeros with coverage 0; also return their snippet numbers."""
    finite_mask = np.asarray(np.isfinite(video.feature).all(axis=1))
    coverage = np.where(finite_mask, video.coverage, 0).astype(np.float32)
    feature = np.where(finite_mask[:, None], video.feature, 0).astype(np.float16)
    return replace(video, coverage=coverage, feature=feature), np.flatnonzero(~finite_mask).tolist()
