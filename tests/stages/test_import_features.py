import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from clip_ae.core.config.specs import ImportFeaturesSpec, ProbeSpec
from clip_ae.core.errors import RefusedInput, Unreadable, UserError
from clip_ae.core.sharding import list_shard_names
from clip_ae.core.timeline import SnippetGrid
from clip_ae.data.layouts.detect import list_feature_files
from clip_ae.data.parquet import read_rows
from clip_ae.data.precomputed_features import open_precomputed
from clip_ae.data.shards import read_stream
from clip_ae.stages import import_features, probe
from tests.data.feature_sets import write_hdf5, write_streams

STREAMS = ("rgb", "flow")


def save(path: Path, rows: int, dim: int = 3, dtype: Any = np.float32) -> NDArray[Any]:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.arange(rows * dim).reshape(rows, dim).astype(dtype)
    np.save(path, values)
    return values


def run(
    source: Path, out: Path, shards: int = 2, grid: SnippetGrid = SnippetGrid()
) -> tuple[dict[str, Any], dict[str, str]]:
    """(probe rows, kinds of failure) by id."""
    rows, failures = [], []
    for shard in list_shard_names(shards):
        table, failed = out / "probe" / f"{shard}.parquet", out / "failures" / f"{shard}.parquet"
        probe.run(ProbeSpec(grid, STREAMS), features=source, shard=shard, out=table, failures=failed)
        rows += read_rows(table)
        failures += read_rows(failed)
        for stream in STREAMS:
            path = out / "features" / stream / f"{shard}.parquet"
            import_features.run(
                ImportFeaturesSpec(stream, grid, streams=STREAMS),
                features=source,
                probe=table,
                shard=shard,
                out=path,
                failures=failed,
            )
            failures += read_rows(failed)
    return {r["video_id"]: r for r in rows}, {f["video_id"]: f["kind"] for f in failures}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_npy_files_become_shards_with_times(tmp_path: Path, dtype: Any) -> None:
    source, out = tmp_path / "npy", tmp_path / "out"
    values = {i: save(source / "train" / "rgb" / f"{i}.npy", 5, dtype=dtype) for i in ("a", "b b", "ü")}
    for i in values:
        save(source / "flow" / f"{i}.npy", 5, dim=2)
    rows, failures = run(source, out)
    assert failures == {}
    assert rows["a"]["snippets"] == 5
    assert rows["a"]["duration"] == pytest.approx(3.2)
    rgb, flow = (read_stream(out / "features", stream, 2) for stream in ("rgb", "flow"))
    assert list(rgb) == list(flow) == ["a", "b b", "ü"]
    for video_id, video in rgb.items():
        np.testing.assert_array_equal(video.feature, values[video_id])
        assert video.start.tolist() == pytest.approx([0, 0.64, 1.28, 1.92, 2.56])
        assert (video.coverage == 1).all()


def test_one_extra_row_is_cut_with_a_message_and_two_are_refused(tmp_path: Path) -> None:
    for i, rows in (("even", 5), ("one", 6), ("two", 7)):
        save(tmp_path / "npy" / "rgb" / f"{i}.npy", rows)
        save(tmp_path / "npy" / "flow" / f"{i}.npy", 5)
    rows, failures = run(tmp_path / "npy", tmp_path / "out")
    assert {i: (r["status"], r["snippets"]) for i, r in rows.items()} == {
        "even": ("ok", 5), "one": ("ok", 5), "two": ("failed", 0),
    }  # fmt: skip
    assert failures == {"one": "length", "two": "length"}
    found = read_stream(tmp_path / "out" / "features", "rgb", 2)
    assert {i: len(v.start) for i, v in found.items()} == {"even": 5, "one": 5}


@pytest.mark.parametrize("content", [b"0.1 0.2", b"PK\3\4 no archive", pickle.dumps([1.0]), b"", b"\x93NUMPY"])
def test_a_file_that_is_no_array_is_described_in_own_words(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "npy/rgb").mkdir(parents=True)
    (tmp_path / "npy/rgb/a.npy").write_bytes(content)
    source = open_precomputed(list_feature_files(tmp_path / "npy", ["rgb"]), SnippetGrid(), 0, 1)
    with pytest.raises(Unreadable, match=r"^a\.npy is not a \.npy file of numbers, or its end is missing$") as refusal:
        source.load("rgb", "a")
    assert refusal.value.kind == "not-an-array"


def test_bad_files_cost_their_own_video(tmp_path: Path) -> None:
    source = tmp_path / "npy"
    names = ("good", "flat", "whole", "broken", "objects", "nan", "large", "other", "empty")
    for i in names:
        save(source / "rgb" / f"{i}.npy", 4)
        save(source / "flow" / f"{i}.npy", 4)
    save(source / "rgb" / "alone.npy", 4)
    np.save(source / "rgb" / "flat.npy", np.zeros(4, np.float32))
    np.save(source / "rgb" / "whole.npy", np.zeros((4, 3), int))
    (source / "rgb" / "broken.npy").write_bytes(b"\x93NUMPY")
    np.save(source / "rgb" / "objects.npy", np.array([[{}] * 3] * 4), allow_pickle=True)
    np.save(source / "rgb" / "nan.npy", np.array([[0, 0, 0], [0, np.nan, 0]], np.float32).repeat(2, axis=0))
    np.save(source / "rgb" / "large.npy", np.full((4, 3), 1e6, np.float32))
    np.save(source / "rgb" / "other.npy", np.zeros((4, 5), np.float32))
    np.save(source / "rgb" / "empty.npy", np.zeros((0, 3), np.float32))
    rows, failures = run(source, tmp_path / "out")
    assert failures == {
        "flat": "shape", "whole": "shape", "broken": "not-an-array", "objects": "not-an-array", "nan": "not-finite",
        "large": "not-finite", "other": "shape", "empty": "shape", "alone": "missing",
    }  # fmt: skip
    whole = {"good", "nan", "large"}
    assert {i for i, r in rows.items() if r["status"] == "ok"} == whole
    assert set(read_stream(tmp_path / "out" / "features", "flow", 2)) == whole
    found = read_stream(tmp_path / "out" / "features", "rgb", 2)
    assert {i: v.coverage.tolist() for i, v in found.items()} == {
        "good": [1, 1, 1, 1], "nan": [1, 1, 0, 0], "large": [0, 0, 0, 0],
    }  # fmt: skip
    assert all(np.isfinite(v.feature).all() for v in found.values())


