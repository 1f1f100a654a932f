"""Ready features of either form behind one face: npy files, or shards cut another way."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from clip_ae.core.errors import RefusedInput, Unreadable, UserError
from clip_ae.core.sharding import assign_shard
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import VideoFeatures
from clip_ae.data.shards import read_shard
from clip_ae.data.snippet_times import snippet_times
from clip_ae.data.source_folder import FeatureFiles, select_shard

# Seconds by which shards may miss the grid that the config states.
GRID_TOLERANCE_S = 1e-6


class PrecomputedFeatures(Protocol):
    """The ready features of one shard's videos."""

    # Where each video was found, in the folder.
    video_paths: dict[str, str]

    def dim(self, stream: str) -> int: ...

    def shape(self, stream: str, video_id: str) -> tuple[int, int]:
        """(snippets, dim), without reading the features where that can be had."""
        ...

    def load(self, stream: str, video_id: str) -> VideoFeatures:
        """Unreadable where there is nothing that could be used."""
        ...


def open_precomputed(
    features_dir: Path, files: FeatureFiles, grid: SnippetGrid, shard_index: int, num_shards: int
) -> PrecomputedFeatures:
    return (
        ShardFeatures(features_dir, files, grid, shard_index, num_shards)
        if files.shard_files
        else NpyFeatures(features_dir, files, grid, shard_index, num_shards)
    )


class NpyFeatures:
    """One [T, D] file a video and stream."""

    def __init__(
        self, features_dir: Path, files: FeatureFiles, grid: SnippetGrid, shard_index: int, num_shards: int
    ) -> None:
        self.features_dir, self.grid, self.all_files = features_dir, grid, files.npy_files
        self.files_in_shard = {
            stream: select_shard(found, shard_index, num_shards) for stream, found in files.npy_files.items()
        }
        self.video_paths = {
            video_id: path for found in self.files_in_shard.values() for video_id, path in found.items()
        }

    def dim(self, stream: str) -> int:
        """That of the stream's first good file, in whichever shard it lies."""
        for path in self.all_files[stream].values():
            try:
                return int(_array(self.features_dir / path).shape[1])
            except Unreadable:
                continue
        raise UserError(f"{self.features_dir}: no file of the {stream} stream is a [T, D] array")

    def shape(self, stream: str, video_id: str) -> tuple[int, int]:
        rows, dim = self._values(stream, video_id).shape
        return rows, dim

    def load(self, stream: str, video_id: str) -> VideoFeatures:
        values = self._values(stream, video_id)
        start, stop = snippet_times(self.grid, len(values))
        coverage = np.ones(len(values), np.float32)
        with np.errstate(over="ignore"):
            return VideoFeatures(video_id, start, stop, coverage, values.astype(np.float16))

    def _values(self, stream: str, video_id: str) -> NDArray[Any]:
        if video_id not in self.files_in_shard[stream]:
            raise Unreadable("missing", f"has no {stream} features")
        return _array(self.features_dir / self.files_in_shard[stream][video_id])


class ShardFeatures:
    """Shards of our own form, read whole: a shard's features fit in memory."""

    def __init__(
        self, features_dir: Path, files: FeatureFiles, grid: SnippetGrid, shard_index: int, num_shards: int
    ) -> None:
        self.features_dir, self.all_files = features_dir, files.shard_files
        self.video_paths: dict[str, str] = {}
        self.videos: dict[str, dict[str, VideoFeatures]] = {}
        for stream, paths in files.shard_files.items():
            videos = self.videos[stream] = {}
            for path in paths:
                wanted = {i for i in _ids(features_dir / path) if assign_shard(i, num_shards) == shard_index}
                for video in read_shard(features_dir / path, wanted) if wanted else ():
                    _check_grid(features_dir / path, video, grid)
                    if video.video_id in videos:
                        raise UserError(
                            f"{features_dir}: '{video.video_id}' is twice in the {stream} shards; remove one"
                        )
                    videos[video.video_id] = video
                    self.video_paths[video.video_id] = path

    def dim(self, stream: str) -> int:
        shape = pq.read_schema(self.features_dir / self.all_files[stream][0]).field("feature").type.shape
        return int(shape[0])

    def shape(self, stream: str, video_id: str) -> tuple[int, int]:
        rows, dim = self.load(stream, video_id).feature.shape
        return rows, dim

    def load(self, stream: str, video_id: str) -> VideoFeatures:
        if video_id not in self.videos[stream]:
            raise Unreadable("missing", f"has no {stream} features")
        return self.videos[stream][video_id]


def _array(path: Path) -> NDArray[Any]:
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        words = str(error).splitlines()[0].replace(str(path), path.name)
        raise Unreadable("not-an-array", f"{path.name} is not a plain npy array: {words}") from None
    if not isinstance(values, np.ndarray) or values.ndim != 2 or values.dtype.kind != "f" or 0 in values.shape:
        form = f"{values.dtype} {list(values.shape)}" if isinstance(values, np.ndarray) else "an archive"
        raise Unreadable("shape", f"{path.name} holds {form}; expected floats [snippets, dim]")
    return values


def _ids(path: Path) -> set[str]:
    try:
        return set(pq.read_table(path, columns=["video_id"])["video_id"].unique().to_pylist())
    except (pa.ArrowInvalid, KeyError) as error:
        raise RefusedInput(f"{path}: not a feature shard ({str(error).splitlines()[0]})") from None


def _check_grid(path: Path, video: VideoFeatures, grid: SnippetGrid) -> None:
    start, stop = snippet_times(grid, len(video.start))
    off = (np.abs(video.start - start) > GRID_TOLERANCE_S) | (np.abs(video.stop - stop) > GRID_TOLERANCE_S)
    if off.any():
        k = int(np.argmax(off))
        raise UserError(
            f"{path}: snippet {k} of '{video.video_id}' is {video.start[k]:.3f} ... {video.stop[k]:.3f} s, and "
            f"{start[k]:.3f} ... {stop[k]:.3f} s on the config's grid; set `grid` to that of the features"
        )
