"""Read the layout hdf5. Videos may be ID, ID/features (the one data set of a group), ID/{stream} or {stream}/ID.

Links to other files and data sets stored in other files are refused: a feature file must not read files of its own
choice.
"""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.errors import RefusedInput, Unreadable, UserError, describe_error
from clip_ae.core.files import refuse_special_file
from clip_ae.data.layouts.array_checks import check_array, report_array_errors
from clip_ae.data.layouts.files import FeatureFiles

FORM = "a data set of numbers"


class Hdf5Arrays:
    def __init__(self, files: FeatureFiles) -> None:
        self.path_by_stream = {stream: paths[0] for stream, paths in files.shared_files.items()}
        self.file_by_path = {path: _open(files.root_dir / path) for path in set(self.path_by_stream.values())}
        with _report_broken(files.place):
            self.template, self.is_joint = self._find_template(files.streams)

    def _find_template(self, streams: tuple[str, ...]) -> tuple[str, bool]:
        """Return how the data set of a stream and a video is named, and whether it has all streams' columns."""
        if len(self.file_by_path) > 1:
            return "{id}", False
        [file] = self.file_by_path.values()
        if all(_is_group(file, stream) for stream in streams):
            return "{stream}/{id}", False
        first = next(iter(file), None)
        if first is not None and _is_group(file, first) and all(stream in file[first] for stream in streams):
            return "{id}/{stream}", False
        return "{id}", True

    def paths(self, stream: str) -> Mapping[str, str]:
        path = self.path_by_stream[stream]
        file = self.file_by_path[path]
        with _report_broken(path):
            return dict.fromkeys(sorted(file[stream] if self.template.startswith("{stream}") else file), path)

    def describe_place(self, stream: str, video_id: str) -> str:
        name = self.template.format(stream=stream, id=video_id)
        return f"the data set {name} in {self.path_by_stream[stream]}"

    def shape(self, stream: str, video_id: str) -> tuple[int, int]:
        name, data_set = self._find(stream, video_id)
        return check_array(name, data_set.shape, data_set.dtype)

    def read(self, stream: str, video_id: str) -> NDArray[Any]:
        name, data_set = self._find(stream, video_id)
        check_array(name, data_set.shape, data_set.dtype)
        with report_array_errors(name, FORM):
            return np.asarray(data_set[:])

    def _find(self, stream: str, video_id: str) -> tuple[str, Any]:
        """Return the data set's name for messages, and the data set."""
        path = self.path_by_stream[stream]
        name = self.template.format(stream=stream, id=video_id)
        title = f"{path}/{name}"
        with report_array_errors(title, FORM):
            return title, _check_stored_here(title, _only_data_set(title, _follow(self.file_by_path[path], name)))


def _open(path: Path) -> Any:
    try:
        import h5py
    except ImportError:
        raise UserError(f'{path}: reading HDF5 needs h5py; pip install "clip-ae[hdf5]"') from None
    refuse_special_file(path)
    try:
        return h5py.File(path, "r")
    except OSError:
        raise RefusedInput(f"{path}: not an HDF5 file, or its end is missing") from None


@contextlib.contextmanager
def _report_broken(place: object) -> Iterator[None]:
    """Turn an error of the HDF5 library in the lists of a file into RefusedInput."""
    try:
        yield
    except (OSError, RuntimeError, LookupError, ValueError, TypeError) as error:
        raise RefusedInput(f"{place}: a broken HDF5 file ({describe_error(error)}); copy it again") from None


def _is_group(file: Any, name: str) -> bool:
    return _has_own(file, name) and hasattr(file[name], "keys")


def _has_own(group: Any, name: str) -> bool:
    """Return whether the group itself has an object of that name: a link to another place is not followed."""
    from h5py import h5l

    try:
        return bool(group.id.links.get_info(name.encode()).type == h5l.TYPE_HARD)
    except (KeyError, RuntimeError):  # no such name
        return False


def _follow(group: Any, name: str) -> Any:
    """Return the object of that name; Unreadable if there is none or only a link."""
    for part in name.split("/"):
        if not hasattr(group, "keys") or not _has_own(group, part):
            raise Unreadable("missing", f"has no data set {name} in the file itself")
        group = group[part]
    return group


def _only_data_set(title: str, item: Any) -> Any:
    if not hasattr(item, "keys"):
        return item
    names = list(item)
    if len(names) != 1:
        raise Unreadable("shape", f"{title} has {len(names)} data sets; expected one")
    return _follow(item, names[0])


def _check_stored_here(title: str, data_set: Any) -> Any:
    if not hasattr(data_set, "external") or data_set.external or data_set.is_virtual:
        raise Unreadable("not-an-array", f"{title} is not stored in the file itself")
    return data_set
