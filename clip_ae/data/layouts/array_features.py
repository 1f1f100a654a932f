"""Features from the arrays of any layout: their columns, the order of their axes, and the times of the grid."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.errors import ClipAeError, RefusedInput, Unreadable, UserError
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import VideoFeatures
from clip_ae.data.layouts.array_source import ArraySource
from clip_ae.data.layouts.columns import find_columns
from clip_ae.data.layouts.conventions import FORMS
from clip_ae.data.layouts.detect import NAMES_FILE
from clip_ae.data.layouts.files import FeatureFiles
from clip_ae.data.layouts.hdf5 import Hdf5Arrays
from clip_ae.data.layouts.npy_file import ContainsObjects
from clip_ae.data.layouts.npz import NpzArrays
from clip_ae.data.layouts.orientation import Orientation, find_orientation
from clip_ae.data.layouts.video_files import VideoFileArrays
from clip_ae.data.layouts.wtalc import WtalcArrays
from clip_ae.data.snippet_times import snippet_times
from clip_ae.data.source_folder import select_shard

# Readers of files of many videos; the other layouts have a file for each video.
SHARED_FILE_READERS: dict[str, type[ArraySource]] = {"wtalc": WtalcArrays, "hdf5": Hdf5Arrays, "npz": NpzArrays}
# Every job reads the shapes, and a dataset may have hundreds of jobs.
MAX_SHAPES = 2000


class ArrayFeatures:
    """Reads [T, D] or [D, T] arrays; the times of the rows are those of the grid."""

    def __init__(self, files: FeatureFiles, grid: SnippetGrid, shard_index: int, num_shards: int) -> None:
        self.files, self.grid = files, grid
        self.source = SHARED_FILE_READERS.get(files.layout, VideoFileArrays)(files)
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
        """Return the number of rows; Unreadable if the array has not the columns of the others."""
        if video_id not in self.paths_in_shard[stream]:
            expected = self.source.describe_place(stream, video_id)
            raise Unreadable("missing", f"has no {stream} features; expected {expected}")
        shape, orientation = self.source.shape(stream, video_id), self._orientation(stream)
        rows, columns = reversed(shape) if orientation.is_transposed else shape
        if columns != orientation.width:
            hint = "; it seems to be transposed" if rows == orientation.width else ""
            place = f"{stream} in {self.paths_in_shard[stream][video_id]}"
            raise Unreadable("shape", f"{place}: {columns} columns; most videos have {orientation.width}{hint}")
        return rows

    def load(self, stream: str, video_id: str) -> VideoFeatures:
        self.count_rows(stream, video_id)
        array = self.source.read(stream, video_id)
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

    def _columns(self, stream: str) -> slice:
        width = self._orientation(stream).width
        if not self.source.is_joint:
            return slice(0, width)
        try:
            return find_columns(self.files.streams, stream, width)
        except UserError as error:
            raise UserError(f"{self.files.place}: {error}") from None

    def _orientation(self, stream: str) -> Orientation:
        """Return it for the stream, found once. Joint arrays have one for all streams."""
        key = "" if self.source.is_joint else stream
        if key not in self.orientations:
            shapes, failures = self._read_shapes(stream)
            self.orientations[key] = find_orientation(shapes)
            if not self.orientations[key].width:
                raise _make_stream_error(f"{self.files.place}: no file of the {stream} stream", failures)
        return self.orientations[key]

    def _read_shapes(self, stream: str) -> tuple[list[tuple[int, int]], list[Unreadable]]:
        """Return the shapes of all videos, or of evenly spaced ones, and the failures.

        They are the same in the jobs of all shards.
        """
        video_ids = list(self.source.paths(stream))
        shapes: list[tuple[int, int]] = []
        failures: list[Unreadable] = []
        for video_id in video_ids[:: -(-len(video_ids) // MAX_SHAPES) or 1]:
            try:
                shapes.append(self.source.shape(stream, video_id))
            except Unreadable as failure:
                failures.append(failure)
        return shapes, failures


def _make_stream_error(subject: str, failures: Sequence[Unreadable]) -> ClipAeError:
    """Return the error of a stream without any array: RefusedInput if its files are broken, or else UserError."""
    reason = f" ({failures[0]})" if failures else ""
    message = f"{subject} is a [T, D] array of floats{reason}"
    if failures and isinstance(failures[0], ContainsObjects):
        return UserError(
            f"{message}; a file with the arrays of all videos needs {NAMES_FILE} beside it, or in a folder beside it: "
            "docs/features.md"
        )
    if failures and failures[0].kind == "not-an-array":
        return RefusedInput(f"{message}; copy the files again")
    return UserError(message)
