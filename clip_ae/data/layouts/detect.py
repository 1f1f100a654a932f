"""Recognise the layout of a folder, or of one file, of precomputed features, and list its files.

Standard library only: each parse of the workflow reads this module.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from clip_ae.core.errors import UserError, suggest_name
from clip_ae.data.layouts.conventions import FORMS, KNOWN_SUFFIXES, SUFFIX_ALIASES
from clip_ae.data.layouts.files import FeatureFiles
from clip_ae.data.source_folder import escape_undecodable, index_by_stem, walk_files

FEATURE_SUFFIXES = frozenset({".npy", ".npz", ".h5", ".hdf5", ".parquet"})
NAMES_FILE = "videoname.npy"
TABLE_FOLDERS = ("probe", "failures")
# End of the name, in small letters, of published files with the arrays of all videos.
ALL_ARRAYS_ENDING = "jointfeatures.npy"
Paths = Sequence[str]
Streams = Sequence[str]


def list_feature_files(features: Path, streams: Streams, layout: str | None = None, hint: str = "") -> FeatureFiles:
    """Return the files of `layout`, or of the one layout that fits; with no `streams`, those that the layout names.

    `hint` is added to errors. UserError if no layout fits, or two.
    """
    root = features.parent if features.is_file() else features
    paths = _paths_of_file(features) if features.is_file() else sorted(walk_files(features, FEATURE_SUFFIXES, hint))
    if layout is None:
        fitting = _find_fitting(root, paths, tuple(streams))
    elif layout in LISTERS:
        fitting = [files for files in [LISTERS[layout](root, paths, tuple(streams))] if files]
    else:
        raise UserError(f"layout {layout}: no such layout{suggest_name(layout, LISTERS)}{hint}")
    if len(fitting) != 1:
        raise UserError(_describe_mismatch(features, fitting, streams, layout) + hint)
    if layout is None:
        _check_names_file(fitting[0], hint)
    _check_streams(features, fitting[0], hint)
    return fitting[0]


def _find_fitting(root: Path, paths: Paths, streams: Streams) -> list[FeatureFiles]:
    """Return the layouts that fit. `joint` has the weakest sign, ID.npy, so it gets what no other layout takes."""
    listers = [lister for name, lister in LISTERS.items() if name != "joint"]
    fitting = [files for lister in listers if (files := lister(root, paths, streams)) and _is_certain(files)]
    if any(files.layout == "wtalc" for files in fitting):
        return fitting
    taken = {path for files in fitting for path in files.files_of_shard(0, 1)}
    # Files of streams that were not asked for: ID_clip.npy where there is ID_rgb.npy.
    suffix_ids = {video_id for files in fitting if files.layout == "suffix" for video_id in files.video_ids()}
    rest = [path for path in paths if path not in taken and _before_suffix(path) not in suffix_ids]
    joint = _list_joint(root, rest, streams)
    return [*fitting, joint] if joint else fitting


def _is_certain(files: FeatureFiles) -> bool:
    """Return whether a npz archive has several arrays: one array is the file of one video, which is `joint`."""
    if files.layout != "npz":
        return True
    try:
        with ZipFile(files.root_dir / files.files_of_shard(0, 1)[0]) as archive:
            return len(archive.namelist()) > 1
    except (OSError, BadZipFile, ValueError, NotImplementedError):
        return False


def _paths_of_file(features: Path) -> list[str]:
    """Return the file's name and, for an npy file, the list of video names beside it."""
    if features.suffix.lower() != ".npy":
        return [features.name]
    names = [*features.parent.glob(NAMES_FILE), *sorted(features.parent.glob(f"*/{NAMES_FILE}"))]
    return [features.name, *(os.fspath(path.relative_to(features.parent)) for path in names)]


def _describe_mismatch(features: Path, fitting: Sequence[FeatureFiles], streams: Streams, layout: str | None) -> str:
    names = f" ({{stream}}: {', '.join(streams)})" if streams else ""
    if layout:
        return f"{features}: has no files of the layout {layout}; expected {FORMS[layout]}{names}"
    if not fitting:
        forms = "; ".join(f"{name}: {form}" for name, form in FORMS.items())
        return f"{features}: no features in a known layout{names}. Looked for {forms}"
    found = " and ".join(f"{files.layout} ({_example(files)})" for files in fitting)
    return f"{features}: fits {len(fitting)} layouts, {found}; choose one with `layout: NAME`, or --layout NAME"


def _example(files: FeatureFiles) -> str:
    return next(path for path in files.files_of_shard(0, 1))


def _check_names_file(files: FeatureFiles, hint: str) -> None:
    """Refuse the arrays of all videos without the list of their names: the file alone fits `joint`, as one video's."""
    for path in files.files_of_shard(0, 1) if files.layout == "joint" else ():
        if path.lower().endswith(ALL_ARRAYS_ENDING):
            raise UserError(
                f"{files.root_dir / path}: its name says that it has the arrays of all videos; expected "
                f"{FORMS['wtalc']}{hint}"
            )


def _check_streams(features: Path, files: FeatureFiles, hint: str) -> None:
    if not files.streams:
        raise UserError(
            f"{features}: layout {files.layout} does not name its streams; name them: rgb,flow for the two halves of "
            f"the columns, or one stream for all columns{hint}"
        )
    for stream in files.streams:
        if not files.video_files.get(stream) and not files.shared_files.get(stream):
            raise UserError(f"{features}: no features of the {stream} stream; expected {FORMS[files.layout]}{hint}")


# --- one function for each layout: its files, or None if it does not fit ---


