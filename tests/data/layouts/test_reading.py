"""Every layout gives the same features; what does not fit is a failure of one video, or one line for all."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clip_ae.core.errors import RefusedInput, Unreadable, UserError
from clip_ae.core.provenance import Provenance
from clip_ae.core.timeline import SnippetGrid
from clip_ae.data.layouts import array_features
from clip_ae.data.layouts.detect import list_feature_files
from clip_ae.data.layouts.npz_file import NpzFile
from clip_ae.data.layouts.video_files import VideoFileArrays
from clip_ae.data.precomputed_features import PrecomputedFeatures, open_precomputed
from clip_ae.data.precomputed_probe import probe_precomputed
from clip_ae.data.shards import write_shard
from tests.data.feature_sets import (
    DIM,
    ROWS,
    WRITERS,
    make_array,
    make_joint,
    make_object_array,
    make_video,
    save,
    write_claiming_npz,
    write_hdf5,
    write_joint,
    write_npz,
    write_streams,
    write_wtalc,
)

BOTH = ("rgb", "flow")
GRID = SnippetGrid()


def read(source: Path, streams: tuple[str, ...] = BOTH, layout: Any = None) -> PrecomputedFeatures:
    return open_precomputed(list_feature_files(source, streams, layout), GRID, 0, 1)


def failures(source: Path, streams: tuple[str, ...] = BOTH) -> dict[str, str]:
    """Kind and message of each failed or cut video."""
    return {row.video_id: row.reason for row in probe_precomputed(read(source, streams), streams, GRID) if row.reason}


@pytest.mark.parametrize("name", WRITERS)
def test_each_layout_gives_the_same_features(tmp_path: Path, name: str) -> None:
    source = WRITERS[name][1](tmp_path / "features")
    features = read(source)
    assert sorted(features.video_paths) == ["a", "b", "c"]
    for video_id, rows in ROWS.items():
        for stream in BOTH:
            assert (features.count_rows(stream, video_id), features.dim(stream)) == (rows, DIM)
            video = features.load(stream, video_id)
            np.testing.assert_array_equal(video.feature, make_array(video_id, stream))
            assert video.feature.dtype == np.float16
            assert video.start.tolist() == pytest.approx([0.64 * k for k in range(rows)])
    assert failures(source) == {}


@pytest.mark.parametrize("name", WRITERS)
def test_a_video_is_in_one_shard(tmp_path: Path, name: str) -> None:
    files = list_feature_files(WRITERS[name][1](tmp_path / "features"), BOTH)
    shards = [open_precomputed(files, GRID, index, 4) for index in range(4)]
    assert sorted(i for shard in shards for i in shard.video_paths) == ["a", "b", "c"]
    other = next(shard for shard in shards if "a" not in shard.video_paths)
    with pytest.raises(Unreadable, match="has no rgb features"):
        other.load("rgb", "a")


def test_a_single_stream_has_all_columns(tmp_path: Path) -> None:
    features = read(write_joint(tmp_path), ("slowfast",))
    assert features.dim("slowfast") == 2 * DIM
    np.testing.assert_array_equal(features.load("slowfast", "b").feature, make_joint("b"))


def test_the_line_for_the_log_says_what_is_assumed(tmp_path: Path) -> None:
    line = read(write_joint(tmp_path)).describe()
    assert line == (
        f"{tmp_path}: layout joint (ID.npy or ID.npz in the folder, one array with the columns of all streams); "
        "3 videos, arrays [T, D]; columns: rgb 4, flow 4"
    )
    assert "layout shards" in read(WRITERS["shards"][1](tmp_path / "shards")).describe()


@pytest.mark.parametrize("name", ["streams", "wtalc", "joint npy", "npz"])
def test_arrays_with_the_axes_exchanged_are_recognised(tmp_path: Path, name: str) -> None:
    """All arrays share the length of the first axis, and none that of the second."""
    source = tmp_path / "features"
    arrays = {video_id: np.ascontiguousarray(make_joint(video_id).T) for video_id in ROWS}
    if name == "streams":
        for video_id in ROWS:
            for stream in BOTH:
                save(source / stream / f"{video_id}.npy", make_array(video_id, stream).T)
    elif name == "wtalc":
        write_wtalc(source, list(arrays.values()))
    elif name == "npz":
        source.mkdir()
        np.savez(source / "all.npz", allow_pickle=False, **arrays)
    else:
        for video_id, array in arrays.items():
            save(source / f"{video_id}.npy", array)
    features = read(source)
    assert "arrays [D, T], so each is transposed" in features.describe()
    np.testing.assert_array_equal(features.load("flow", "b").feature, make_array("b", "flow"))


def test_two_arrays_are_not_enough_to_exchange_axes(tmp_path: Path) -> None:
    for video_id, columns in (("a", 8), ("b", 10)):
        save(tmp_path / f"{video_id}.npy", np.zeros((6, columns), np.float32))
    assert "arrays [T, D]" in read(tmp_path, ("one",)).describe()


def test_one_array_with_its_axes_exchanged_fails(tmp_path: Path) -> None:
    write_joint(tmp_path)
    save(tmp_path / "d.npy", np.zeros((2 * DIM, 9), np.float32))
    assert failures(tmp_path) == {
        "d": "shape: rgb in d.npy: 9 columns; most videos have 8; it seems to be transposed"
    }  # fmt: skip


@pytest.mark.parametrize("name", ["streams", "joint npy", "suffix"])
def test_the_most_common_width_wins_over_the_first(tmp_path: Path, name: str) -> None:
    source = WRITERS[name][1](tmp_path / "features")
    first = {"streams": "rgb/0.npy", "joint npy": "0.npy", "suffix": "0_rgb.npy"}[name]
    save(source / first, np.zeros((5, 20), np.float32))
    assert read(source).dim("rgb") == DIM
    assert failures(source)["0"].startswith(f"shape: rgb in {first}: 20 columns; most videos have ")


def test_some_shapes_of_many_videos_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(9):
        save(tmp_path / f"{number}.npy", np.zeros((3, 5 if number % 2 else 8), np.float32))
    read_shapes = []
    read_shape = VideoFileArrays.shape

    def count(source: VideoFileArrays, stream: str, video_id: str) -> tuple[int, int]:
        read_shapes.append(video_id)
        return read_shape(source, stream, video_id)

    monkeypatch.setattr(VideoFileArrays, "shape", count)
    monkeypatch.setattr(array_features, "MAX_SHAPES", 5)
    assert read(tmp_path, ("one",)).dim("one") == 8
    assert read_shapes == ["0", "2", "4", "6", "8"]


def test_the_most_common_width_wins_in_shards(tmp_path: Path) -> None:
    WRITERS["shards"][1](tmp_path)
    video = make_video("0", np.zeros((5, 20), np.float32))
    write_shard(tmp_path / "rgb/0.parquet", "rgb", 20, [video], Provenance("extract", {}, "code"))
    assert failures(tmp_path) == {"0": "shape: rgb features of length 20; most videos have 4"}


def test_an_odd_number_of_columns_has_no_halves(tmp_path: Path) -> None:
    for video_id, rows in ROWS.items():
        save(tmp_path / f"{video_id}.npy", np.zeros((rows, 7), np.float32))
    with pytest.raises(UserError, match=r"arrays have 7 columns, an odd number, so they are not rgb and flow"):
        read(tmp_path).dim("rgb")
    assert read(tmp_path, ("one",)).dim("one") == 7


def test_other_streams_than_the_halves_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"only rgb and flow \(two halves\) or .* got streams rgb, audio"):
        read(write_joint(tmp_path), ("rgb", "audio")).dim("rgb")


def test_a_stream_of_only_some_videos_fails_the_others(tmp_path: Path) -> None:
    write_streams(tmp_path)
    (tmp_path / "train/flow/a.npy").unlink()
    assert failures(tmp_path) == {"a": "missing: has no flow features; expected a file flow/a.npy, at any depth"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("suffix", "a file a_flow.npy"),
        ("hdf5 stream/id", "the data set flow/a in features.h5"),
        ("shards", "rows of it in flow/*.parquet"),
    ],
)
def test_a_missing_stream_is_named_as_its_layout_stores_it(tmp_path: Path, name: str, expected: str) -> None:
    source = WRITERS[name][1](tmp_path)
    if name == "suffix":
        (tmp_path / "a_flow.npy").unlink()
    elif name == "shards":
        videos = [make_video(i, make_array(i, "flow")) for i in ("b", "c")]
        write_shard(tmp_path / "flow/x.parquet", "flow", DIM, videos, Provenance("extract", {}, "code"))
    else:
        import h5py

        with h5py.File(source, "a") as file:
            del file["flow/a"]
    assert failures(source) == {"a": f"missing: has no flow features; expected {expected}"}


def test_streams_that_differ_by_more_than_a_row_fail(tmp_path: Path) -> None:
    write_streams(tmp_path)
    save(tmp_path / "train/flow/a.npy", make_array("a", "flow", rows=4))
    save(tmp_path / "train/flow/b.npy", make_array("b", "flow", rows=4))
    assert failures(tmp_path) == {
        "a": "length: rgb 5, flow 4 snippets; cut to 4",
        "b": "length: rgb 6, flow 4 snippets; not one grid",
    }


# --- broken and hostile files ---


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        b"PK\3\4 no archive",
        b"\x93NUMPY\1\0\x10\0{'descr': '<f4', ",
        b"\x93NUMPY\1\0\x20\0{'descr': '<f4', 'shape': (3, 4L)",
        b"\x93NUMPY\1\0\x08\0[[[[[[[[",
        b"\x93NUMPY\7\0\x08\0",
        b"\x93NUMPY\1\0\x41\0" + b"{'descr': '<f4', 'fortran_order': False, 'shape': (99999, 99), }  ",
        b"\x93NUMPY\1\0\x46\0" + b"{'descr': '<f4', 'fortran_order': False, 'shape': (10**9, 10**9), }  ",
    ],
)
@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_a_broken_file_fails_its_own_video(tmp_path: Path, content: bytes, suffix: str) -> None:
    write_joint(tmp_path)
    (tmp_path / f"z.{suffix}").write_bytes(content)
    features = read(tmp_path)
    [reason] = failures(tmp_path).values() or ["only when read"]
    for action in (features.load,) if reason == "only when read" else (features.load, features.count_rows):
        with pytest.raises(Unreadable) as refusal:
            action("rgb", "z")
        assert refusal.value.kind in ("not-an-array", "shape")
        assert "pickle" not in str(refusal.value)


@pytest.mark.parametrize("name", ["streams", "joint npy", "suffix"])
def test_a_npy_file_cut_short_fails_its_own_video_in_probe(tmp_path: Path, name: str) -> None:
    source = WRITERS[name][1](tmp_path)
    path = next(tmp_path.rglob("b*.npy"))
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-8])
    [(video_id, reason)] = failures(source).items()
    assert video_id == "b"
    assert reason == (
        f"not-an-array: {path.name} has {size - 8} bytes, and its header needs {size}: "
        "its end is missing; copy the file again"
    )


def test_bytes_after_the_array_are_ignored(tmp_path: Path) -> None:
    source = write_joint(tmp_path)
    (tmp_path / "b.npy").write_bytes((tmp_path / "b.npy").read_bytes() + b"more")
    assert failures(source) == {}


def test_an_array_that_claims_too_much_is_refused_by_its_size(tmp_path: Path) -> None:
    write_joint(tmp_path)
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (3200000000, 8), }"
    (tmp_path / "z.npy").write_bytes(b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header)
    assert failures(tmp_path) == {"z": "shape: z.npy claims 95.4 GiB of numbers, more than 2 GiB; cut the video"}


def test_an_archive_that_claims_too_much_is_refused_by_its_size(tmp_path: Path) -> None:
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (100000000, 4), }"
    content = b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header
    archive = NpzFile(write_claiming_npz(tmp_path / "x.npz", 100 * 2**30, content))
    with pytest.raises(Unreadable, match=r"x\.npz/a claims 100\.0 GiB, which its packed size cannot hold"):
        archive.read("a")
    archive = NpzFile(write_claiming_npz(tmp_path / "y.npz", len(content), content))
    with pytest.raises(Unreadable, match=r"y\.npz/a claims more numbers than the archive says it holds"):
        archive.read("a")


def test_objects_in_place_of_numbers_fail(tmp_path: Path) -> None:
    write_joint(tmp_path)
    save(tmp_path / "z.npy", np.array([[{}] * 8] * 4), allow_pickle=True)
    assert failures(tmp_path) == {"z": "not-an-array: z.npy contains Python objects, not numbers"}


def test_objects_in_an_archive_fail(tmp_path: Path) -> None:
    arrays = {video_id: make_joint(video_id) for video_id in ROWS}
    np.savez(tmp_path / "x.npz", **arrays, z=make_object_array([{}]))
    assert failures(tmp_path / "x.npz") == {"z": "not-an-array: x.npz/z contains Python objects, not numbers"}


def test_an_archive_of_several_arrays_is_not_one_video(tmp_path: Path) -> None:
    write_joint(tmp_path)
    for name in ("y", "z"):
        np.savez(tmp_path / f"{name}.npz", **{"1": make_joint("a"), "2": make_joint("b")})
    assert failures(tmp_path)["z"] == "shape: z.npz has 2 arrays; expected one"


def test_a_broken_file_of_all_videos_is_refused(tmp_path: Path) -> None:
    source = write_npz(tmp_path)
    source.write_bytes(source.read_bytes()[:200])
    with pytest.raises(RefusedInput, match=r"features\.npz is not a \.npz archive of numbers, or its end is missing"):
        read(source, layout="npz")


def test_no_readable_array_at_all_is_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.npy").write_bytes(b"text")
    with pytest.raises(RefusedInput) as refusal:
        read(tmp_path).dim("rgb")
    assert str(refusal.value) == (
        f"{tmp_path}: no file of the rgb stream is a [T, D] array of floats (a.npy is not a .npy file of numbers, or "
        "its end is missing); copy the files again"
    )


@pytest.mark.parametrize("as_file", [False, True])
def test_the_one_file_that_cannot_be_read_is_named(tmp_path: Path, as_file: bool) -> None:
    path = write_npz(tmp_path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(RefusedInput) as refusal:
        read(path if as_file else tmp_path).dim("rgb")
    assert str(refusal.value).startswith(
        f"{path}: no file of the rgb stream is a [T, D] array of floats (features.npz "
    )


def test_arrays_of_the_wrong_form_are_described(tmp_path: Path) -> None:
    save(tmp_path / "a.npy", np.zeros(4, np.float32))
    with pytest.raises(
        UserError, match=r"a\.npy: no file .* of floats \(a\.npy contains float32 \[4\]; expected floats"
    ):
        read(tmp_path).dim("rgb")


def test_a_file_of_objects_without_names_is_described(tmp_path: Path) -> None:
    save(tmp_path / "mine.npy", make_object_array([make_joint("a"), make_joint("b")]), allow_pickle=True)
    with pytest.raises(UserError) as refusal:
        read(tmp_path).dim("rgb")
    assert str(refusal.value) == (
        f"{tmp_path / 'mine.npy'}: no file of the rgb stream is a [T, D] array of floats (mine.npy contains Python "
        "objects, not numbers); a file with the arrays of all videos needs videoname.npy beside it, or in a folder "
        "beside it: docs/features.md"
    )


def test_an_array_of_other_dimensions_fails_its_own_video(tmp_path: Path) -> None:
    arrays = [make_joint(video_id) for video_id in "ab"]
    source = write_wtalc(tmp_path, [*arrays, np.zeros(8, np.float32)])
    assert failures(source) == {"c": "shape: the array of c contains float32 [8]; expected floats [snippets, D]"}
    with pytest.raises(Unreadable):
        read(source).load("rgb", "c")


def test_names_of_another_set_are_refused(tmp_path: Path) -> None:
    message = r"Features\.npy: 3 arrays, and {} names in Set-Annotations/videoname\.npy, {} of them different; the two"
    with pytest.raises(UserError, match=message.format(2, 2)):
        read(write_wtalc(tmp_path, names=np.array([b"a", b"b"])))
    with pytest.raises(UserError, match=message.format(3, 2)):
        read(write_wtalc(tmp_path, names=np.array([b"a", b"b", b"a"])))


# --- HDF5 ---


def test_a_file_for_each_stream(tmp_path: Path) -> None:
    import h5py

    for stream in BOTH:
        with h5py.File(tmp_path / f"{stream}.h5", "w") as file:
            for video_id in ROWS:
                file[video_id] = make_array(video_id, stream)
    np.testing.assert_array_equal(read(tmp_path).load("flow", "c").feature, make_array("c", "flow"))


def test_hdf5_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_hdf5(tmp_path)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(UserError, match=r'features\.h5: reading HDF5 needs h5py; pip install "clip-ae\[hdf5\]"'):
        read(source)


def test_hdf5_reads_no_other_file(tmp_path: Path) -> None:
    import h5py

    write_hdf5(tmp_path / "secret")
    source = write_hdf5(tmp_path)
    numbers = np.zeros((5, 2 * DIM), np.float32)
    numbers.tofile(tmp_path / "raw.bin")
    with h5py.File(source, "a") as file:
        file["link"] = h5py.ExternalLink("secret/features.h5", "/a")
        file["soft"] = h5py.SoftLink("/a")
        file.create_dataset("outside", (5, 2 * DIM), "f4", external=[("raw.bin", 0, numbers.nbytes)])
        layout = h5py.VirtualLayout((5, 2 * DIM), "f4")
        layout[:] = h5py.VirtualSource("secret/features.h5", "a", (5, 2 * DIM))
        file.create_virtual_dataset("virtual", layout)
        file["text"] = "text"
        file["two/x"], file["two/y"] = numbers, numbers
    assert failures(source) == {
        "link": "missing: has no data set link in the file itself",
        "soft": "missing: has no data set soft in the file itself",
        "outside": "not-an-array: features.h5/outside is not stored in the file itself",
        "virtual": "not-an-array: features.h5/virtual is not stored in the file itself",
        "text": "shape: features.h5/text contains object []; expected floats [snippets, D]",
        "two": "shape: features.h5/two has 2 data sets; expected one",
    }


def test_a_file_that_is_not_hdf5_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.h5").write_bytes(b"text")
    with pytest.raises(RefusedInput, match=r"x\.h5: not an HDF5 file, or its end is missing"):
        read(tmp_path / "x.h5")
