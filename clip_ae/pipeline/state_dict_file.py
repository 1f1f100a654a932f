"""Read published weights as tensors by name, from safetensors, pickled arrays or a PyTorch file. No code of it runs."""

import re
from collections.abc import Mapping
from pathlib import Path
from tarfile import is_tarfile
from typing import IO, Any
from zipfile import ZIP_STORED, ZipFile, is_zipfile

import numpy as np
import torch
from numpy._core.multiarray import _reconstruct
from numpy.typing import NDArray

from clip_ae.core.errors import RefusedInput, describe_error
from clip_ae.data.pickles import read_pickled_arrays
from clip_ae.data.unpicklers import CheckingUnpickler

# Globals of numpy arrays, by their old and new names: some publishers saved arrays instead of tensors.
SAFE_GLOBALS: list[Any] = [
    (_reconstruct, "numpy.core.multiarray._reconstruct"),
    (_reconstruct, "numpy._core.multiarray._reconstruct"),
    np.ndarray,
    np.dtype,
    np.dtypes.Float32DType,
    np.dtypes.Float64DType,
]
# A file of PyTorch before 1.6 has five pickles: a magic number, a version, the machine, the tensors and the storages.
OLD_FILE_PICKLES = 5


def read_state_dict(key: str, path: Path) -> dict[str, Any]:
    """Tensors by name; RefusedInput for anything else. `key` names the config entry."""
    if path.suffix == ".ckpt":
        return {name: _to_tensor(array) for name, array in read_pickled_arrays(key, path).items()}
    try:
        state = _load(path)
    # Bytes that are no weights can raise any error.
    except Exception as error:
        raise RefusedInput(f"{key}: {path.name} is not plain weights ({_shorten_reason(error)})") from None
    if not isinstance(state, dict):
        raise RefusedInput(f"{key}: {path.name} contains a {type(state).__name__}, not tensors by name")
    _check_tensors(f"{key}: {path.name}", state, set())
    return state


def _load(path: Path) -> Any:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return dict(load_file(path))
    if is_zipfile(path):
        _check_archive(path)
    elif is_tarfile(path):
        raise ValueError("it is of the first version of PyTorch; save it with a later one")
    else:
        with path.open("rb") as file:
            _check_pickles(file, OLD_FILE_PICKLES)
    with torch.serialization.safe_globals(SAFE_GLOBALS):
        return torch.load(path, map_location="cpu", weights_only=True)


def _check_archive(path: Path) -> None:
    with ZipFile(path) as archive:
        if any(info.compress_type != ZIP_STORED for info in archive.infolist()):
            raise ValueError("its records are packed, which PyTorch never does: their size is unknown")
        for info in archive.infolist():
            # PyTorch ignores the case of the names of its records.
            if info.filename.lower().endswith(".pkl"):
                with archive.open(info) as record:
                    _check_pickles(record, 1)


def _check_pickles(file: IO[bytes], count: int) -> None:
    """Raise ValueError for values that PyTorch would never finish hashing."""
    for _ in range(count):
        CheckingUnpickler(file).load()


def _check_tensors(where: str, state: Mapping[Any, Any], seen: set[int]) -> None:
    """Check the tensors of a dict and of the dicts in it, each once: training states have more than weights."""
    seen.add(id(state))
    for name, value in state.items():
        if isinstance(value, torch.Tensor):
            _check_tensor(where, name, value)
        elif isinstance(value, dict) and id(value) not in seen:
            _check_tensors(where, value, seen)


def _check_tensor(where: str, name: Any, tensor: torch.Tensor) -> None:
    """Refuse a name that is no text, and a tensor whose numbers are not in the file one by one."""
    if not isinstance(name, str):
        raise RefusedInput(f"{where}: a name is of type {type(name).__name__}, not text")
    if tensor.layout is not torch.strided or tensor.is_quantized:
        raise RefusedInput(f"{where}: {name} is sparse or quantized; save it as a plain tensor")
    if tensor.is_meta:
        raise RefusedInput(f"{where}: {name} is without content (device `meta`)")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise RefusedInput(f"{where}: {name} repeats its numbers, {tensor.numel()} from fewer; save a copy of it")


def _shorten_reason(error: Exception) -> str:
    """The name that the file refers to, or the first sentence: torch goes on with how to run the code in the file."""
    global_name = re.search(r"GLOBAL ([\w.]+)", str(error))
    return f"names {global_name[1]}" if global_name else describe_error(error).partition(". ")[0]


def _to_tensor(array: NDArray[Any]) -> torch.Tensor:
    """A writable copy in this machine's byte order."""
    return torch.from_numpy(array.astype(array.dtype.newbyteorder("=")))
