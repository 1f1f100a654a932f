"""A network's tensors, metadata and provenance in one safetensors file with a digest of its content.

The digest is checked before a network is built. Numpy only: reading weights needs no torch.
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
from clip_ae.core.errors import RefusedInput, UserError, describe_error
from clip_ae.core.files import atomic_write
from clip_ae.core.provenance import Provenance
from clip_ae.core.types import NetworkWeights

Tensors = dict[str, NDArray[Any]]
# A larger safetensors header is not read.
MAX_HEADER_BYTES = 100_000_000


@dataclass(frozen=True)
class WeightsFile(NetworkWeights):
    """A network's tensors and metadata, with the provenance of the file."""

    provenance: Provenance


def weights_digest(tensors: Mapping[str, NDArray[Any]], provenance: Provenance, metadata: Mapping[str, Any]) -> str:
    """Return the sha256 of the provenance, the metadata, and each tensor's name, dtype, shape and bytes."""
    described = {"provenance": provenance, "about": {k: v for k, v in metadata.items() if k != "sha256"}}
    content_hash = hashlib.sha256(to_canonical_json(described).encode())
    for name in sorted(tensors):
        tensor = np.asarray(tensors[name], order="C")
        content_hash.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        content_hash.update(tensor.tobytes())
    return content_hash.hexdigest()


def save_weights(path: Path, tensors: Tensors, provenance: Provenance, about: dict[str, Any]) -> None:
    """Write tensors and metadata (`about`) with the provenance and a digest of all of them."""
    from safetensors.numpy import save_file

    about = {**about, "sha256": weights_digest(tensors, provenance, about)}
    # One metadata key: safetensors writes several in random order, and the bytes must not be random.
    metadata = {"provenance": to_canonical_json({"provenance": json.loads(provenance.to_json()), "about": about})}
    contiguous = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}
    with atomic_write(path) as temporary:
        save_file(contiguous, temporary, metadata)


def read_weights(path: Path) -> WeightsFile:
    """Read a weights file; RefusedInput if a single byte differs from what was saved."""
    from safetensors.numpy import load_file

    provenance, metadata = _read_header(path)
    try:
        tensors = load_file(path)
        digest = weights_digest(tensors, provenance, metadata)
    # Bytes that are no weights can raise any error.
    except Exception as error:
        raise _make_format_error(path, error) from None
    if digest != metadata.get("sha256"):
        raise RefusedInput(f"{path}: content does not match its own sha256; delete it to make it again")
    return WeightsFile(metadata, tensors, provenance)


def read_weights_provenance(path: Path) -> Provenance:
    """Read the provenance only, without reading or checking the tensors."""
    return _read_header(path)[0]


def read_weights_metadata(path: Path) -> dict[str, Any]:
    """Read the metadata only, without reading or checking the tensors."""
    return _read_header(path)[1]


def _read_header(path: Path) -> tuple[Provenance, dict[str, Any]]:
    """Return (provenance, metadata) from the header of the file, without the tensors."""
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if size > MAX_HEADER_BYTES:
                raise ValueError("header too large")
            stored = json.loads(file.read(size))["__metadata__"]
        # Format 1 used the key `record`.
        header = json.loads(stored.get("provenance", stored.get("record", "{}")))
        return Provenance.from_dict(header.get("provenance", header.get("record"))), dict(header["about"])
    except FileNotFoundError:
        raise UserError(f"{path}: no such weights file; make it first, or check the path") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _make_format_error(path, error) from None


def _make_format_error(path: Path, error: Exception) -> RefusedInput:
    return RefusedInput(
        f"{path}: not a weights file of this project ({describe_error(error)}); delete it to make it again"
    )
