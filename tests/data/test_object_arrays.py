"""npy files of objects: arrays and text are found in the pickle; anything else is refused, and nothing is run."""

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clip_ae.core.errors import RefusedInput
from clip_ae.data import pickle_scan
from clip_ae.data.object_arrays import ObjectArrays, read_texts
from tests.builders import ROOT
from tests.data.feature_sets import make_object_array
from tests.data.npy_sets import write_objects

HEADER = {"descr": "|O", "fortran_order": False, "shape": (1,)}
ARRAYS = [
    np.arange(6, dtype="<f4").reshape(2, 3),
    np.arange(900, dtype=">f8").reshape(300, 3),
    np.asfortranarray(np.arange(12, dtype="<f2").reshape(4, 3)),
]


def write_pickle(path: Path, content: bytes) -> Path:
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, HEADER)
        file.write(content)
    return path


def save_objects(path: Path, items: list[Any]) -> Path:
    np.save(path, make_object_array(items), allow_pickle=True)
    return path


@pytest.mark.parametrize("writer", ["numpy", "python 2", "protocol 3"])
def test_arrays_are_found_and_read(tmp_path: Path, writer: str) -> None:
    path = tmp_path / "x.npy"
    if writer == "numpy":
        save_objects(path, ARRAYS)
    elif writer == "python 2":
        write_objects(path, ARRAYS)
    else:
        write_pickle(path, pickle.dumps(make_object_array(ARRAYS), 3))
    arrays = ObjectArrays(path)
    assert len(arrays.records) == 3
    for index, expected in enumerate(ARRAYS):
        array = arrays.read(index)
        assert array.dtype == expected.dtype
        np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("names", [np.array([b"a", "ü".encode()]), np.array(["a", "ü"]), make_object_array(["a", "ü"]),
                                   make_object_array([b"a", "ü".encode()])])  # fmt: skip
def test_names_are_text_or_bytes(tmp_path: Path, names: Any) -> None:
    np.save(tmp_path / "videoname.npy", names, allow_pickle=True)
    assert read_texts(tmp_path / "videoname.npy") == ["a", "ü"]


def test_names_by_python_2(tmp_path: Path) -> None:
    assert read_texts(write_objects(tmp_path / "videoname.npy", ["a", "b"])) == ["a", "b"]


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ("text", "element 0 is text"),
        ([np.zeros(2)], "element 0 is a list"),
        (None, "element 0 is a NoneType"),
        (1.5, "has a single number"),
        ({"a": 1}, "has a dict"),
        (make_object_array([np.zeros(2)]), "element 0 is an array of objects"),
        (np.array(["text"]), "has elements of type 'U4'"),
        (np.zeros(2, [("x", "f4")]), "has a dict"),
        (np.datetime64(1, "s"), "names numpy._core.multiarray.scalar"),
        (os.system, "element 0 is the name posix.system"),
        (Path("x"), "names pathlib.PosixPath"),
    ],
)
def test_other_objects_than_arrays_are_refused(tmp_path: Path, item: Any, reason: str) -> None:
    path = save_objects(tmp_path / "x.npy", [item])
    with pytest.raises(RefusedInput, match=r"x\.npy: not a npy file with a list of arrays \(") as refusal:
        ObjectArrays(path)
    assert reason in str(refusal.value)
    assert "\n" not in str(refusal.value)


class Call:
    """Is pickled as a function call."""

    def __init__(self, function: Any, argument: str) -> None:
        self.call = (function, (argument,))

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_nothing_is_called(tmp_path: Path, protocol: int) -> None:
    trace = tmp_path / "ran"
    for content in (Call(os.system, f"touch {trace}"), make_object_array([Call(os.system, f"touch {trace}")])):
        path = write_pickle(tmp_path / "x.npy", pickle.dumps(content, protocol))
        for reader in (ObjectArrays, read_texts):
            with pytest.raises(RefusedInput):
                reader(path)
    assert not trace.exists()


def test_one_array_for_two_videos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedInput, match="has one array twice"):
        ObjectArrays(save_objects(tmp_path / "x.npy", [ARRAYS[0], ARRAYS[0]]))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.zeros((2, 3), np.float32), "has numbers of type float32 in one array, not an array for each video"),
        (np.array([[1, None]], object), "expected one dimension"),
        (np.array({"a": 1}, object), "has a dict"),
    ],
)
def test_other_files_of_objects_are_refused(tmp_path: Path, values: Any, reason: str) -> None:
    np.save(tmp_path / "x.npy", values, allow_pickle=True)
    with pytest.raises(RefusedInput, match=reason):
        ObjectArrays(tmp_path / "x.npy")


