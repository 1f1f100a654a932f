"""A converted network is read, or refused in one line, whatever its bytes are."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clip_ae.core.errors import ClipAeError, RefusedInput
from clip_ae.core.provenance import FORMAT, Provenance
from clip_ae.provenance.read_provenance import read_provenance
from clip_ae.weights.network_file import read_weights, read_weights_metadata, read_weights_provenance, save_weights

PROVENANCE = Provenance("weights", {"name": "x"}, "c0de", {"pretrained": "1"}, {"torch": "2"})
READERS: tuple[Callable[[Path], Any], ...] = (
    read_weights,
    read_weights_provenance,
    read_weights_metadata,
    read_provenance,
)


def save(path: Path) -> Path:
    save_weights(path, {"w": np.arange(6, dtype=np.float32).reshape(2, 3)}, PROVENANCE, {"licence": "MIT"})
    return path


def write(path: Path, header: str, content: bytes = b"") -> Path:
    path.write_bytes(len(header.encode()).to_bytes(8, "little") + header.encode() + content)
    return path


def make_header(provenance: Any, about: Any = None, **tensors: Any) -> str:
    stored = json.dumps({"provenance": provenance, "about": about or {}})
    return json.dumps({"__metadata__": {"provenance": stored}, **tensors})


def tensor(dtype: str, shape: list[int], size: int = 0) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}


VALID: dict[str, Any] = json.loads(PROVENANCE.to_json())
DEEP = "[" * 100_000 + "]" * 100_000
HEADERS = {
    "nested": DEEP,
    "metadata nested": json.dumps({"__metadata__": {"provenance": DEEP}}),
    "metadata a list": json.dumps({"__metadata__": ["provenance"]}),
    "metadata a number": json.dumps({"__metadata__": {"provenance": 5}}),
    "provenance a list": make_header([]),
    "inputs a list": make_header(VALID | {"inputs": ["x"]}),
    "inputs of numbers": make_header(VALID | {"inputs": {"x": 1}}),
    "spec a text": make_header(VALID | {"spec": "x"}),
    "stage a number": make_header(VALID | {"stage": 1}),
    "an unknown key": make_header(VALID | {"more": 1}),
    "no code": make_header({"format": FORMAT, "stage": "x", "spec": {}}),
    "lone surrogate": make_header(VALID | {"stage": "\ud800"}),
    "nan": make_header(VALID, {"metrics": float("nan")}),
    "lone surrogate in metadata": make_header(VALID, {"licence": "\udfff"}),
    "bf16": make_header(VALID, w=tensor("BF16", [1], 2)),
    "f8": make_header(VALID, w=tensor("F8_E4M3", [2], 2)),
    "f4": make_header(VALID, w=tensor("F4", [4], 2)),
    "unknown type": make_header(VALID, w=tensor("X9", [2], 2)),
    "huge and empty": make_header(VALID, w=tensor("F32", [2**62, 0])),
    "70 dimensions": make_header(VALID, w=tensor("F32", [1] * 70, 4)),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_strange_header_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "x.safetensors", HEADERS[name], b"\0\0\0\0")
    with pytest.raises(RefusedInput) as caught:
        read_weights(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    for read in READERS:
        with contextlib.suppress(ClipAeError):
            read(path)


@given(st.data())
@settings(deadline=None)
def test_changed_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = save(tmp_path_factory.mktemp("changed") / "x.safetensors")
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw[: data.draw(st.just(len(raw)) | st.integers(0, len(raw)))])
    for read in READERS:
        # Any other error fails the test.
        with contextlib.suppress(ClipAeError):
            read(path)
    with contextlib.suppress(ClipAeError):
        assert read_weights(path).tensors["w"].tolist() == [[0, 1, 2], [3, 4, 5]]
