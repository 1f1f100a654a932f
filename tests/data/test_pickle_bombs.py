"""Pickles of a few hundred bytes that describe trees of 2^60 values, for every loader that reads pickles.

Without a check, the hash or the text of such a value, or a loop over it, never ends: the fuzzer found the first.
"""

import pickle
import signal
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clip_ae.core.errors import RefusedInput
from clip_ae.data.object_arrays import ObjectArrays, read_texts
from clip_ae.data.pickles import read_npy_objects, read_pickled_arrays
from clip_ae.data.unpicklers import CheckingUnpickler
from clip_ae.pipeline.state_dict_file import read_state_dict

DEPTH = 60
MAX_SECONDS = 20
HEADER = b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117) + b"\n"


@pytest.fixture(autouse=True)
def _limit() -> Iterator[None]:
    """A loop in Python ends in an error after some seconds. (One in C would hold the whole run.)"""

    def stop(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(MAX_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def doubled(wrap: Callable[[Any], Any], value: Any) -> Any:
    for _ in range(DEPTH):
        value = wrap(value)
    return value


# Python's own pickler writes the second of two equal values as a reference to the first.
TUPLES, LISTS = doubled(lambda v: (v, v), 1), doubled(lambda v: [v, v], 1)
DICTS = doubled(lambda v: {"a": v, "b": v}, {})


def body(value: Any) -> bytes:
    """The opcodes that push a value."""
    return pickle.dumps(value, 2)[2:-1]


# {TUPLES: 1} in three ways, and sets, which are hashed as well. Python could not make them: it would hash them.
HASHED = {
    "one item": b"\x80\x02}" + body(TUPLES) + b"K\x01s.",
    "items": b"\x80\x02}(" + body(TUPLES) + b"K\x01u.",
    "a dict of protocol 0": b"(" + body(TUPLES) + b"K\x01d.",
    "a set": b"\x80\x04\x8f(" + body(TUPLES) + b"\x90.",
    "a frozen set": b"\x80\x04(" + body(TUPLES) + b"\x91.",
}
# PyTorch makes these containers itself, and fills their attributes.
CONTAINERS = {
    "an ordered dict of pairs": b"\x80\x02ccollections\nOrderedDict\n](" + body((TUPLES, 1)) + b"e\x85R.",
    "a counter": b"\x80\x02ccollections\nCounter\n](" + body(TUPLES) + b"e\x85R.",
    "attributes of an ordered dict": b"\x80\x02ccollections\nOrderedDict\n)R](" + body((TUPLES, 1)) + b"eb.",
}
# A name, a type, and a shape that are a tree.
SCANNED = {
    "name": b"\x80\x04" + body(TUPLES) + b"\x8c\x01x\x93.",
    "type": b"\x80\x04\x8c\x05numpy\x8c\x05dtype\x93" + body(TUPLES) + b"\x85R.",
    "shape": b"\x80\x04\x8c\x16numpy._core.multiarray\x8c\x0c_reconstruct\x93)R(K\x01" + body(TUPLES) + b"\x8c\x05numpy"
    b"\x8c\x05dtype\x93\x8c\x02O8\x85R\x89]tb.",
    "elements": b"\x80\x04\x8c\x16numpy._core.multiarray\x8c\x0c_reconstruct\x93)R(K\x01K\x01\x85\x8c\x05numpy\x8c\x05"
    b"dtype\x93\x8c\x02O8\x85R\x89](" + body(TUPLES) + b"etb.",
}


@pytest.mark.parametrize("name", [*HASHED, "dicts", "lists", "tuples"])
def test_pickles_of_arrays(name: str, tmp_path: Path) -> None:
    trees = {"dicts": DICTS, "lists": {"a": LISTS}, "tuples": {"a": TUPLES}}
    path = tmp_path / "weights.ckpt"
    path.write_bytes(HASHED[name] if name in HASHED else pickle.dumps(trees[name], 2))
    with pytest.raises(RefusedInput, match="not a pickle of plain arrays"):
        read_pickled_arrays("weights.x", path)


@pytest.mark.parametrize("name", [*HASHED, *SCANNED])
def test_npy_files_of_objects(name: str, tmp_path: Path) -> None:
    path = tmp_path / "o.npy"
    path.write_bytes(HEADER + (HASHED | SCANNED)[name])
    for read in (read_npy_objects, read_texts, ObjectArrays):
        with pytest.raises(RefusedInput):
            read(path)


@pytest.mark.parametrize("tree", [TUPLES, LISTS, [TUPLES]])
def test_npy_files_that_numpy_wrote(tree: Any, tmp_path: Path) -> None:
    path, values = tmp_path / "o.npy", np.empty(1, object)
    values[0] = tree
    np.save(path, values, allow_pickle=True)
    for read in (read_npy_objects, read_texts, ObjectArrays):
        with pytest.raises(RefusedInput):
            read(path)


def torch_file(path: Path, content: bytes, record: str = "data.pkl") -> Path:
    """A PyTorch file whose pickle is replaced."""
    torch.save({"a": torch.zeros(2)}, path.with_suffix(".good"))
    with zipfile.ZipFile(path.with_suffix(".good")) as good, zipfile.ZipFile(path, "w") as file:
        for info in good.infolist():
            is_pickle = info.filename.endswith("data.pkl")
            name = info.filename.replace("data.pkl", record)
            file.writestr(name, content if is_pickle else good.read(info))
    return path


@pytest.mark.parametrize("name", [*HASHED, *CONTAINERS])
@pytest.mark.parametrize("record", ["data.pkl", "DATA.PKL"])
def test_pytorch_files(name: str, record: str, tmp_path: Path) -> None:
    with pytest.raises(RefusedInput, match="not plain weights"):
        read_state_dict("weights.x", torch_file(tmp_path / "x.pt", (HASHED | CONTAINERS)[name], record))


@pytest.mark.parametrize("name", HASHED)
def test_old_pytorch_files(name: str, tmp_path: Path) -> None:
    """The tensors are the fourth pickle."""
    path = tmp_path / "x.pt"
    torch.save({"a": torch.zeros(2)}, path, _use_new_zipfile_serialization=False)
    with path.open("rb") as file:
        for _ in range(3):
            CheckingUnpickler(file).load()
        start = file.tell()
    path.write_bytes(path.read_bytes()[:start] + HASHED[name])
    with pytest.raises(RefusedInput, match="not plain weights"):
        read_state_dict("weights.x", path)


@pytest.mark.parametrize("is_old", [False, True])
def test_states_of_training_are_read(is_old: bool, tmp_path: Path) -> None:
    """Optimizers have numbers as keys, and values of many kinds."""
    weight = torch.nn.Parameter(torch.zeros(2, 3))
    optimizer = torch.optim.Adam([weight])
    weight.sum().backward()
    optimizer.step()
    rest = (1, [2.0, None], {"k": (3, 3)}, OrderedDict(a=torch.Size([2, 3])), bytearray(b"x"))
    state = OrderedDict(w=weight.data, optimizer=optimizer.state_dict(), rest=rest)
    torch.save(state, tmp_path / "x.pt", _use_new_zipfile_serialization=not is_old)
    assert torch.equal(read_state_dict("weights.x", tmp_path / "x.pt")["w"], weight.data)


def test_trees_as_values_are_no_names(tmp_path: Path) -> None:
    """PyTorch reads them; what is checked is the tensors, each once."""
    content = b"\x80\x02}(X\x01\x00\x00\x00a" + body(TUPLES) + b"X\x01\x00\x00\x00b" + body(DICTS) + b"u."
    assert set(read_state_dict("weights.x", torch_file(tmp_path / "x.pt", content))) == {"a", "b"}


def test_archives_of_the_first_pytorch_are_refused(tmp_path: Path) -> None:
    import tarfile

    with tarfile.open(tmp_path / "x.pt", "w"):
        pass
    with pytest.raises(RefusedInput, match="of the first version of PyTorch"):
        read_state_dict("weights.x", tmp_path / "x.pt")
