"""List the files in a dataset's folder: videos, or precomputed features.

Standard library only: each parse of the workflow reads this module.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clip_ae.core.errors import UserError
from clip_ae.core.sharding import assign_shard

VIDEO_SUFFIXES = frozenset(
    {".3gp", ".asf", ".avi", ".divx", ".f4v", ".flv", ".m2ts", ".m4v", ".mkv", ".mov"}
    | {".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".vob", ".webm", ".wmv"}
)


@dataclass(frozen=True)
class FeatureFiles:
    """Precomputed feature files by stream: shards of this project's own form, or npy files by video id.

    One of the two is empty.
    """

    shard_files: dict[str, tuple[str, ...]]
    npy_files: dict[str, dict[str, str]]

    def npy_video_ids(self) -> set[str]:
        """Return the ids of videos with a npy file in any stream. Ids in shards are known only after reading them."""
        return {video_id for files in self.npy_files.values() for video_id in files}

    def files_of_shard(self, shard_index: int, num_shards: int) -> list[str]:
        """Return the files that one job reads: the npy files of its own videos, but all shards.

        The shards in the folder may have been made with another number of shards.
        """
        shard_files = [path for paths in self.shard_files.values() for path in paths]
        return shard_files + [
            path for files in self.npy_files.values() for path in select_shard(files, shard_index, num_shards).values()
        ]


def list_videos(videos_dir: Path, hint: str = "") -> dict[str, str]:
    """Return the path in the folder by video id, sorted; videos are found by suffix, at any depth.

    `hint` is added to the error if there are none.
    """
    videos = _index_by_stem(videos_dir, _walk_files(videos_dir, VIDEO_SUFFIXES, hint))
    if not videos:
        raise UserError(f"{videos_dir}: no videos there ({' '.join(sorted(VIDEO_SUFFIXES))}){hint}")
    return videos


def list_feature_files(features_dir: Path, streams: Sequence[str], hint: str = "") -> FeatureFiles:
    """Return {stream}/*.parquet, or the npy files below a folder with the stream's name, at any depth."""
    shards: dict[str, list[str]] = {stream: [] for stream in streams}
    npy: dict[str, list[str]] = {stream: [] for stream in streams}
    for path in _walk_files(features_dir, frozenset({".npy", ".parquet"}), hint):
        *parents, name = path.split(os.sep)
        stream = next((parent for parent in reversed(parents) if parent in npy), None)
        if stream is None:
            continue
        if name.lower().endswith(".npy"):
            npy[stream].append(path)
        elif parents == [stream]:
            shards[stream].append(path)
    if any(shards.values()):
        _check_streams(features_dir, shards, "{stream}/*.parquet", hint)
        return FeatureFiles({stream: tuple(sorted(paths)) for stream, paths in shards.items()}, {})
    _check_streams(features_dir, npy, "{stream}/{video_id}.npy", hint)
    return FeatureFiles({}, {stream: _index_by_stem(features_dir, paths) for stream, paths in npy.items()})


def select_shard(listing: Mapping[str, str], shard_index: int, num_shards: int) -> dict[str, str]:
    """Return the videos of a listing that are in one shard."""
    return {video_id: path for video_id, path in listing.items() if assign_shard(video_id, num_shards) == shard_index}


def files_digest(root_dir: Path, files: Iterable[str], with_mtime: bool) -> str:
    """Return the sha256 over each file's path in the folder and size, and its modification time if `with_mtime`."""
    listing_hash = hashlib.sha256()
    for path in sorted(files):
        try:
            status = os.stat(os.path.join(root_dir, path))
            size, mtime = status.st_size, status.st_mtime_ns
        except OSError:
            # A broken link: probe makes a row for it, so it is listed and needs a digest.
            size, mtime = -1, -1
        # A path cannot contain NUL, so different lists have different texts.
        line = f"{path}\0{size}\0{mtime if with_mtime else ''}\0"
        listing_hash.update(line.encode("utf-8", "surrogateescape"))
    return listing_hash.hexdigest()


def escape_undecodable(text: str) -> str:
    """Return text that Parquet can store: undecodable bytes of a file name become \\udc.. escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _walk_files(root_dir: Path, suffixes: frozenset[str], hint: str) -> Iterator[str]:
    """Yield the paths below a folder, relative to it; skip hidden files and loops of links."""
    if not root_dir.is_dir():
        raise UserError(f"{root_dir}: no such folder; the data is expected there{hint}")
    root, visited = os.fspath(root_dir), set()
    queue = [""]
    while queue:
        subdir = queue.pop()
        directory = os.path.join(root, subdir)
        status = os.stat(directory)
        if (status.st_dev, status.st_ino) in visited:
            continue
        visited.add((status.st_dev, status.st_ino))
        # Sorted, so that a folder with two paths is always visited by the same one.
        for entry in sorted(_scan_directory(directory), key=lambda entry: entry.name):
            path = os.path.join(subdir, entry.name)
            if _is_directory(entry):
                queue.append(path)
            elif os.path.splitext(entry.name)[1].lower() in suffixes:
                yield path


def _scan_directory(directory: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except PermissionError:
        raise UserError(f"{directory}: not readable; give yourself read permission") from None


def _is_directory(entry: os.DirEntry[str]) -> bool:
    """Return whether it is a directory, from the listing: a stat of a million files takes minutes on a network disk."""
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _index_by_stem(root_dir: Path, paths: Iterable[str]) -> dict[str, str]:
    """Return the paths by file name without suffix, sorted; UserError if two have the same name."""
    paths_by_id: dict[str, str] = {}
    for path in sorted(paths):
        video_id = escape_undecodable(os.path.splitext(os.path.basename(path))[0])
        if video_id in paths_by_id:
            pair = f"{paths_by_id[video_id]!r} and {path!r}"
            raise UserError(f"{root_dir}: {pair} have the same name; video ids are file names, so rename one")
        paths_by_id[video_id] = path
    return dict(sorted(paths_by_id.items()))


def _check_streams(features_dir: Path, files: Mapping[str, Sequence[str]], expected: str, hint: str) -> None:
    for stream, paths in files.items():
        if not paths:
            raise UserError(f"{features_dir}: no features of the {stream} stream; expected {expected}{hint}")
