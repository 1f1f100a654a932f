"""Read the layout npz: one archive with an array for each video, named by the video id."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from clip_ae.data.layouts.files import FeatureFiles
from clip_ae.data.layouts.npz_file import open_npz


class NpzArrays:
    is_joint = True

    def __init__(self, files: FeatureFiles) -> None:
        [path] = files.files_of_shard(0, 1)
        self.archive = open_npz(files.root_dir / path)
        self.path_by_id = dict.fromkeys(sorted(self.archive.members), path)

    def paths(self, stream: str) -> Mapping[str, str]:
        return self.path_by_id

    def describe_place(self, stream: str, video_id: str) -> str:
        return f"the array {video_id} in {self.archive.path.name}"

    def shape(self, stream: str, video_id: str) -> tuple[int, int]:
        return self.archive.shape(video_id)

    def read(self, stream: str, video_id: str) -> NDArray[Any]:
        return self.archive.read(video_id)
