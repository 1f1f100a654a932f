import json
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
RECORD = Provenance("probe", {}, "code")


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Videos a, b, c, of which c is broken, and a failure of b in the rgb stream."""
    infos = [VideoInfo("a", "a.mp4"), VideoInfo("b", "b.mp4"), VideoInfo("c", "c.mp4", status="failed")]
    failures = {"probe": Failure("c", "probe", "empty", "m"), "rgb": Failure("b", "extract/rgb", "partial", "m")}
    for i in range(SHARDS):
        name = f"{format_shard_name(i, SHARDS)}.parquet"
        here = [v for v in infos if assign_shard(v.video_id, SHARDS) == i]
        write_rows(tmp_path / "probe" / name, PROBE_SCHEMA, here, RECORD)
        for part, failure in failures.items():
            rows = [failure] if assign_shard(failure.video_id, SHARDS) == i else []
            write_rows(tmp_path / "failures" / part / name, FAILURES_SCHEMA, rows, RECORD)
    return tmp_path


def run(
    made: Path, subsets: dict[str, str] | None = None, streams: str = "rgb", allowed: float = 1.0
) -> tuple[list[Any], list[Any]]:
    annotations = None
    if subsets is not None:
        annotations = made / "annotations.json"
        annotations.write_text(json.dumps({"database": {i: {"subset": s} for i, s in subsets.items()}}))
    out, failures = made / "videos.parquet", made / "failures.parquet"
    catalog.run(
        CatalogSpec(max_failures=allowed), probe=made / "probe", failures=made / "failures", shards=SHARDS,
        streams=streams, out=out, failures_out=failures, annotations=annotations,
    )  # fmt: skip
    return read_rows(out), read_rows(failures)


def test_subsets_come_from_the_annotations_and_absent_videos_get_rows(made: Path) -> None:
    videos, failures = run(made, {"a": "training", "b": "validation", "gone": "training", "hidden": "testing"})
    assert [(v["video_id"], v["subset"], v["status"]) for v in videos] == [
        ("a", "training", "ok"),
        ("b", "validation", "ok"),
        ("c", "", "failed"),
        ("gone", "training", "missing"),
    ]
    assert [(f["video_id"], f["kind"]) for f in failures] == [("b", "partial"), ("c", "empty"), ("gone", "missing")]


def test_without_annotations_no_video_has_a_subset(made: Path) -> None:
    videos, _ = run(made)
    assert [(v["video_id"], v["subset"]) for v in videos] == [("a", ""), ("b", ""), ("c", "")]


def test_annotations_of_other_videos_are_an_error(made: Path) -> None:
    with pytest.raises(UserError, match=r"names none of the 3 videos.*'v_a'.*'a'"):
        run(made, {"v_a": "training", "v_b": "validation"})


def test_a_missing_shard_is_named_in_the_error(made: Path) -> None:
    (made / "probe" / f"{format_shard_name(1, SHARDS)}.parquet").unlink()
    with pytest.raises(UserError, match="0001-of-0003"):
        run(made)


@pytest.mark.parametrize(("allowed", "refused"), [(0.0, True), (0.33, True), (0.34, False), (1.0, False)])
def test_more_failures_than_allowed_are_refused_with_their_kinds(made: Path, allowed: float, refused: bool) -> None:
    """One of three: b is in use, as what there is of it."""
    if not refused:
        assert len(run(made, allowed=allowed)[0]) == 3
        return
    with pytest.raises(RefusedInput) as caught:
        run(made, allowed=allowed)
    assert str(caught.value).startswith(f"1 of 3 videos failed (empty 1), more than max_failures {allowed:g} allows; ")
    assert str(made / "failures") in str(caught.value)
    assert not (made / "videos.parquet").exists()


def test_missing_and_timed_out_videos_count_as_failed(made: Path) -> None:
    path = made / "failures/rgb" / f"{format_shard_name(assign_shard('a', SHARDS), SHARDS)}.parquet"
    write_rows(path, FAILURES_SCHEMA, [Failure("a", "extract/rgb", "timeout", "m")], RECORD)
    with pytest.raises(RefusedInput, match=r"^3 of 4 videos failed \((empty|timeout|missing) 1, .*\), more"):
        run(made, {"a": "training", "gone": "training"}, allowed=0.74)
    assert len(run(made, {"a": "training", "gone": "training"}, allowed=0.75)[0]) == 4


def test_features_of_two_videos_under_one_name_count_as_failed(made: Path) -> None:
    """Their kind is that of a video of another length than annotated, which is in use."""
    path = made / "failures/probe" / f"{format_shard_name(assign_shard('c', SHARDS), SHARDS)}.parquet"
    write_rows(path, FAILURES_SCHEMA, [Failure("c", "probe", "length", "m")], RECORD)
    with pytest.raises(RefusedInput, match=r"^1 of 3 videos failed \(length 1\)"):
        run(made, allowed=0.0)
