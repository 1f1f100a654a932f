"""Shards of another program: a broken video costs its rows, a file that is no shard ends in one line."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clip_ae.core.config.specs import ImportFeaturesSpec, ProbeSpec
from clip_ae.core.errors import ClipAeError, RefusedInput
from clip_ae.core.provenance import Provenance
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import VideoFeatures
from clip_ae.data.parquet import read_rows
from clip_ae.data.row_group import parse_row_group
from clip_ae.data.shards import read_shard, shard_schema, write_shard
from clip_ae.data.snippet_times import snippet_times
from clip_ae.stages import import_features, probe

ROWS = {"a": 3, "b": 4}
SHARD = "0000-of-0001"
Change = Callable[[pa.Table], pa.Table]


def make_table(video_id: str, dim: int = 2) -> pa.Table:
    """The row group of a video, with features 1, 2, 3 ..."""
    rows = ROWS[video_id]
    start, stop = snippet_times(SnippetGrid(), rows)
    feature = np.arange(1, 1 + rows * dim, dtype=np.float16).reshape(rows, dim)
    columns = {
        "video_id": pa.array([video_id] * rows).dictionary_encode(),
        "snippet": pa.array(np.arange(rows, dtype=np.int32)),
        "start": pa.array(start),
        "stop": pa.array(stop),
        "coverage": pa.array(np.ones(rows, np.float32)),
        "feature": pa.FixedShapeTensorArray.from_numpy_ndarray(feature),
    }
    return pa.table(columns)


def put(name: str, values: Any) -> Change:
    return lambda table: table.set_column(table.column_names.index(name), name, values)


def put_value(name: str, row: int, value: float) -> Change:
    def change(table: pa.Table) -> pa.Table:
        values = table[name].to_numpy().copy()
        values[row] = value
        return put(name, pa.array(values))(table)

    return change


def write_groups(path: Path, *tables: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(path, tables[0].schema) as writer:
        for table in tables:
            writer.write_table(table)


def run(features: Path, out: Path) -> tuple[dict[str, VideoFeatures], list[dict[str, Any]]]:
    """The imported videos and the rows of failures."""
    table, failures, shard = out / "probe.parquet", out / "failures.parquet", out / f"rgb/{SHARD}.parquet"
    probe_spec = ProbeSpec(SnippetGrid(), ("rgb",))
    probe.run(probe_spec, features=features, shard=SHARD, out=table, failures=failures)
    rows = read_rows(failures)
    spec = ImportFeaturesSpec("rgb", SnippetGrid(), streams=("rgb",))
    import_features.run(spec, features=features, probe=table, shard=SHARD, out=shard, failures=failures)
    return {v.video_id: v for v in read_shard(shard)}, rows + read_rows(failures)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (put_value("start", 1, np.nan), "its start in snippet 1 is no number"),
        (put_value("stop", 2, np.inf), "its stop in snippet 2 is no number"),
        (put_value("coverage", 0, np.nan), "its coverage in snippet 0 is no number"),
        (put_value("coverage", 0, 7.0), "its coverage is not between 0 and 1"),
        (put_value("coverage", 0, -1.0), "its coverage is not between 0 and 1"),
        (put_value("stop", 1, 0.1), "snippet 1 starts at its end or later"),
        (put_value("snippet", 1, 2), "its snippets are not 0, 1, 2 ... in this order"),
    ],
)
def test_a_video_with_impossible_values_is_a_failure_row(tmp_path: Path, change: Change, reason: str) -> None:
    write_groups(tmp_path / "in/rgb/x.parquet", make_table("a"), change(make_table("b")))
    videos, failures = run(tmp_path / "in", tmp_path / "out")
    assert [(row["video_id"], row["kind"]) for row in failures] == [("b", "not-a-table")]
    assert reason in failures[0]["message"]
    assert list(videos) == ["a"]
    assert (videos["a"].feature == np.arange(1, 7).reshape(3, 2)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_features_beyond_float16_are_rows_of_failures(tmp_path: Path, dtype: Any) -> None:
    values = np.arange(8, dtype=dtype).reshape(4, 2)
    values[2, 1] = 65_520  # rounds to infinity; 65,519 would be 65,504
    tensor = pa.FixedShapeTensorArray.from_numpy_ndarray(values)
    write_groups(tmp_path / "in/rgb/x.parquet", put("feature", tensor)(make_table("b")))
    videos, failures = run(tmp_path / "in", tmp_path / "out")
    assert [(row["video_id"], row["kind"]) for row in failures] == [("b", "not-finite")]
    assert videos["b"].coverage.tolist() == [1, 1, 0, 1]
    assert videos["b"].feature.tolist() == [[0, 1], [2, 3], [0, 0], [6, 7]]


LISTS = pa.array([[1.0, 2.0]] * 4)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (put("start", pa.array(["x"] * 4)), "start is string, not numbers"),
        (put("coverage", pa.array([None] * 4, pa.float32())), "coverage in snippet 0 is no number"),
        (put("feature", LISTS), "not one fixed_shape_tensor"),
        (put("feature", LISTS.cast(pa.list_(pa.float64(), 2))), "not one fixed_shape_tensor"),
        (put("feature", pa.array([1.0] * 4)), "not one fixed_shape_tensor"),
        (put("feature", pa.FixedShapeTensorArray.from_numpy_ndarray(np.ones((4, 2), np.int32))), "of floats"),
        (put("feature", pa.FixedShapeTensorArray.from_numpy_ndarray(np.ones((4, 2, 2), np.float16))), "not one"),
        (put("video_id", pa.array(["a", "a", "b", "b"])), "rows of 2 videos"),
        (put("video_id", pa.array([None] * 4, pa.string())), "needs the rows of one"),
        (put("video_id", pa.array([1] * 4)), "needs the rows of one"),
        (lambda table: table.drop_columns("coverage"), "no column coverage"),
    ],
)
def test_a_table_of_other_types_is_refused_by_name(tmp_path: Path, change: Change, reason: str) -> None:
    path = tmp_path / "rgb" / f"{SHARD}.parquet"
    write_groups(path, change(make_table("b")))
    with pytest.raises(RefusedInput, match=f"^{path}.*{reason}"):
        list(read_shard(path))


def test_a_video_in_two_row_groups_is_refused(tmp_path: Path) -> None:
    write_groups(tmp_path / "in/rgb/x.parquet", make_table("a"), make_table("b"), make_table("a"))
    with pytest.raises(RefusedInput, match="two row groups of video 'a'"):
        run(tmp_path / "in", tmp_path / "out")


def test_the_project_s_own_shards_pass(tmp_path: Path) -> None:
    video = parse_row_group(make_table("b"))
    write_shard(tmp_path / "x.parquet", "rgb", 2, [video], Provenance("extract", {}, "", {}, {}))
    assert pq.read_schema(tmp_path / "x.parquet").names == shard_schema(2).names
    (read,) = read_shard(tmp_path / "x.parquet")
    assert (read.feature == video.feature).all()


@given(st.data())
@settings(deadline=None)
def test_any_changed_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("changed")
    path = folder / "in/rgb/x.parquet"
    write_groups(path, make_table("a"), make_table("b"))
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw[: data.draw(st.just(len(raw)) | st.integers(0, len(raw)))])
    # Any other error than a refusal fails the test.
    with contextlib.suppress(ClipAeError):
        videos, _ = run(folder / "in", folder / "out")
        assert all(np.isfinite(video.feature).all() for video in videos.values())
