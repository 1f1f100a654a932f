"""A network's tensors and their record in one safetensors file, hash-checked before anything is built.

Numpy only, so that reading weights needs no torch and this room stays below the nets.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.config.dataclass_config import to_canonical_json
from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.core.files import atomic_write
from clip_ae.core.provenance import Provenance
from clip_ae.core.types import NetworkWeights

Tensors = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class WeightsFile(NetworkWeights):
    """A network and what made it."""

    provenance: Provenance


def weights_digest(tensors: Mapping[str, NDArray[Any]], provenance: Provenance, metadata: Mapping[str, Any]) -> str:
    """sha256 over the record, what is known of the weights, and every tensor's name, type, shape and bytes."""
    stated = {"provenance": provenance, "about": {k: v for k, v in metadata.items() if k != "sha256"}}
    total = hashlib.sha256(to_canonical_json(stated).encode())
    for name in sorted(tensors):
        tensor = np.asarray(tensors[name], order="C")
        total.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        total.update(tensor.tobytes())
    return total.hexdigest()


def save_weights(path: Path, tensors: Tensors, provenance: Provenance, about: dict[str, Any]) -> None:
    from safetensors.numpy import save_file

    about = {**about, "sha256": weights_digest(tensors, provenance, about)}
    # One metadata key: the order of several is random in safetensors, and the bytes must not be.
    metadata = {"provenance": to_canonical_json({"provenance": json.loads(provenance.to_json()), "about": about})}
    contiguous = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}
    with atomic_write(path) as temporary:
        save_file(contiguous, temporary, metadata)


def read_weights(path: Path) -> WeightsFile:
    """Refuses a file of which a single byte is not as it was saved."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    record, about = _header(path)
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise _foreign(path, error) from None
    if weights_digest(tensors, record, about) != about.get("sha256"):
        raise RefusedInput(f"{path}: content does not match its own sha256; delete it to make it again")
    return WeightsFile(about, tensors, record)


def read_weights_provenance(path: Path) -> Provenance:
    return _header(path)[0]


def read_weights_metadata(path: Path) -> dict[str, Any]:
    """What is known of the weights, without reading or checking them."""
    return _header(path)[1]


def _header(path: Path) -> tuple[Provenance, dict[str, Any]]:
    """The record and what is known of the weights, read from the metadata without the tensors."""
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if size > 100_000_000:
                raise ValueError("header too large")
            stored = json.loads(file.read(size))["__metadata__"]
        # Format 1 called the key `record`.
        header = json.loads(stored.get("provenance", stored.get("record", "{}")))
        return Provenance.from_dict(header.get("provenance", header.get("record"))), dict(header["about"])
    except FileNotFoundError:
        raise UserError(f"{path}: no such weights file") from None
    except (ValueError, KeyError, TypeError) as error:
        raise _foreign(path, error) from None


def _foreign(path: Path, error: Exception) -> RefusedInput:
    return RefusedInput(f"{path}: not a weights file of this project ({error}); delete it to make it again")
