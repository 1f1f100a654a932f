import os
import shutil
from pathlib import Path

from clip_ae.core.config.schema import Runtime
from clip_ae.core.config.specs import ProbeSpec
from clip_ae.core.sharding import assign_shard, list_shard_names
from clip_ae.data.parquet import read_parquet_provenance, read_rows
from clip_ae.stages import probe
from tests.media_files import truncated, write_video


def run(videos: Path, out: Path, shard: str = "0000-of-0001", decoder_timeout_s: float = 60.0) -> tuple[Path, Path]:
    table, failures = out / f"{shard}.parquet", out / f"failures-{shard}.parquet"
    probe.run(
        ProbeSpec(), videos=videos, shard=shard, out=table, failures=failures,
        runtime=Runtime(decoder_timeout_s=decoder_timeout_s),
    )  # fmt: skip
    return table, failures


def test_every_file_has_a_row_and_every_broken_one_a_failure(tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    videos.mkdir()
    for name in ("good", "-dash", "two words", "ünï", "br{ace}", "new\nline"):
        write_video(videos / f"{name}.mp4", frames=20)
    (videos / "empty.mp4").touch()
    (videos / "text.mp4").write_text("no video\n" * 50)
    truncated(write_video(videos / "cut.mp4", frames=250, container={"movflags": "faststart"}), 0.5)
    os.mkfifo(videos / "hangs.mp4")
    (videos / "z").mkdir()
    Path(os.fsdecode(os.fsencode(videos) + b"/z/\xff.mp4")).touch()
    table, failures = run(videos, tmp_path / "out", decoder_timeout_s=1.5)
    rows = {row["video_id"]: row for row in read_rows(table)}
    assert list(rows) == sorted(rows)
    assert len(rows) == 11
    assert {i for i, row in rows.items() if row["status"] == "ok"} == {
        "good", "-dash", "two words", "ünï", "br{ace}", "new\nline",
    }  # fmt: skip
    assert rows["cut"]["status"] == "partial"
    assert rows["good"]["path"] == "good.mp4"
    kinds = {row["video_id"]: row["kind"] for row in read_rows(failures)}
    assert kinds.pop("text") in ("no-video", "not-a-video")
    assert kinds == {"empty": "empty", "cut": "partial", "hangs": "timeout", "\\udcff": "name"}
    assert all(row["stage"] == "probe" and "\n" not in row["message"] for row in read_rows(failures))


def test_shards_part_the_folder_and_an_empty_one_is_a_valid_file(tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    videos.mkdir()
    for name in ("a", "b"):
        write_video(videos / f"{name}.mp4", frames=10)
    found = {}
    for index, shard in enumerate(list_shard_names(5)):
        table, failures = run(videos, tmp_path, shard)
        assert read_rows(failures) == []
        for row in read_rows(table):
            assert assign_shard(row["video_id"], 5) == index
            found[row["video_id"]] = row["frames"]
    assert found == {"a": 10, "b": 10}


def test_the_same_videos_elsewhere_give_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    write_video(tmp_path / "one" / "x.mp4")
    (tmp_path / "one" / "bad.mp4").write_bytes(b"bad")
    shutil.copytree(tmp_path / "one", tmp_path / "two", copy_function=shutil.copyfile)
    for place in ("one", "two"):
        run(tmp_path / place, tmp_path / f"{place}-out")
    one, two = ([p.read_bytes() for p in sorted((tmp_path / f"{place}-out").iterdir())] for place in ("one", "two"))
    assert one == two
    record = read_parquet_provenance(tmp_path / "one-out" / "0000-of-0001.parquet")
    assert record.stage == "probe"
    assert set(record.inputs) == {"source_files"}