def _list_streams(root: Path, paths: Paths, streams: Streams) -> FeatureFiles | None:
    by_stream = _group_by_folder(paths, streams, ".npy")
    names = tuple(streams) or tuple(sorted(by_stream))
    files = {stream: index_by_stem(root, by_stream.get(stream, ())) for stream in names}
    return FeatureFiles("streams", root, names, video_files=files) if by_stream else None


def _group_by_folder(paths: Paths, streams: Streams, suffix: str) -> dict[str, list[str]]:
    """Return paths by stream: the nearest folder named as a stream; without names, the folder that holds the file."""
    groups: dict[str, list[str]] = {}
    annotation_dirs = {os.path.dirname(path) for path in paths if os.path.basename(path) == NAMES_FILE}
    for path in paths:
        *parents, name = path.split(os.sep)
        if name.lower().endswith(suffix) and os.path.dirname(path) not in annotation_dirs:
            candidates = [p for p in parents if p in streams] if streams else parents
            if candidates:
                groups.setdefault(candidates[-1], []).append(path)
    return groups


def _list_shards(root: Path, paths: Paths, streams: Streams) -> FeatureFiles | None:
    # A folder that `clip-ae import` wrote also has tables of videos and of failures.
    direct = [path for path in paths if path.count(os.sep) == 1 and os.path.dirname(path) not in TABLE_FOLDERS]
    by_stream = _group_by_folder(direct, streams, ".parquet")
    names = tuple(streams) or tuple(sorted(by_stream))
    files = {stream: tuple(sorted(by_stream.get(stream, ()))) for stream in names}
    return FeatureFiles("shards", root, names, shared_files=files) if by_stream else None


def _list_wtalc(root: Path, paths: Paths, streams: Streams) -> FeatureFiles | None:
    """The features are the one npy file in the folder; if there are several, the one called *Features.npy."""
    names = [path for path in paths if os.path.basename(path) == NAMES_FILE and path.count(os.sep) <= 1]
    arrays = [path for path in _direct(paths, ".npy") if path != NAMES_FILE]
    if len(arrays) > 1:
        arrays = [path for path in arrays if path.lower().endswith("features.npy")]
    if len(names) != 1 or len(arrays) != 1:
        return None
    streams = tuple(streams) or ("rgb", "flow")
    return FeatureFiles("wtalc", root, streams, shared_files=dict.fromkeys(streams, (arrays[0], names[0])))


def _list_joint(root: Path, paths: Paths, streams: Streams) -> FeatureFiles | None:
    files = index_by_stem(root, [*_direct(paths, ".npy"), *_direct(paths, ".npz")])
    by_stream = dict.fromkeys(streams or ("",), files)
    return FeatureFiles("joint", root, tuple(streams), video_files=by_stream) if files else None


def _list_suffix(root: Path, paths: Paths, streams: Streams) -> FeatureFiles | None:
    groups = _group_by_suffix(paths, streams)
    names = tuple(streams) or tuple(sorted(groups))
    files = {stream: groups.get(stream, {}) for stream in names}
    return FeatureFiles("suffix", root, names, video_files=files) if groups else None


def _group_by_suffix(paths: Paths, streams: Streams) -> dict[str, dict[str, str]]:
    """Return paths by stream and video id, of files in the folder named ID_{suffix}.npy."""
    wanted = set(streams) or {SUFFIX_ALIASES.get(name, name) for name in KNOWN_SUFFIXES}
    groups: dict[str, dict[str, str]] = {}
    for path in _direct(paths, ".npy"):
        suffix = os.path.splitext(path)[0].rpartition("_")[2]
        stream = suffix if suffix in wanted else SUFFIX_ALIASES.get(suffix, suffix)
        video_id = _before_suffix(path)
        if not video_id or stream not in wanted:
            continue
        if groups.setdefault(stream, {}).setdefault(video_id, path) != path:
            raise UserError(f"{path}: a second {stream} file of '{video_id}'; remove one")
    return groups


def _before_suffix(path: str) -> str:
    """Return the video id of ID_{suffix}.npy; empty for another name."""
    return escape_undecodable(os.path.splitext(path)[0].rpartition("_")[0])


def _list_hdf5(root: Path, paths: Paths, streams: Streams) -> FeatureFiles | None:
    """One file for all streams, or one file called {stream}.h5 for each."""
    files = [*_direct(paths, ".h5"), *_direct(paths, ".hdf5")]
    by_stream = {os.path.splitext(path)[0]: (path,) for path in files}
    if streams and len(streams) == len(files) and set(by_stream) == set(streams):
        return FeatureFiles("hdf5", root, tuple(streams), shared_files=by_stream)
    if len(files) != 1:
        return None
    return FeatureFiles("hdf5", root, tuple(streams), shared_files=dict.fromkeys(streams or ("",), (files[0],)))


def _list_npz(root: Path, paths: Paths, streams: Streams) -> FeatureFiles | None:
    archives = _direct(paths, ".npz")
    by_stream = dict.fromkeys(streams or ("",), tuple(archives))
    return FeatureFiles("npz", root, tuple(streams), shared_files=by_stream) if len(archives) == 1 else None


def _direct(paths: Paths, suffix: str) -> list[str]:
    """Return the paths in the folder itself."""
    return [path for path in paths if os.sep not in path and path.lower().endswith(suffix)]


LISTERS: dict[str, Callable[[Path, Paths, Streams], FeatureFiles | None]] = {
    "streams": _list_streams,
    "wtalc": _list_wtalc,
    "joint": _list_joint,
    "suffix": _list_suffix,
    "hdf5": _list_hdf5,
    "npz": _list_npz,
    "shards": _list_shards,
}
