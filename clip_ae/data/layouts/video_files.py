"""Read the layouts streams, joint and suffix: a npy or npz file for each video."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from clip_ae.core.errors import Unreadable
from clip_ae.data.layouts.files import FeatureFiles
from clip_ae.data.layouts.npy_file import map_npy, read_npy_shape
from clip_ae.data.layouts.npz_file import NpzFile


class VideoFileArrays:
    def __init__(self, files: FeatureFiles) -> None:
        self.files = files
        self.is_joint = files.layout == "joint"

    def paths(self, stream: str) -> Mapping[str, str]:
        return self.files.video_files[stream]

    def describe_place(self, stream: str, video_id: str) -> str:
        if self.files.layout == "streams":
            return f"a file {stream}/{video_id}.npy, at any depth"
        return f"a file {video_id}.npy" if self.is_joint else f"a file {video_id}_{stream}.npy"

    def shape(self, stream: str, video_id: str) -> tuple[int, int]:
        path = self._path(stream, video_id)
        if path.suffix.lower() != ".npz":
            return read_npy_shape(path)
        with NpzFile(path) as archive:
            return archive.shape(_only_member(archive))

    def read(self, stream: str, video_id: str) -> NDArray[Any]:
        path = self._path(stream, video_id)
        if path.suffix.lower() != ".npz":
            return map_npy(path)
        with NpzFile(path) as archive:
            return archive.read(_only_member(archive))

    def _path(self, stream: str, video_id: str) -> Path:
        return self.files.root_dir / self.paths(stream)[video_id]


def _only_member(archive: NpzFile) -> str:
    if len(archive.members) != 1:
        raise Unreadable("shape", f"{archive.path.name} has {len(archive.members)} arrays; expected one")
    return next(iter(archive.members))
