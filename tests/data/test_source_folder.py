import os
import time
from pathlib import Path

import pytest

from clip_ae.core.errors import UserError
from clip_ae.data.source_folder import escape_undecodable, files_digest, list_videos, select_shard


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_videos_are_found_by_suffix_at_any_depth_and_sorted_by_id(tmp_path: Path) -> None:
    touch(tmp_path, "b.MP4", "deep/er/a.webm", "notes.txt", ".hidden.mp4", ".cache/c.mp4")
    assert list(list_videos(tmp_path).items()) == [("a", "deep/er/a.webm"), ("b", "b.MP4")]


@pytest.mark.parametrize(
    "name", ["a b", "-x", "br{ace}", "quo'te\"", "ünï", "new\nline", "per%cent", "a.b", "*", "<x>"]
)
def test_unusual_names_are_kept(tmp_path: Path, name: str) -> None:
    touch(tmp_path, f"{name}.mp4")
    assert list_videos(tmp_path) == {name: f"{name}.mp4"}


def test_undecodable_bytes_are_escaped_in_the_id_only(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/x\xff.mp4")).touch()
    [(video_id, path)] = list_videos(tmp_path).items()
    assert video_id == "x\\udcff"
    assert (tmp_path / path).exists()
    assert escape_undecodable(path) != path
    files_digest(tmp_path, [path], with_mtime=True)


def test_two_files_with_one_stem_are_refused_by_name(tmp_path: Path) -> None:
    touch(tmp_path, "a/x.mp4", "b/x.mkv")
    with pytest.raises(UserError, match=r"a/x\.mp4.*b/x\.mkv"):
        list_videos(tmp_path)


def test_missing_and_empty_folders_are_refused_with_the_hint(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"absent: no such folder.*; see docs"):
        list_videos(tmp_path / "absent", hint="; see docs")
    with pytest.raises(UserError, match="no videos"):
        list_videos(tmp_path)


def test_links_are_followed_once_and_loops_end(tmp_path: Path) -> None:
    touch(tmp_path, "real/x.mp4")
    (tmp_path / "real" / "loop").symlink_to(tmp_path)
    (tmp_path / "self").symlink_to(tmp_path / "self")
    (tmp_path / "dangling.mp4").symlink_to(tmp_path / "nowhere")
    assert list_videos(tmp_path) == {"dangling": "dangling.mp4", "x": "real/x.mp4"}


def test_shards_partition_the_videos(tmp_path: Path) -> None:
    listing = {f"v{i}": f"v{i}.mp4" for i in range(50)}
    parts = [select_shard(listing, i, 4) for i in range(4)]
    assert sum(map(len, parts)) == 50
    assert {k: v for part in parts for k, v in part.items()} == listing


def test_digest_depends_on_names_sizes_and_optionally_times(tmp_path: Path) -> None:
    touch(tmp_path, "x.mp4", "y.mp4")
    both = [files_digest(tmp_path, ["x.mp4", "y.mp4"], with_mtime=m) for m in (False, True)]
    assert files_digest(tmp_path, ["y.mp4", "x.mp4"], with_mtime=False) == both[0]
    os.utime(tmp_path / "x.mp4", ns=(1, 1))
    after = [files_digest(tmp_path, ["x.mp4", "y.mp4"], with_mtime=m) for m in (False, True)]
    assert after[0] == both[0]
    assert after[1] != both[1]
    (tmp_path / "x.mp4").write_bytes(b"1")
    assert files_digest(tmp_path, ["x.mp4", "y.mp4"], with_mtime=False) != both[0]
    assert files_digest(tmp_path, ["x.mp4"], with_mtime=False) != files_digest(tmp_path, ["y.mp4"], with_mtime=False)


def test_ten_thousand_videos_are_listed_in_a_second(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{i % 10}/v{i}.mp4" for i in range(10_000)))
    start = time.perf_counter()
    assert len(list_videos(tmp_path)) == 10_000
    # 0.06 s where this was written.
    assert time.perf_counter() - start < 1