@pytest.mark.parametrize("values", [np.zeros(3), np.zeros((2, 2), "S3"), make_object_array([np.zeros(2)])])
def test_names_that_are_not_text_are_refused(tmp_path: Path, values: Any) -> None:
    np.save(tmp_path / "videoname.npy", values, allow_pickle=True)
    with pytest.raises(RefusedInput, match=r"a npy file with a list of text .*, or save it with one name for each"):
        read_texts(tmp_path / "videoname.npy")


def test_a_shape_that_its_bytes_do_not_fill_is_refused(tmp_path: Path) -> None:
    content = pickle.dumps(make_object_array([np.zeros((3, 200), np.float32)]), 4)
    path = write_pickle(tmp_path / "x.npy", content.replace(b"K\x03K\xc8", b"K\x04K\xc8"))
    with pytest.raises(RefusedInput, match=r"element 0 has 2400 bytes for the shape \[4, 200\]"):
        ObjectArrays(path)


@pytest.mark.parametrize("missing", [3, 500, 2000])
def test_a_file_without_its_end_is_refused(tmp_path: Path, missing: int) -> None:
    path = save_objects(tmp_path / "x.npy", [np.zeros((30, 20), np.float32)])
    path.write_bytes(path.read_bytes()[:-missing])
    with pytest.raises(RefusedInput) as refusal:
        ObjectArrays(path)
    assert str(refusal.value) == (
        f"{path}: not a npy file with a list of arrays (ends too early); copy the file again, or save it with one "
        "[T, D] array of numbers for each video"
    )


def test_more_values_than_a_data_set_has_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickle_scan, "MAX_OPCODES", 50)
    with pytest.raises(RefusedInput, match="has more than 50 values"):
        ObjectArrays(save_objects(tmp_path / "x.npy", ARRAYS))


HOSTILE = {
    "bytes of 100 GB": b"\x80\x04\x8e" + (100 * 2**30).to_bytes(8, "little") + b"x.",
    "text of 3 GB": b"\x80\x04X" + (3 * 2**30).to_bytes(4, "little") + b"x.",
    "a memo of 4 billion": b"\x80\x04]r\xff\xff\xff\xff.",
    "a list in itself": b"\x80\x04]q\x00h\x00a.",
    "lists of lists": b"\x80\x04]" + b"".join(b"q%c](" % i + b"h%c" % i * 99 + b"e" for i in range(99)) + b".",
    "a long name": b"\x80\x04c" + b"a" * 5000 + b"\nb\n.",
    "nothing to take": b"\x80\x04b.",
    "no mark": b"\x80\x04t.",
    "no memo": b"\x80\x04h\x05.",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_are_refused(tmp_path: Path, name: str) -> None:
    path = write_pickle(tmp_path / "x.npy", HOSTILE[name])
    for reader in (ObjectArrays, read_texts):
        with pytest.raises(RefusedInput):
            reader(path)


def test_hostile_pickles_need_no_memory(tmp_path: Path) -> None:
    """All of them and a million nested lists, in a process that may use little more than its libraries."""
    paths = [write_pickle(tmp_path / f"{i}.npy", content) for i, content in enumerate(HOSTILE.values())]
    paths.append(write_pickle(tmp_path / "many.npy", b"\x80\x04" + b"]" * 2_000_000 + b"."))
    program = """
import resource, sys
from pathlib import Path
from clip_ae.core.errors import RefusedInput
from clip_ae.data.object_arrays import ObjectArrays
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[1:]:
    try:
        ObjectArrays(Path(path))
    except RefusedInput:
        continue
    sys.exit("was read")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    command = [sys.executable, "-c", program, *map(str, paths)]
    completed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    # In KiB. A million lists are 65 MB.
    assert int(completed.stdout) < 200_000


def test_fuzzed_pickles_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("fuzzed")
    content = pickle.dumps(make_object_array([np.zeros((3, 2), np.float32), np.ones((2, 2), np.float32)]), 4)

    @settings(max_examples=300)
    @given(st.integers(0, len(content) - 1), st.binary(max_size=4), st.integers(0, 6))
    def check(start: int, inserted: bytes, removed: int) -> None:
        path = write_pickle(folder / "x.npy", content[:start] + inserted + content[start + removed :])
        try:
            arrays = ObjectArrays(path)
            for index in range(len(arrays.records)):
                arrays.read(index)
        except RefusedInput:
            return

    check()
