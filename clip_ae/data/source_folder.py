"""What lies in a dataset's folder: videos, or ready features.

Standard library only: every parse of the DAG reads it.
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
    """Ready features by stream: shards of our own form, or one npy file a video. One of the two is empty."""

    shard_files: dict[str, tuple[str, ...]]
    npy_files: dict[str, dict[str, str]]

    def npy_video_ids(self) -> set[str]:
        """The videos that have an npy file in any stream; those of shards are known by reading them only."""
        return {video_id for files in self.npy_files.values() for video_id in files}

    def files_of_shard(self, shard_index: int, num_shards: int) -> list[str]:
        """What one job reads: its own videos' npy files, but every shard, as they may be cut another way."""
        every = [path for paths in self.shard_files.values() for path in paths]
        return every + [
            p for files in self.npy_files.values() for p in select_shard(files, shard_index, num_shards).values()
        ]


def list_videos(videos_dir: Path, hint: str = "") -> dict[str, str]:
    """Path in the folder by video id, sorted; found by suffix, at any depth. `hint` ends the error of an absent one."""
    found = _by_stem(videos_dir, _find(videos_dir, VIDEO_SUFFIXES, hint))
    if not found:
        raise UserError(f"{videos_dir}: no videos there ({' '.join(sorted(VIDEO_SUFFIXES))}){hint}")
    return found


def list_feature_files(features_dir: Path, streams: Sequence[str], hint: str = "") -> FeatureFiles:
    """{stream}/*.parquet, or npy files below a folder with the stream's name, at any depth."""
    paths = list(_find(features_dir, frozenset({".npy", ".parquet"}), hint))
    shards: dict[str, list[str]] = {stream: [] for stream in streams}
    npy: dict[str, list[str]] = {stream: [] for stream in streams}
    for path in paths:
        *parents, name = path.split(os.sep)
        stream = next((p for p in reversed(parents) if p in npy), None)
        if stream is None:
            continue
        if name.lower().endswith(".npy"):
            npy[stream].append(path)
        elif parents == [stream]:
            shards[stream].append(path)
    if any(shards.values()):
        _check_streams(features_dir, shards, "{stream}/*.parquet", hint)
        return FeatureFiles({stream: tuple(sorted(found)) for stream, found in shards.items()}, {})
    _check_streams(features_dir, npy, "{stream}/{video_id}.npy", hint)
    return FeatureFiles({}, {stream: _by_stem(features_dir, found) for stream, found in npy.items()})


def select_shard(listing: Mapping[str, str], shard_index: int, num_shards: int) -> dict[str, str]:
    """The part of a listing that lies in one shard."""
    return {video_id: path for video_id, path in listing.items() if assign_shard(video_id, num_shards) == shard_index}


def files_digest(root_dir: Path, files: Iterable[str], with_mtime: bool) -> str:
    """sha256 over each file's path in the folder and size, and its modification time when asked for."""
    total = hashlib.sha256()
    for path in sorted(files):
        try:
            facts = os.stat(os.path.join(root_dir, path))
            size, mtime = facts.st_size, facts.st_mtime_ns
        except OSError:
            # A link to nowhere: probe gives it a row, so it is listed and needs a digest.
            size, mtime = -1, -1
        # NUL cannot stand in a path, so no two lists give one text.
        stated = f"{path}\0{size}\0{mtime if with_mtime else ''}\0"
        total.update(stated.encode("utf-8", "surrogateescape"))
    return total.hexdigest()


def escape_undecodable(text: str) -> str:
    """Text as Parquet can hold it: undecodable bytes of a file name become \\udc.. escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _find(folder: Path, suffixes: frozenset[str], hint: str) -> Iterator[str]:
    """Paths below the folder, as text relative to it; hidden ones and loops of links are passed over."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; the data is expected there{hint}")
    root, seen = os.fspath(folder), set()
    queue = [""]
    while queue:
        below = queue.pop()
        here = os.path.join(root, below)
        facts = os.stat(here)
        if (facts.st_dev, facts.st_ino) in seen:
            continue
        seen.add((facts.st_dev, facts.st_ino))
        # Sorted, so that a folder reached by two ways is always found by the same one.
        for entry in sorted(_scan(here), key=lambda entry: entry.name):
            path = os.path.join(below, entry.name)
            if _is_folder(entry):
                queue.append(path)
            elif os.path.splitext(entry.name)[1].lower() in suffixes:
                yield path


def _scan(here: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(here) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except PermissionError:
        raise UserError(f"{here}: not readable; give yourself the right to read it") from None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Read from the listing: asking after each of a million files takes minutes on a shared file system."""
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _by_stem(folder: Path, paths: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted(paths):
        video_id = escape_undecodable(os.path.splitext(os.path.basename(path))[0])
        if video_id in found:
            raise UserError(
                f"{folder}: {found[video_id]!r} and {path!r} have one name; ids are file names, so rename one"
            )
        found[video_id] = path
    return dict(sorted(found.items()))


def _check_streams(folder: Path, found: Mapping[str, Sequence[str]], form: str, hint: str) -> None:
    for stream, paths in found.items():
        if not paths:
            raise UserError(f"{folder}: no features of the {stream} stream; expected {form}{hint}")
