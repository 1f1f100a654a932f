"""Read the layout shards: feature shards of this project, of any number."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from clip_ae.core.errors import RefusedInput, Unreadable, UserError
from clip_ae.core.sharding import assign_shard
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import VideoFeatures
from clip_ae.data.layouts.conventions import FORMS
from clip_ae.data.layouts.files import FeatureFiles
from clip_ae.data.parquet import report_table_errors
from clip_ae.data.row_group import parse_row_group
from clip_ae.data.shards import read_row_groups
from clip_ae.data.snippet_times import snippet_times

# Seconds by which times in shards may differ from the grid in the config.
GRID_TOLERANCE_S = 1e-6


class ShardFeatures:
    """Reads shards of this project's own form. They are read whole: the features of one shard fit in memory."""

    def __init__(self, files: FeatureFiles, grid: SnippetGrid, shard_index: int, num_shards: int) -> None:
        self.features_dir, self.grid, self.all_files = files.root_dir, grid, files.shared_files
        self.video_paths: dict[str, str] = {}
        self.dims: dict[str, int] = {}
        self.videos: dict[str, dict[str, VideoFeatures | Unreadable]] = {stream: {} for stream in self.all_files}
        for stream, paths in self.all_files.items():
            for path in paths:
                video_ids = _read_video_ids(self.features_dir / path)
                self._read(stream, path, {i for i in video_ids if assign_shard(i, num_shards) == shard_index})

    def _read(self, stream: str, path: str, video_ids: set[str]) -> None:
        videos = self.videos[stream]
        for video_id, table in read_row_groups(self.features_dir / path, video_ids) if video_ids else ():
            if video_id in videos:
                raise UserError(
                    f"{self.features_dir}: two {stream} shards contain video '{video_id}'; remove it from one"
                )
            self.video_paths[video_id] = path
            try:
                videos[video_id] = video = parse_row_group(table)
            except Unreadable as error:
                videos[video_id] = error
            else:
                _check_grid(self.features_dir / path, video, self.grid)

    def dim(self, stream: str) -> int:
        if stream not in self.dims:
            self.dims[stream] = self._find_dim(stream)
        return self.dims[stream]

    def _find_dim(self, stream: str) -> int:
        """Return the feature length of most videos; RefusedInput if no file has features of any length."""
        num_videos: Counter[int] = Counter()
        for path in self.all_files[stream]:
            with report_table_errors(self.features_dir / path):
                file = pq.ParquetFile(self.features_dir / path)
                data_type = file.schema_arrow.field("feature").type
            if isinstance(data_type, pa.FixedShapeTensorType) and len(data_type.shape) == 1:
                num_videos[int(data_type.shape[0])] += file.num_row_groups
        if not num_videos:
            raise RefusedInput(
                f"{self.features_dir}: the {stream} shards have no column `feature` of fixed_shape_tensor"
            )
        return num_videos.most_common(1)[0][0]

    def count_rows(self, stream: str, video_id: str) -> int:
        rows, dim = self.load(stream, video_id).feature.shape
        if dim != self.dim(stream):
            raise Unreadable("shape", f"{stream} features of length {dim}; most videos have {self.dim(stream)}")
        return int(rows)

    def describe(self) -> str:
        dims = ", ".join(f"{stream} {self.dim(stream)}" for stream in self.all_files)
        num_files = sum(map(len, self.all_files.values()))
        return f"{self.features_dir}: layout shards ({FORMS['shards']}); {num_files} files; columns: {dims}"

    def load(self, stream: str, video_id: str) -> VideoFeatures:
        if video_id not in self.videos[stream]:
            raise Unreadable("missing", f"has no {stream} features; expected rows of it in {stream}/*.parquet")
        video = self.videos[stream][video_id]
        if isinstance(video, Unreadable):
            raise video
        return video


def _read_video_ids(path: Path) -> set[str]:
    with report_table_errors(path):
        return set(pq.read_table(path, columns=["video_id"])["video_id"].unique().to_pylist())


def _check_grid(path: Path, video: VideoFeatures, grid: SnippetGrid) -> None:
    start, stop = snippet_times(grid, len(video.start))
    off_grid_mask = (np.abs(video.start - start) > GRID_TOLERANCE_S) | (np.abs(video.stop - stop) > GRID_TOLERANCE_S)
    if off_grid_mask.any():
        k = int(np.argmax(off_grid_mask))
        raise UserError(
            f"{path}: snippet {k} of '{video.video_id}' is {video.start[k]:.3f} ... {video.stop[k]:.3f} s, and "
            f"{start[k]:.3f} ... {stop[k]:.3f} s on the config's grid; set `grid` to that of the features"
        )
