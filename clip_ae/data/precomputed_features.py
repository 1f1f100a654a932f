"""Read precomputed features of any layout through one interface."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.errors import Unreadable, UserError
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import VideoFeatures
from clip_ae.data.layouts.array_source import ArraySource
from clip_ae.data.layouts.columns import find_columns
from clip_ae.data.layouts.conventions import FORMS
from clip_ae.data.layouts.files import FeatureFiles
from clip_ae.data.layouts.hdf5 import Hdf5Arrays
from clip_ae.data.layouts.npz import NpzArrays
from clip_ae.data.layouts.orientation import Orientation, find_orientation
from clip_ae.data.layouts.shards import ShardFeatures
from clip_ae.data.layouts.video_files import VideoFileArrays
from clip_ae.data.layouts.wtalc import WtalcArrays
from clip_ae.data.snippet_times import snippet_times
from clip_ae.data.source_folder import select_shard


class PrecomputedFeatures(Protocol):
    """The precomputed features of the videos in one shard."""

    # Path of each video's file in the folder, by video id.
    video_paths: dict[str, str]

    def dim(self, stream: str) -> int:
        """Return the length of a feature: the most common one over the files of the stream."""
        ...

    def count_rows(self, stream: str, video_id: str) -> int:
        """Return the number of snippets; Unreadable if the features are missing, or not of length `dim`."""
        ...

    def load(self, stream: str, video_id: str) -> VideoFeatures:
        """Return the features; Unreadable if the video has none that can be used."""
        ...

    def describe(self) -> str:
        """Return a line for the log: the layout, and what is assumed about it."""
        ...


def open_precomputed(files: FeatureFiles, grid: SnippetGrid, shard_index: int, num_shards: int) -> PrecomputedFeatures:
    """Return a reader for the videos in shard `shard_index` of `num_shards`."""
    if files.layout == "shards":
        return ShardFeatures(files, grid, shard_index, num_shards)
    return ArrayFeatures(files, grid, shard_index, num_shards)


def open_arrays(files: FeatureFiles) -> ArraySource:
    readers: dict[str, type[ArraySource]] = {"wtalc": WtalcArrays, "hdf5": Hdf5Arrays, "npz": NpzArrays}
    return readers.get(files.layout, VideoFileArrays)(files)


class ArrayFeatures:
    """Reads [T, D] or [D, T] arrays of any layout; the times of the rows are those of the grid."""

    def __init__(self, files: FeatureFiles, grid: SnippetGrid, shard_index: int, num_shards: int) -> None:
        self.files, self.grid = files, grid
        self.source = open_arrays(files)
        self.paths_in_shard = {
            stream: select_shard(self.source.paths(stream), shard_index, num_shards) for stream in files.streams
        }
        self.video_paths = {
            video_id: path for paths in self.paths_in_shard.values() for video_id, path in paths.items()
        }
        self.orientations: dict[str, Orientation] = {}

    def dim(self, stream: str) -> int:
        columns = self._columns(stream)
        return int(columns.stop - columns.start)

    def count_rows(self, stream: str, video_id: str) -> int:
        self._check_exists(stream, video_id)
        return self._orient(stream, video_id, self.source.shape(stream, video_id))[0]

    def load(self, stream: str, video_id: str) -> VideoFeatures:
        self._check_exists(stream, video_id)
        array = self.source.read(stream, video_id)
        self._orient(stream, video_id, (array.shape[0], array.shape[1]))
        values: NDArray[Any] = (array.T if self._orientation(stream).is_transposed else array)[:, self._columns(stream)]
        start, stop = snippet_times(self.grid, len(values))
        coverage = np.ones(len(values), np.float32)
        with np.errstate(over="ignore"):
            return VideoFeatures(video_id, start, stop, coverage, values.astype(np.float16))

    def describe(self) -> str:
        videos = {video_id for stream in self.files.streams for video_id in self.source.paths(stream)}
        dims = ", ".join(f"{stream} {self.dim(stream)}" for stream in self.files.streams)
        orientations = [self._orientation(stream) for stream in self.files.streams]
        order = "[D, T], so each is transposed" if any(o.is_transposed for o in orientations) else "[T, D]"
        form = f"{self.files.layout} ({FORMS[self.files.layout]})"
        return f"{self.files.place}: layout {form}; {len(videos)} videos, arrays {order}; columns: {dims}"

    def _check_exists(self, stream: str, video_id: str) -> None:
        if video_id not in self.paths_in_shard[stream]:
            raise Unreadable("missing", f"has no {stream} features")

    def _orient(self, stream: str, video_id: str, shape: tuple[int, int]) -> tuple[int, int]:
        """Return (rows, columns) of an array as stored; Unreadable if it has not the columns of the others."""
        orientation = self._orientation(stream)
        rows, columns = reversed(shape) if orientation.is_transposed else shape
        if columns != orientation.width:
            hint = "; it seems to be transposed" if rows == orientation.width else ""
            name = self.paths_in_shard[stream][video_id]
            raise Unreadable(
                "shape", f"{stream} in {name}: {columns} columns; most videos have {orientation.width}{hint}"
            )
        return rows, columns

    def _columns(self, stream: str) -> slice:
        width = self._orientation(stream).width
        if not self.source.is_joint:
            return slice(0, width)
        try:
            return find_columns(self.files.streams, stream, width)
        except UserError as error:
            raise UserError(f"{self.files.place}: {error}") from None

    def _orientation(self, stream: str) -> Orientation:
        """Return it for the stream: read once from all shapes. Joint arrays have one for all streams."""
        key = "" if self.source.is_joint else stream
        if key not in self.orientations:
            self.orientations[key] = find_orientation(self._read_shapes(stream))
            if not self.orientations[key].width:
                raise UserError(f"{self.files.place}: no file of the {stream} stream is a [T, D] array of floats")
        return self.orientations[key]

    def _read_shapes(self, stream: str) -> list[tuple[int, int]]:
        shapes = []
        for video_id in self.source.paths(stream):
            try:
                shapes.append(self.source.shape(stream, video_id))
            except Unreadable:
                continue
        return shapes
