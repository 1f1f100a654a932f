from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clip_ae.core.errors import RefusedInput
from clip_ae.data.curves import read_curves
from clip_ae.data.parquet import CURVES_SCHEMA

RNG = np.random.default_rng(0)


def make_rows(video_id: str, count: int, labels: str) -> list[dict[str, Any]]:
    return [
        {
            "video_id": video_id, "snippet": k, "attention": RNG.random(),
            "activation": [(label, RNG.random()) for label in labels],
        }
        for k in range(count)
    ]  # fmt: skip


def write(path: Path, rows: list[dict[str, Any]], group_size: int) -> Path:
    pq.write_table(pa.Table.from_pylist(rows, schema=CURVES_SCHEMA), path, row_group_size=group_size)
    return path


def test_curves_are_arrays_by_video_whatever_the_videos_of_a_row_group(tmp_path: Path) -> None:
    rows = [*make_rows("b", 3, "xy"), *make_rows("a", 2, "z"), *make_rows("c", 1, "")]
    curves = read_curves(write(tmp_path / "curves.parquet", rows, group_size=6))
    assert list(curves) == ["a", "b", "c"]
    assert curves["b"].activation.keys() == {"x", "y"}
    np.testing.assert_array_equal(curves["b"].attention, np.float32([row["attention"] for row in rows[:3]]))
    for k, label in enumerate("xy"):
        expected = np.float32([row["activation"][k][1] for row in rows[:3]])
        np.testing.assert_array_equal(curves["b"].activation[label], expected)
    assert len(curves["c"].attention) == 1
    assert not curves["c"].activation


def test_a_file_of_no_video_has_no_curves(tmp_path: Path) -> None:
    assert read_curves(write(tmp_path / "curves.parquet", [], group_size=5)) == {}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([*make_rows("a", 2, "xy"), *make_rows("a", 1, "xz")], "snippets of video 'a' differ in their classes"),
        ([*make_rows("a", 2, "xy"), *make_rows("a", 1, "x")], "snippets of video 'a' differ in their classes"),
        ([*make_rows("a", 2, "x"), *make_rows("b", 1, "x"), *make_rows("a", 1, "x")], "'a' are not next to each other"),
    ],
)
def test_mixed_rows_are_refused(tmp_path: Path, rows: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(RefusedInput, match=words):
        read_curves(write(tmp_path / "curves.parquet", rows, group_size=10))
