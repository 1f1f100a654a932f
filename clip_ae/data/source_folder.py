"""List the files in a folder: videos by id, any files by suffix, and digests of them.

Standard library only: each parse of the workflow reads this module.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from clip_ae.core.errors import UserError
from clip_ae.core.sharding import assign_shard

VIDEO_SUFFIXES = frozenset(
    {".3gp", ".asf", ".avi", ".divx", ".f4v", ".flv", ".m2ts", ".m4v", ".mkv", ".mov"}
    | {".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".vob", ".webm", ".wmv"}
)


def list_videos(videos_dir: Path, hint: str = "") -> dict[str, str]:
    """Return the path in the folder by video id, sorted; videos are found by suffix, at any depth.

    `hint` is added to the error if there are none.
    """
    videos = index_by_stem(videos_dir, walk_files(videos_dir, VIDEO_SUFFIXES, hint))
    if not videos:
        raise UserError(f"{videos_dir}: no videos there ({' '.join(sorted(VIDEO_SUFFIXES))}){hint}")
    return videos


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


def walk_files(root_dir: Path, suffixes: frozenset[str], hint: str = "") -> Iterator[str]:
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


def index_by_stem(root_dir: Path, paths: Iterable[str]) -> dict[str, str]:
    """Return the paths by file name without suffix, sorted; UserError if two have the same name."""
    paths_by_id: dict[str, str] = {}
    for path in sorted(paths):
        video_id = escape_undecodable(os.path.splitext(os.path.basename(path))[0])
        if video_id in paths_by_id:
            pair = f"{paths_by_id[video_id]!r} and {path!r}"
            raise UserError(f"{root_dir}: {pair} have the same name; video ids are file names, so rename one")
        paths_by_id[video_id] = path
    return dict(sorted(paths_by_id.items()))
