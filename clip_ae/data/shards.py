"""Feature shards: one row a snippet, one row group a video."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clip_ae.core.errors import UserError
from clip_ae.core.provenance import Provenance, digest_ids
from clip_ae.core.sharding import list_shard_names
from clip_ae.core.types import VideoFeatures
from clip_ae.data.parquet import VIDEO_ID_FIELD, read_parquet_provenance, report_table_errors, write_tables

AUDIO_STREAM = "audio"
# A folder of shards, {stream}/{shard}.parquet, or several.
FeatureDirs = Path | Sequence[Path]
FEATURE_DIRS_HELP = "folders of feature shards, {stream}/{shard}.parquet; of several with a stream the last counts"
LOUDNESS_FIELD = pa.field("loudness", pa.float32())


def shard_schema(stream: str, dim: int) -> pa.Schema:
    return pa.schema(
        [
            VIDEO_ID_FIELD,
            pa.field("snippet", pa.int32(), nullable=False),
            pa.field("start", pa.float64(), nullable=False),
            pa.field("stop", pa.float64(), nullable=False),
            pa.field("coverage", pa.float32(), nullable=False),
            *([LOUDNESS_FIELD] if stream == AUDIO_STREAM else []),
            pa.field("feature", pa.fixed_shape_tensor(pa.float16(), [dim]), nullable=False),
        ]
    )


def write_shard(path: Path, stream: str, dim: int, videos: Iterable[VideoFeatures], provenance: Provenance) -> None:
    columns = shard_schema(stream, dim)
    tables = (_table(video, columns) for video in videos)
    write_tables(path, columns, tables, provenance, metadata={"stream": stream})


def read_shard(path: Path, ids: Collection[str] | None = None) -> Iterator[VideoFeatures]:
    """The videos of one shard, in file order; only `ids` when given."""
    with report_table_errors(path):
        table = pq.ParquetFile(path)
    for group in range(table.num_row_groups):
        with report_table_errors(path):
            video = _video(table.read_row_group(group))
        if ids is None or video.video_id in ids:
            yield video


def find_stream_dir(stream: str, feature_dirs: FeatureDirs) -> Path:
    """Of several folders the last that has the stream: what a run was taught stands before what was extracted."""
    folders = [feature_dirs] if isinstance(feature_dirs, Path) else feature_dirs
    return next((place / stream for place in reversed(folders) if (place / stream).is_dir()), folders[0] / stream)


def shard_paths(feature_dirs: FeatureDirs, stream: str, num_shards: int) -> list[Path]:
    """The shard files of a stream; a missing one is named."""
    paths = [find_stream_dir(stream, feature_dirs) / f"{name}.parquet" for name in list_shard_names(num_shards)]
    for path in paths:
        if not path.is_file():
            raise UserError(f"{path}: no such shard; extract or import the {stream} stream first")
    return paths


def read_stream(
    feature_dirs: FeatureDirs, stream: str, num_shards: int, ids: Collection[str] | None = None
) -> dict[str, VideoFeatures]:
    """A stream's videos by id, sorted, so that no result depends on the sharding."""
    found = [v for path in shard_paths(feature_dirs, stream, num_shards) for v in read_shard(path, ids)]
    return {v.video_id: v for v in sorted(found, key=lambda v: v.video_id)}


def read_loudness(path: Path) -> dict[str, list[float | None]]:
    """Of a shard's videos whose sound was heard, dB of full scale a snippet; a shard from elsewhere may not know it."""
    with report_table_errors(path):
        if LOUDNESS_FIELD.name not in pq.read_schema(path).names:
            return {}
        table = pq.read_table(path, columns=[VIDEO_ID_FIELD.name, LOUDNESS_FIELD.name])
    found: dict[str, list[float | None]] = {}
    for video_id, value in zip(
        table[VIDEO_ID_FIELD.name].to_pylist(), table[LOUDNESS_FIELD.name].to_pylist(), strict=True
    ):
        found.setdefault(video_id, []).append(value)
    return {i: values for i, values in found.items() if any(v is not None for v in values)}


def read_stream_input_id(feature_dirs: FeatureDirs, stream: str, num_shards: int) -> str:
    """One id for all the records of a stream's shards."""
    return digest_ids(read_parquet_provenance(p).id for p in shard_paths(feature_dirs, stream, num_shards))


def _table(video: VideoFeatures, columns: pa.Schema) -> pa.Table:
    rows, dim = video.feature.shape
    flat = pa.array(np.ascontiguousarray(video.feature, dtype=np.float16).reshape(-1))
    storage = pa.FixedSizeListArray.from_arrays(flat, dim)
    ids = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), [video.video_id])
    arrays = [
        ids,
        pa.array(np.arange(rows, dtype=np.int32)),
        pa.array(video.start.astype(np.float64)),
        pa.array(video.stop.astype(np.float64)),
        pa.array(video.coverage.astype(np.float32)),
        *([_loudness(video)] if LOUDNESS_FIELD in columns else []),
        pa.ExtensionArray.from_storage(columns.field("feature").type, storage),
    ]
    return pa.Table.from_arrays(arrays, schema=columns)


def _loudness(video: VideoFeatures) -> pa.Array:
    """Null where nothing was heard."""
    unknown = np.full(len(video.start), np.nan, np.float32)
    return pa.array(unknown if video.loudness is None else video.loudness, LOUDNESS_FIELD.type, from_pandas=True)


def _video(table: pa.Table) -> VideoFeatures:
    table = table.combine_chunks()
    feature = table["feature"].combine_chunks()
    return VideoFeatures(
        video_id=str(table["video_id"][0]),
        start=table["start"].to_numpy(),
        stop=table["stop"].to_numpy(),
        coverage=table["coverage"].to_numpy(),
        feature=feature.to_numpy_ndarray(),
        loudness=table[LOUDNESS_FIELD.name].to_numpy() if LOUDNESS_FIELD.name in table.column_names else None,
    )
