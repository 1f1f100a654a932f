import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clip_ae.core.config.specs import CatalogSpec
from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.core.provenance import Provenance
from clip_ae.core.sharding import assign_shard, format_shard_name
from clip_ae.core.types import Failure, VideoInfo
from clip_ae.data.parquet import FAILURES_SCHEMA, PROBE_SCHEMA, read_rows, write_rows
from clip_ae.stages import catalog

SHARDS = 3
PROVENANCE = Provenance("probe", {}, "code")


@pytest.fixture
def tables_dir(tmp_path: Path) -> Path:
    """Videos a, b, c, of which c is broken, and a failure of b in the rgb stream."""
    infos = [VideoInfo("a", "a.mp4"), VideoInfo("b", "b.mp4"), VideoInfo("c", "c.mp4", status="failed")]
    failures = {"probe": Failure("c", "probe", "empty", "m"), "rgb": Failure("b", "extract/rgb", "partial", "m")}
    for i in range(SHARDS):
        name = f"{format_shard_name(i, SHARDS)}.parquet"
        infos_of_shard = [v for v in infos if assign_shard(v.video_id, SHARDS) == i]
        write_rows(tmp_path / "probe" / name, PROBE_SCHEMA, infos_of_shard, PROVENANCE)
        for stage, failure in failures.items():
            rows = [failure] if assign_shard(failure.video_id, SHARDS) == i else []
            write_rows(tmp_path / "failures" / stage / name, FAILURES_SCHEMA, rows, PROVENANCE)
    return tmp_path


def run(
    tables_dir: Path, subsets: dict[str, str] | None = None, streams: str = "rgb", max_failures: float = 1.0
) -> tuple[list[Any], list[Any]]:
    annotations = None
    if subsets is not None:
        annotations = tables_dir / "annotations.json"
        annotations.write_text(json.dumps({"database": {i: {"subset": s} for i, s in subsets.items()}}))
    out, failures = tables_dir / "videos.parquet", tables_dir / "failures.parquet"
    catalog.run(
        CatalogSpec(max_failures=max_failures), probe=tables_dir / "probe", failures=tables_dir / "failures",
        shards=SHARDS, streams=streams, out=out, failures_out=failures, annotations=annotations,
    )  # fmt: skip
    return read_rows(out), read_rows(failures)


def test_subsets_come_from_the_annotations_and_absent_videos_get_rows(tables_dir: Path) -> None:
    videos, failures = run(tables_dir, {"a": "training", "b": "validation", "gone": "training", "hidden": "testing"})
    assert [(v["video_id"], v["subset"], v["status"]) for v in videos] == [
        ("a", "training", "ok"),
        ("b", "validation", "ok"),
        ("c", "", "failed"),
        ("gone", "training", "missing"),
    ]
    assert [(f["video_id"], f["kind"]) for f in failures] == [("b", "partial"), ("c", "empty"), ("gone", "missing")]


def test_without_annotations_no_video_has_a_subset(tables_dir: Path) -> None:
    videos, _ = run(tables_dir)
    assert [(v["video_id"], v["subset"]) for v in videos] == [("a", ""), ("b", ""), ("c", "")]


def test_annotations_of_other_videos_are_an_error(tables_dir: Path) -> None:
    with pytest.raises(UserError, match=r"names none of the 3 videos.*'v_a'.*'a'"):
        run(tables_dir, {"v_a": "training", "v_b": "validation"})


def test_a_missing_shard_is_named_in_the_error(tables_dir: Path) -> None:
    (tables_dir / "probe" / f"{format_shard_name(1, SHARDS)}.parquet").unlink()
    with pytest.raises(UserError, match="0001-of-0003"):
        run(tables_dir)


@pytest.mark.parametrize(("max_failures", "refused"), [(0.0, True), (0.33, True), (0.34, False), (1.0, False)])
def test_more_failures_than_allowed_are_refused_with_their_kinds(
    tables_dir: Path, max_failures: float, refused: bool
) -> None:
    """One of three failed: b is partial and counts as usable."""
    if not refused:
        assert len(run(tables_dir, max_failures=max_failures)[0]) == 3
        return
    with pytest.raises(RefusedInput) as caught:
        run(tables_dir, max_failures=max_failures)
    assert str(caught.value).startswith(
        f"1 of 3 videos failed (empty 1), more than max_failures {max_failures:g} allows; "
    )
    assert str(tables_dir / "failures") in str(caught.value)
    assert not (tables_dir / "videos.parquet").exists()


def test_failed_videos_are_counted_in_the_log(tables_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """b is partial and counts as usable."""
    run(tables_dir, {"a": "training", "gone": "training"})
    line = f"warning: 2 of 4 videos failed (empty 1, missing 1); {tables_dir / 'failures.parquet'} lists them"
    assert line in capsys.readouterr().err.splitlines()


def test_nothing_is_logged_if_no_video_failed(tables_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = f"{format_shard_name(assign_shard('c', SHARDS), SHARDS)}.parquet"
    write_rows(tables_dir / "failures/probe" / name, FAILURES_SCHEMA, [], PROVENANCE)
    rows = [VideoInfo(**row) for row in read_rows(tables_dir / "probe" / name)]
    write_rows(tables_dir / "probe" / name, PROBE_SCHEMA, [replace(row, status="ok") for row in rows], PROVENANCE)
    run(tables_dir)
    assert capsys.readouterr().err == ""


def test_missing_and_timed_out_videos_count_as_failed(tables_dir: Path) -> None:
    path = tables_dir / "failures/rgb" / f"{format_shard_name(assign_shard('a', SHARDS), SHARDS)}.parquet"
    write_rows(path, FAILURES_SCHEMA, [Failure("a", "extract/rgb", "timeout", "m")], PROVENANCE)
    with pytest.raises(RefusedInput, match=r"^3 of 4 videos failed \((empty|timeout|missing) 1, .*\), more"):
        run(tables_dir, {"a": "training", "gone": "training"}, max_failures=0.74)
    assert len(run(tables_dir, {"a": "training", "gone": "training"}, max_failures=0.75)[0]) == 4


def test_features_of_two_videos_under_one_name_count_as_failed(tables_dir: Path) -> None:
    """Their kind is `length`, which a usable video of another length than annotated has too."""
    path = tables_dir / "failures/probe" / f"{format_shard_name(assign_shard('c', SHARDS), SHARDS)}.parquet"
    write_rows(path, FAILURES_SCHEMA, [Failure("c", "probe", "length", "m")], PROVENANCE)
    with pytest.raises(RefusedInput, match=r"^1 of 3 videos failed \(length 1\)"):
        run(tables_dir, max_failures=0.0)
