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
    record = make_provenance("import_features", spec, inputs, libraries=("numpy",))
    failed: list[Failure] = []
    videos = _videos(source, spec.stream, rows, failed)
    write_shard(out, spec.stream, source.dim(spec.stream), videos, record)
    write_rows(failures, FAILURES_SCHEMA, failed, record)


def _videos(
    source: PrecomputedFeatures, stream: str, rows: list[dict[str, int]], failed: list[Failure]
) -> Iterator[VideoFeatures]:
    for row in track(rows, f"import {stream}", unit="videos"):
        video = source.load(stream, str(row["video_id"]))
        good, broken = _finite(_cut(video, row["snippets"]))
        if broken:
            message = f"{len(broken)} features are not finite in float16, first that of snippet {broken[0]}"
            failed.append(Failure(good.video_id, f"import_features/{stream}", "not-finite", message))
        yield good


def _cut(video: VideoFeatures, rows: int) -> VideoFeatures:
    loudness = None if video.loudness is None else video.loudness[:rows]
    return VideoFeatures(
        video.video_id, video.start[:rows], video.stop[:rows], video.coverage[:rows], video.feature[:rows], loudness
    )


def _finite(video: VideoFeatures) -> tuple[VideoFeatures, list[int]]:
    """Without nan and infinity: such a snippet counts as not covered; and which they were."""
    finite = np.asarray(np.isfinite(video.feature).all(axis=1))
    coverage = np.where(finite, video.coverage, 0).astype(np.float32)
    feature = np.where(finite[:, None], video.feature, 0).astype(np.float16)
    return replace(video, coverage=coverage, feature=feature), np.flatnonzero(~finite).tolist()