# Enough bytes that reading the header of an array does not read its end.
LONG = np.arange(600 * 8, dtype=np.float32).reshape(600, 8)


def damage_npz(folder: Path) -> Path:
    """An archive whose member b has other bytes than its checksum says."""
    path = folder / "features.npz"
    folder.mkdir()
    np.savez(path, a=LONG[:5], b=LONG, c=LONG[:7])
    path.write_bytes(path.read_bytes().replace(LONG.tobytes(), LONG.tobytes()[::-1]))
    return path


def damage_hdf5(folder: Path) -> Path:
    """A file in which the packed bytes of b cannot be unpacked."""
    import h5py

    path = write_hdf5(folder)
    with h5py.File(path, "a") as file:
        del file["b"]
        chunk = file.create_dataset("b", data=LONG, compression="gzip", chunks=LONG.shape).id.get_chunk_info(0)
    with path.open("r+b") as stream:
        stream.seek(chunk.byte_offset)
        stream.write(b"\xff" * chunk.size)
    return path


@pytest.mark.parametrize(
    ("damage", "name"), [(damage_npz, "features.npz/b"), (damage_hdf5, "features.h5/b")], ids=["npz", "hdf5"]
)
def test_an_array_that_only_reading_finds_broken_has_zeros_and_failures(
    tmp_path: Path, damage: Callable[[Path], Path], name: str
) -> None:
    rows, _ = run(damage(tmp_path / "source"), tmp_path / "out", shards=1)
    assert rows["b"]["snippets"] == 600
    for stream in STREAMS:
        videos = read_stream(tmp_path / "out/features", stream, 1)
        assert list(videos) == ["a", "b", "c"]
        assert videos["b"].feature.shape == (600, 4)
        assert not videos["b"].feature.any()
        assert not videos["b"].coverage.any()
        assert videos["b"].stop[-1] == pytest.approx(600 * 0.64)
        assert videos["c"].coverage.all()
    [failure] = read_rows(tmp_path / "out/failures/0000-of-0001.parquet")
    assert (failure["video_id"], failure["stage"], failure["kind"]) == ("b", "import_features/flow", "not-an-array")
    assert failure["message"].startswith(name)
    assert failure["message"].endswith("; its 600 flow snippets count as not decoded")


def test_a_file_that_disappeared_after_probe_has_zeros_and_a_failure(tmp_path: Path) -> None:
    source = write_streams(tmp_path / "source")
    table, failed = tmp_path / "probe/0000-of-0001.parquet", tmp_path / "failed.parquet"
    probe.run(ProbeSpec(SnippetGrid(), STREAMS), features=source, shard=table.stem, out=table, failures=failed)
    (source / "train/rgb/b.npy").unlink()
    out = tmp_path / "features/rgb" / table.name
    spec = ImportFeaturesSpec("rgb", SnippetGrid(), streams=STREAMS)
    import_features.run(spec, features=source, probe=table, shard=table.stem, out=out, failures=failed)
    assert [row["kind"] for row in read_rows(failed)] == ["missing"]
    assert {i: v.coverage.any() for i, v in read_stream(tmp_path / "features", "rgb", 1).items()} == {
        "a": True, "b": False, "c": True,
    }  # fmt: skip


def test_shards_are_cut_another_way_and_keep_everything(tmp_path: Path) -> None:
    for i in range(7):
        for stream in ("rgb", "flow"):
            save(tmp_path / "npy" / stream / f"v{i}.npy", 3 + i)
    run(tmp_path / "npy", tmp_path / "one", shards=3)
    rows, failures = run(tmp_path / "one" / "features", tmp_path / "two", shards=5)
    assert failures == {}
    assert {i: r["snippets"] for i, r in rows.items()} == {f"v{i}": 3 + i for i in range(7)}
    before = read_stream(tmp_path / "one" / "features", "flow", 3)
    after = read_stream(tmp_path / "two" / "features", "flow", 5)
    assert list(after) == list(before)
    for video_id, video in after.items():
        np.testing.assert_array_equal(video.feature, before[video_id].feature)
        np.testing.assert_array_equal(video.stop, before[video_id].stop)


def test_shards_on_another_grid_are_refused_with_both_times(tmp_path: Path) -> None:
    for stream in ("rgb", "flow"):
        save(tmp_path / "npy" / stream / "x.npy", 3)
    run(tmp_path / "npy", tmp_path / "one")
    with pytest.raises(UserError, match=r"snippet 0 of 'x' is 0\.000 \.\.\. 0\.640 s, and 0\.000 \.\.\. 0\.533 s"):
        run(tmp_path / "one" / "features", tmp_path / "two", grid=SnippetGrid(fps=30))


def test_a_file_that_is_no_shard_is_refused(tmp_path: Path) -> None:
    for stream in ("rgb", "flow"):
        (tmp_path / stream).mkdir()
        (tmp_path / stream / "x.parquet").write_bytes(b"PAR1 no PAR1")
    with pytest.raises(RefusedInput, match="not a table of this project"):
        run(tmp_path, tmp_path / "out")
