"""Pickles of arrays: numbers are read; anything else is named and refused before it can run."""

import datetime
import os
import pickle
import tracemalloc

import numpy as np
import pytest

from clip_ae.core.errors import RefusedInput
from clip_ae.data.pickles import read_npy_objects, read_pickled_arrays
from tests.data.npy_sets import write_objects


def read(folder, value, protocol=4):
    path = folder / "eyes.ckpt"
    path.write_bytes(value if isinstance(value, bytes) else pickle.dumps(value, protocol))
    return read_pickled_arrays("weights.eyes", path)


@pytest.mark.parametrize("protocol", [3, 4])
@pytest.mark.parametrize("kind", ["<f4", ">f4", "<f8", "<f2", "<i8", "|u1", "|b1"])
def test_arrays_by_name(tmp_path, kind, protocol):
    array = (np.arange(24) % 7).astype(kind).reshape(2, 3, 4)
    value = {"params": {"unit": {"kernel": array, "columns_first": np.asfortranarray(array)}}, "mean": array[0, 0]}
    arrays = read(tmp_path, value, protocol)
    assert arrays.keys() == {"params/unit/kernel", "params/unit/columns_first", "mean"}
    for name, expected in [("params/unit/kernel", array), ("params/unit/columns_first", array), ("mean", array[0, 0])]:
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], expected)


def test_names_of_numpy_1_are_accepted(tmp_path):
    content = pickle.dumps({"a": np.float32([1, 2])}, protocol=3)
    assert b"numpy._core.multiarray" in content
    old = content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    np.testing.assert_array_equal(read(tmp_path, old)["a"], [1, 2])


class Call:
    """Is pickled as a function call."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("nested", [False, True])
def test_code_is_refused_by_name_and_never_run(tmp_path, nested, protocol):
    trace = tmp_path / "ran"
    for function, argument, name in [
        (os.system, f"touch {trace}", "posix.system"),
        (eval, f"open({str(trace)!r}, 'w')", "builtins.eval"),
        (np.fromfile, str(trace), r"numpy(\.\w+)*\.fromfile"),
    ]:
        trap = Call(function, argument)
        value = {"params": {"kernel": {"deep": [trap]}}} if nested else trap
        with pytest.raises(RefusedInput, match=rf"weights.eyes: eyes.ckpt .* \(names (__builtin__|{name})"):
            read(tmp_path, value, protocol)
        assert not trace.exists()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"a": np.array([1, "x", None], object)}, "type 'O8' is not of plain numbers"),
        ({"a": np.zeros(2, [("x", "f4")])}, "type 'V4' is not of plain numbers"),
        ({"a": np.array(["text"])}, "type 'U4' is not of plain numbers"),
        ({"a": {"b": 1.5}}, "a/b is a float"),
        ({"a": [np.zeros(2)]}, "a is a list"),
        ([1], "it is a list"),
        ({"a": datetime.date(2020, 1, 1)}, "names datetime.date"),
        (b"", "EOFError"),
        (b"nonsense", ""),
        (pickle.dumps({"a": np.zeros(99)}, 4)[:-200], ""),
    ],
)
def test_other_values_than_numbers_are_refused(tmp_path, value, reason):
    with pytest.raises(RefusedInput, match=f"eyes.ckpt is not a pickle of plain arrays .*{reason}"):
        read(tmp_path, value)


def test_fewer_bytes_than_the_shape_are_refused(tmp_path):
    content = pickle.dumps({"a": np.zeros((3, 200), np.float32)}, 4)
    with pytest.raises(RefusedInput, match="cannot reshape"):
        read(tmp_path, content.replace(b"K\x03K\xc8", b"K\x04K\xc8"))


def test_dict_that_contains_itself_is_refused(tmp_path):
    value = {}
    value["again"] = value
    with pytest.raises(RefusedInput, match=r"more values than the file has bytes|recursion"):
        read(tmp_path, value)


def test_a_large_memo_index_allocates_nothing(tmp_path):
    content = b"\x80\x04}r\x00\x00\x00\x01."
    tracemalloc.start()
    assert read(tmp_path, content) == {}
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_lists_in_a_npy_file(tmp_path):
    rows = [[[0.5, 1.0], [2, 3.5]], [], ["run", "jump"]]
    assert read_npy_objects(write_objects(tmp_path / "segments.npy", rows)) == rows
    np.save(tmp_path / "new.npy", np.array([[1.0], [2.0]]))
    assert read_npy_objects(tmp_path / "new.npy") == [[1.0], [2.0]]


def test_functions_named_in_a_npy_file_are_never_called(tmp_path):
    trace = tmp_path / "ran"
    path = write_objects(tmp_path / "labels.npy", [[Call(os.system, f"touch {trace}")]])
    with pytest.raises(
        RefusedInput, match=r"labels.npy: not a npy file of lists, text and numbers \(names posix.system"
    ):
        read_npy_objects(path)
    assert not trace.exists()


@pytest.mark.parametrize("content", [b"", b"junk", b"\x93NUMPY\x01\x00"])
def test_other_files_than_npy_are_refused(tmp_path, content):
    path = tmp_path / "labels.npy"
    path.write_bytes(content)
    with pytest.raises(RefusedInput, match="not a npy file"):
        read_npy_objects(path)


def test_arrays_in_lists_become_lists(tmp_path):
    column = np.empty(2, dtype=object)
    column[:] = [np.array([[1.5, 2.0]]), [np.array([3])]]
    np.save(tmp_path / "new.npy", column, allow_pickle=True)
    assert read_npy_objects(tmp_path / "new.npy") == [[[1.5, 2.0]], [[3]]]


def test_objects_in_a_table_are_refused(tmp_path):
    np.save(tmp_path / "table.npy", np.array([["a", 1], ["b", 2]], dtype=object), allow_pickle=True)
    with pytest.raises(RefusedInput, match="objects in 2 dimensions"):
        read_npy_objects(tmp_path / "table.npy")


def test_tuples_in_a_npy_file_are_lists(tmp_path):
    assert read_npy_objects(write_objects(tmp_path / "s.npy", [[(0.5, 1.5)], []])) == [[[0.5, 1.5]], []]
