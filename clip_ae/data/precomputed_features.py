"""Read precomputed features of any layout through one interface."""

from typing import Protocol

from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import VideoFeatures
from clip_ae.data.layouts.array_features import ArrayFeatures
from clip_ae.data.layouts.files import FeatureFiles
from clip_ae.data.layouts.shards import ShardFeatures


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
