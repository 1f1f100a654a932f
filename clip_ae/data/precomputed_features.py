"""Read precomputed features of either form through one interface: npy files, or shards with any number of shards."""

from pathlib import Path
from typing import Any, Protocol
from zipfile import BadZipFile

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

# Seconds by which times in shards may differ from the grid in the config.
GRID_TOLERANCE_S = 1e-6


class PrecomputedFeatures(Protocol):
    """The precomputed features of the videos in one shard."""

    # Path of each video's file in the folder, by video id.
    video_paths: dict[str, str]

    def dim(self, stream: str) -> int:
        """Return the length of a feature."""
        ...

    def shape(self, stream: str, video_id: str) -> tuple[int, int]:
        """Return (snippets, dim), without reading the features if possible."""
        ...

    def load(self, stream: str, video_id: str) -> VideoFeatures:
        """Return the features; Unreadable if the video has none that can be used."""
        ...


def open_precomputed(
    features_dir: Path, files: FeatureFiles, grid: SnippetGrid, shard_index: int, num_shards: int
) -> PrecomputedFeatures:
    """Return a reader for the videos in shard `shard_index` of `num_shards`."""
    return (
        ShardFeatures(features_dir, files, grid, shard_index, num_shards)
        if files.shard_files
        else NpyFeatures(features_dir, files, grid, shard_index, num_shards)
    )


class NpyFeatures:
    """Reads one [T, D] file for each video and stream."""

    def __init__(
        self, features_dir: Path, files: FeatureFiles, grid: SnippetGrid, shard_index: int, num_shards: int
    ) -> None:
        self.features_dir, self.grid, self.all_files = features_dir, grid, files.npy_files
        self.files_in_shard = {
            stream: select_shard(paths, shard_index, num_shards) for stream, paths in files.npy_files.items()
        }
        self.video_paths = {
            video_id: path for paths in self.files_in_shard.values() for video_id, path in paths.items()
        }

    def dim(self, stream: str) -> int:
        """Return the feature length of the stream's first readable file in any shard."""
        for path in self.all_files[stream].values():
            try:
                return int(_load_array(self.features_dir / path).shape[1])
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
        return _load_array(self.features_dir / self.files_in_shard[stream][video_id])


class ShardFeatures:
    """Reads shards of this project's own form. They are read whole: the features of one shard fit in memory."""

    def __init__(
        self, features_dir: Path, files: FeatureFiles, grid: SnippetGrid, shard_index: int, num_shards: int
    ) -> None:
        self.features_dir, self.grid, self.all_files = features_dir, grid, files.shard_files
        self.video_paths: dict[str, str] = {}
        self.videos: dict[str, dict[str, VideoFeatures]] = {stream: {} for stream in files.shard_files}
        for stream, paths in files.shard_files.items():
            for path in paths:
                video_ids = _read_video_ids(features_dir / path)
                self._read(stream, path, {i for i in video_ids if assign_shard(i, num_shards) == shard_index})

    def _read(self, stream: str, path: str, video_ids: set[str]) -> None:
        videos = self.videos[stream]
        for video in read_shard(self.features_dir / path, video_ids) if video_ids else ():
            _check_grid(self.features_dir / path, video, self.grid)
            if video.video_id in videos:
                raise UserError(
                    f"{self.features_dir}: two {stream} shards contain video '{video.video_id}'; remove it from one"
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


def _load_array(path: Path) -> NDArray[Any]:
    """Return the mapped array of a npy file; Unreadable if it is not floats [snippets, dim]."""
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise Unreadable("not-an-array", f"{path.name} cannot be read: {error.strerror or error}") from None
    except (ValueError, EOFError, BadZipFile):
        # numpy's message is not shown: it advises to load the file as a pickle, which would run code in it.
        raise Unreadable("not-an-array", f"{path.name} is not a .npy file of numbers, or its end is missing") from None
    if not isinstance(values, np.ndarray):
        raise Unreadable("shape", f"{path.name} contains an archive; expected floats [snippets, dim]")
    if values.ndim != 2 or values.dtype.kind != "f" or 0 in values.shape:
        raise Unreadable(
            "shape", f"{path.name} contains {values.dtype} {list(values.shape)}; expected floats [snippets, dim]"
        )
    return values


def _read_video_ids(path: Path) -> set[str]:
    try:
        return set(pq.read_table(path, columns=["video_id"])["video_id"].unique().to_pylist())
    except (pa.ArrowInvalid, KeyError) as error:
        raise RefusedInput(f"{path}: not a feature shard ({str(error).splitlines()[0]})") from None


def _check_grid(path: Path, video: VideoFeatures, grid: SnippetGrid) -> None:
    start, stop = snippet_times(grid, len(video.start))
    off_grid_mask = (np.abs(video.start - start) > GRID_TOLERANCE_S) | (np.abs(video.stop - stop) > GRID_TOLERANCE_S)
    if off_grid_mask.any():
        k = int(np.argmax(off_grid_mask))
        raise UserError(
            f"{path}: snippet {k} of '{video.video_id}' is {video.start[k]:.3f} ... {video.stop[k]:.3f} s, and "
            f"{start[k]:.3f} ... {stop[k]:.3f} s on the config's grid; set `grid` to that of the features"
        )
