"""The files of precomputed features in one layout, as listed; no file is opened.

Standard library only: each parse of the workflow reads this module.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clip_ae.core.config.schema import LayoutName
from clip_ae.data.source_folder import select_shard


@dataclass(frozen=True)
class FeatureFiles:
    """Paths are relative to `root_dir`."""

    layout: LayoutName
    root_dir: Path
    # The streams that were asked for, or those that the files name.
    streams: tuple[str, ...]
    # One file for each video, by stream and video id; the same file for each stream if it has the columns of all.
    video_files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    # Files of many videos, by stream: ids are known only after reading them.
    shared_files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def place(self) -> Path:
        """The one file, or the folder of several, for messages."""
        paths = {path for paths in self.shared_files.values() for path in paths}
        paths |= {path for files in self.video_files.values() for path in files.values()}
        return self.root_dir / paths.pop() if len(paths) == 1 else self.root_dir

    def video_ids(self) -> set[str]:
        """Return the ids of videos with a file of their own in any stream."""
        return {video_id for files in self.video_files.values() for video_id in files}

    def files_of_shard(self, shard_index: int, num_shards: int) -> list[str]:
        """Return the files that one job reads: those of its own videos, and all files of many videos."""
        shared = [path for paths in self.shared_files.values() for path in paths]
        own = [select_shard(files, shard_index, num_shards) for files in self.video_files.values()]
        return list(dict.fromkeys([*shared, *(path for files in own for path in files.values())]))
