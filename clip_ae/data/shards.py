"""Write and read feature shards: Parquet files with one row for each snippet and one row group for each video."""

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clip_ae.core.errors import RefusedInput, Unreadable, UserError
from clip_ae.core.provenance import Provenance, digest_ids
from clip_ae.core.sharding import list_shard_names
from clip_ae.core.types import VideoFeatures
from clip_ae.data.parquet import VIDEO_ID_FIELD, open_table_writer, read_parquet_provenance, report_table_errors
from clip_ae.data.row_group import parse_row_group, read_video_id

# A folder of shards, {stream}/{shard}.parquet, or several folders.
FeatureDirs = Path | Sequence[Path]
FEATURE_DIRS_HELP = "folders of feature shards, {stream}/{shard}.parquet; the last one that has a stream is used"
LOUDNESS_FIELD = pa.field("loudness", pa.float32())


def shard_schema(dim: int, *, with_loudness: bool = False) -> pa.Schema:
    return pa.schema(
        [
            VIDEO_ID_FIELD,
            pa.field("snippet", pa.int32(), nullable=False),
            pa.field("start", pa.float64(), nullable=False),
            pa.field("stop", pa.float64(), nullable=False),
            pa.field("coverage", pa.float32(), nullable=False),
            *([LOUDNESS_FIELD] if with_loudness else []),
            pa.field("feature", pa.fixed_shape_tensor(pa.float16(), [dim]), nullable=False),
        ]
    )


def write_shard(
    path: Path,
    stream: str,
    dim: int,
    videos: Iterable[VideoFeatures],
    provenance: Provenance,
    *,
    with_loudness: bool = False,
) -> None:
    """Write a shard of these videos, one after another, so that memory holds one table only."""
    with open_shard(path, stream, dim, provenance, with_loudness=with_loudness) as write_video:
        for video in videos:
            write_video(video)


@contextlib.contextmanager
def open_shard(
    path: Path, stream: str, dim: int, provenance: Provenance, *, with_loudness: bool = False
) -> Iterator[Callable[[VideoFeatures], None]]:
    """Yield a function that appends a video to a new shard; the shard is complete when the block ends."""
    schema = shard_schema(dim, with_loudness=with_loudness)
    with open_table_writer(path, schema, provenance, {"stream": stream}) as write_table:
        yield lambda video: write_table(_to_table(video, schema))


def read_shard(path: Path, ids: Collection[str] | None = None) -> Iterator[VideoFeatures]:
    """Yield the videos of one shard, in file order; only `ids` if given. RefusedInput if one cannot be used."""
    for video_id, table in read_row_groups(path, ids):
        try:
            yield parse_row_group(table)
        except Unreadable as error:
            raise RefusedInput(f"{path}: video '{video_id}': {error}; delete the file to make it again") from None


def read_row_groups(path: Path, ids: Collection[str] | None = None) -> Iterator[tuple[str, pa.Table]]:
    """Yield the id and the rows of each video, in file order; only `ids` if given. RefusedInput for no shard."""
    with report_table_errors(path):
        file = pq.ParquetFile(path)
    seen: set[str] = set()
    for group in range(file.num_row_groups):
        with report_table_errors(path):
            table = file.read_row_group(group)
            video_id = read_video_id(table)
            if video_id in seen:
                raise ValueError(f"two row groups of video '{video_id}'")
        seen.add(video_id)
        if ids is None or video_id in ids:
            yield video_id, table


def find_stream_dir(stream: str, feature_dirs: FeatureDirs) -> Path:
    """Return the stream's folder. If several folders contain it, the last: adapted features override extracted ones."""
    parents = [feature_dirs] if isinstance(feature_dirs, Path) else feature_dirs
    return next((parent / stream for parent in reversed(parents) if (parent / stream).is_dir()), parents[0] / stream)


def shard_paths(feature_dirs: FeatureDirs, stream: str, num_shards: int) -> list[Path]:
    """Return the paths of all shards of a stream; UserError if one is missing."""
    paths = [find_stream_dir(stream, feature_dirs) / f"{name}.parquet" for name in list_shard_names(num_shards)]
    for path in paths:
        if not path.is_file():
            raise UserError(f"{path}: no such shard; extract or import the {stream} stream first")
    return paths


def read_stream(
    feature_dirs: FeatureDirs, stream: str, num_shards: int, ids: Collection[str] | None = None
) -> dict[str, VideoFeatures]:
    """Return a stream's videos by id, sorted, so that no result depends on the sharding."""
    return read_shards(shard_paths(feature_dirs, stream, num_shards), ids)


def read_shards(paths: Iterable[Path], ids: Collection[str] | None = None) -> dict[str, VideoFeatures]:
    """Return the videos of several shards by sorted id; only `ids` if given. RefusedInput if two shards have one."""
    videos: dict[str, VideoFeatures] = {}
    for path in paths:
        for video in read_shard(path, ids):
            if video.video_id in videos:
                raise RefusedInput(f"{path}: video '{video.video_id}' is in another shard too; keep one")
            videos[video.video_id] = video
    return dict(sorted(videos.items()))


def read_loudness(path: Path) -> dict[str, list[float | None]]:
    """Return the loudness of each snippet in dB of full scale (None: no audio), for the videos that have audio.

    Empty for a shard without the column: another program may have written it.
    """
    with report_table_errors(path):
        if LOUDNESS_FIELD.name not in pq.read_schema(path).names:
            return {}
        table = pq.read_table(path, columns=[VIDEO_ID_FIELD.name, LOUDNESS_FIELD.name])
    ids, values = table[VIDEO_ID_FIELD.name].to_pylist(), table[LOUDNESS_FIELD.name].to_pylist()
    loudness: dict[str, list[float | None]] = {}
    for video_id, value in zip(ids, values, strict=True):
        loudness.setdefault(video_id, []).append(value)
    return {i: values for i, values in loudness.items() if any(v is not None for v in values)}


def read_stream_input_id(feature_dirs: FeatureDirs, stream: str, num_shards: int) -> str:
    """Return one id for the provenance of all shards of a stream."""
    return digest_ids(read_parquet_provenance(p).id for p in shard_paths(feature_dirs, stream, num_shards))


def _to_table(video: VideoFeatures, schema: pa.Schema) -> pa.Table:
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
        *([_loudness_column(video)] if LOUDNESS_FIELD in schema else []),
        pa.ExtensionArray.from_storage(schema.field("feature").type, storage),
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _loudness_column(video: VideoFeatures) -> pa.Array:
    """Return the loudness, null for snippets without audio."""
    unknown = np.full(len(video.start), np.nan, np.float32)
    return pa.array(unknown if video.loudness is None else video.loudness, LOUDNESS_FIELD.type, from_pandas=True)
