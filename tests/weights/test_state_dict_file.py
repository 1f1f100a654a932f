"""Published weights of any form are read as tensors by name, or refused in one line with little memory."""

import pickle
import resource
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clip_ae.core.errors import RefusedInput
from clip_ae.pipeline.state_dict_file import read_state_dict
from tests.builders import ROOT

LIMIT_BYTES = 3 << 30


def save(path: Path, state: Any) -> Path:
    torch.save(state, path)
    return path


def deflate(path: Path) -> Path:
    """A record of zeros that is packed: 3 MB become gigabytes. PyTorch stores records as they are."""
    save(path, {"w": torch.zeros(1 << 20)})
    with zipfile.ZipFile(path) as archive:
        records = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in records.items():
            archive.writestr(name, content)
    return path


HOSTILE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "key 1": (lambda path: save(path, {1: torch.zeros(2)}), "a name is of type int"),
    "repeated, in a state of training": (
        lambda path: save(path, {"epoch": 5, "state_dict": {"w": torch.zeros(1).expand(1 << 33)}}),
        "w repeats its numbers",
    ),
    "a list": (lambda path: save(path, [torch.zeros(2)]), "a list, not tensors by name"),
    "sparse": (lambda path: save(path, {"w": torch.eye(3).to_sparse()}), "w is sparse"),
    "no content": (lambda path: save(path, {"w": torch.empty(3, device="meta")}), "w is without content"),
    "repeated": (lambda path: save(path, {"w": torch.zeros(1).expand(1 << 33)}), "w repeats its numbers"),
    "packed": (deflate, "its records are packed"),
    "empty": (lambda path: (path.write_bytes(b"") and path) or path, "is not plain weights"),
    "random": (lambda path: (path.write_bytes(bytes(range(256)) * 9), path)[1], "is not plain weights"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_weights_are_refused_in_one_line(tmp_path: Path, name: str) -> None:
    make, reason = HOSTILE[name]
    path = make(tmp_path / "x.pt")
    with pytest.raises(RefusedInput, match=rf"^weights.x: x.pt.*{reason}") as caught:
        read_state_dict("weights.x", path)
    assert "\n" not in str(caught.value)


def test_views_of_one_storage_are_read(tmp_path: Path) -> None:
    whole = torch.arange(6.0)
    path = save(tmp_path / "x.pt", {"a": whole[:3], "b": whole.reshape(2, 3).T})
    assert {k: v.tolist() for k, v in read_state_dict("x", path).items()} == {
        "a": [0, 1, 2],
        "b": [[0, 3], [1, 4], [2, 5]],
    }


def test_lists_that_contain_lists_many_times_need_no_memory(tmp_path: Path) -> None:
    """Ten nested lists of ten, each of them the same object: 10^10 values from a hundred bytes."""
    value: Any = ["x"]
    for _ in range(10):
        value = [value] * 10
    array = np.empty(1, object)
    array[0] = value
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    named: Any = {"w": np.zeros(1, np.float32)}
    for number in range(10):
        named = {f"{number}{letter}": named for letter in "abcdefghij"}
    (tmp_path / "x.ckpt").write_bytes(pickle.dumps(named))
    code = (
        "import sys; from pathlib import Path; from clip_ae.core.errors import RefusedInput\n"
        "from clip_ae.data.pickles import read_npy_objects, read_pickled_arrays\n"
        "for read in (lambda: read_npy_objects(Path('x.npy')), lambda: read_pickled_arrays('x', Path('x.ckpt'))):\n"
        "    try: read()\n"
        "    except RefusedInput as error: print(error)\n"
    )
    run = subprocess.run(  # noqa: PLW1510 (the output is looked at)
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES)),
        timeout=120,
    )
    assert run.stdout.count("more values than the file has bytes") == 2, run.stdout + run.stderr
