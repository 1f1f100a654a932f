"""`clip-ae import`: a folder of npy features to shards, outside a workflow."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clip_ae.core.errors import UserError
from clip_ae.core.timeline import SnippetGrid
from clip_ae.data.parquet import read_parquet_provenance, read_rows
from clip_ae.data.shards import read_stream
from tests.data.feature_sets import WRITERS, make_array

tool = importlib.import_module("clip_ae.tools.import_")


@pytest.fixture
def arrays(tmp_path: Path) -> Path:
    for stream, rows in (("rgb", 30), ("flow", 29)):
        for video_id, more in (("v0", 0), ("v1", 10)):
            path = tmp_path / "npy/train" / stream / f"{video_id}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, np.random.default_rng(0).random((rows + more, 8), np.float32))
    return tmp_path / "npy"


def annotations(folder: Path, **durations: float) -> Path:
    path = folder / "annotations.json"
    path.write_text(json.dumps({"database": {i: {"subset": "training", "duration": d} for i, d in durations.items()}}))
    return path


def test_shards_have_features_times_and_the_description(arrays: Path, tmp_path: Path) -> None:
    tool.run(arrays, out=tmp_path / "out", features_description="their page")
    for stream in ("rgb", "flow"):
        videos = read_stream(tmp_path / "out", stream, 1)
        assert {i: len(v.feature) for i, v in videos.items()} == {"v0": 29, "v1": 39}
        expected = np.load(arrays / "train" / stream / "v1.npy")[:39].astype(np.float16)
        np.testing.assert_array_equal(videos["v1"].feature, expected)
        assert videos["v1"].stop[-1] == pytest.approx(39 * 0.64)
    provenance = read_parquet_provenance(tmp_path / "out/rgb/0000-of-0001.parquet")
    assert provenance.stage == "import_features"
    assert provenance.spec["features_description"] == "their page"


def test_the_grid_gives_the_times(arrays: Path, tmp_path: Path) -> None:
    tool.run(arrays, out=tmp_path / "out", source=tool.SourceOptions(streams="rgb", fps=30.0, stride=4))
    video = read_stream(tmp_path / "out", "rgb", 1)["v0"]
    assert (video.start[1], video.stop[0]) == pytest.approx((4 / 30, 16 / 30))
    assert not (tmp_path / "out/flow").exists()


def test_lengths_are_compared_with_the_annotated_durations(arrays: Path, tmp_path: Path, capsys: Any) -> None:
    annotations_path = annotations(tmp_path, v0=19.0, v1=90.0, gone=5.0)
    tool.run(arrays, out=tmp_path / "out", annotations=annotations_path)
    rows = [(r["video_id"], r["stage"], r["kind"]) for r in read_rows(tmp_path / "out/failures.parquet")]
    assert ("v1", "catalog", "length") in rows
    assert ("v0", "catalog", "length") not in rows
    assert ("gone", "catalog", "missing") in rows
    logged = capsys.readouterr().err
    assert "v1: catalog: length: is 25.0 s long, the annotations say 90.0 s" in logged
    assert "1 of 2 videos are not as long as annotated: median difference 65.0 s, worst v1 with 25.0 s in pl" in logged


@pytest.mark.parametrize("name", WRITERS)
def test_every_layout_is_imported_alike(tmp_path: Path, capsys: Any, name: str) -> None:
    layout, write = WRITERS[name]
    source = write(tmp_path / "features")
    tool.run(source, out=tmp_path / "out", source=tool.SourceOptions(streams="rgb,flow"))
    for stream in ("rgb", "flow"):
        videos = read_stream(tmp_path / "out", stream, 1)
        assert list(videos) == ["a", "b", "c"]
        for video_id, video in videos.items():
            np.testing.assert_array_equal(video.feature, make_array(video_id, stream))
    assert f": layout {layout} (" in capsys.readouterr().err
    assert read_parquet_provenance(tmp_path / "out/rgb/0000-of-0001.parquet").spec["layout"] == layout


def test_the_layout_can_be_named(tmp_path: Path) -> None:
    source = WRITERS["suffix"][1](tmp_path / "features")
    tool.run(source, out=tmp_path / "out", source=tool.SourceOptions(streams="one", layout="joint"))
    assert sorted(read_stream(tmp_path / "out", "one", 1))[:2] == ["a_flow", "a_rgb"]


def test_a_file_cut_short_leaves_out_its_own_video_only(arrays: Path, tmp_path: Path, capsys: Any) -> None:
    path = arrays / "train/rgb/v0.npy"
    path.write_bytes(path.read_bytes()[:-100])
    tool.run(arrays, out=tmp_path / "out")
    assert list(read_stream(tmp_path / "out", "rgb", 1)) == list(read_stream(tmp_path / "out", "flow", 1)) == ["v1"]
    assert "v0: probe: not-an-array: v0.npy has" in capsys.readouterr().err


def test_values_above_float16_are_named_with_what_to_do(arrays: Path, tmp_path: Path) -> None:
    np.save(arrays / "train/rgb/v0.npy", np.full((30, 8), 1e6, np.float32))
    tool.run(arrays, out=tmp_path / "out")
    [row] = [r for r in read_rows(tmp_path / "out/failures.parquet") if r["kind"] == "not-finite"]
    assert (row["video_id"], row["stage"]) == ("v0", "import_features/rgb")
    assert row["message"] == (
        "29 rgb features are not finite, or above 65504, first that of snippet 0; they count as not decoded. "
        "Divide larger features by a constant before the import"
    )


def test_features_of_another_grid_are_described_in_one_line(tmp_path: Path, capsys: Any) -> None:
    durations = {f"v{k:02d}": 20.0 + k for k in range(30)}
    for video_id, duration in durations.items():
        path = tmp_path / f"features/rgb/{video_id}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.zeros((SnippetGrid(30, 16, 4).count_snippets(duration), 4), np.float32))
    tool.run(tmp_path / "features", out=tmp_path / "out", annotations=annotations(tmp_path, **durations))
    lines = capsys.readouterr().err.splitlines()
    [line] = [line for line in lines if "30 of 30 videos are not as long as annotated" in line]
    assert "30 of 30 fit the grid fps 30, stride 4, frames about 16: set `grid` to it" in line
    assert "and 10 more" in lines
    assert len(lines) < 30


def test_out_must_be_a_folder(arrays: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file is not a folder that you can write to"):
        tool.run(arrays, out=tmp_path / "file")


def test_a_folder_without_streams_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no features in a known layout"):
        tool.run(tmp_path, out=tmp_path / "out")
