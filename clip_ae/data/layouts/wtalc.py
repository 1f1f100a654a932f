"""Read the layout wtalc: one npy file with the arrays of all videos, and the list of their names in another."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from clip_ae.core.errors import UserError
from clip_ae.data.layouts.array_checks import check_array
from clip_ae.data.layouts.files import FeatureFiles
from clip_ae.data.object_arrays import ObjectArrays, read_texts


class WtalcArrays:
    is_joint = True

    def __init__(self, files: FeatureFiles) -> None:
        arrays_path, self.names_path = files.files_of_shard(0, 1)
        self.arrays = ObjectArrays(files.root_dir / arrays_path)
        names = read_texts(files.root_dir / self.names_path)
        num_arrays = len(self.arrays.records)
        if len(names) != num_arrays or len(set(names)) != len(names):
            facts = (
                f"{num_arrays} arrays, and {len(names)} names in {self.names_path}, {len(set(names))} of them different"
            )
            raise UserError(f"{files.root_dir / arrays_path}: {facts}; the two files are not of one set")
        self.index_by_id = dict(sorted(zip(names, range(num_arrays), strict=True)))
        self.path_by_id = dict.fromkeys(self.index_by_id, arrays_path)

    def paths(self, stream: str) -> Mapping[str, str]:
        return self.path_by_id

    def describe_place(self, stream: str, video_id: str) -> str:
        return f"the name {video_id} in {self.names_path}"

    def shape(self, stream: str, video_id: str) -> tuple[int, int]:
        index = self.index_by_id[video_id]
        return check_array(f"the array of {video_id}", self.arrays.records[index].shape, self.arrays.dtype(index))

    def read(self, stream: str, video_id: str) -> NDArray[Any]:
        return self.arrays.read(self.index_by_id[video_id])
