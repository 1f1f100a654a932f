"""The choice of a backend and a precision: measured once, accurate, and never at the price of a wrong feature."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clip_ae.core.config.streams import I3dEncoder, StreamEncoder
from clip_ae.core.errors import UserError
from clip_ae.core.processor import processor_name
from clip_ae.encoders import backend_choice
from clip_ae.encoders.backend_choice import (
    MAX_DIFFERENCE,
    Candidate,
    ChoiceCache,
    choose_encoder,
    describe,
    list_candidates,
    make_key,
    select_fastest,
)
from clip_ae.encoders.openvino_backend import UnsupportedNetwork

AUTO = I3dEncoder()
BATCH = np.arange(8, dtype=np.float32).reshape(2, 4)
ALL = ["torch in fp32", "torch in bf16", "openvino in fp32", "openvino in bf16"]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """A machine with every candidate, whose clock and features a test sets by candidate."""
    facts: dict[str, Any] = {"seconds": {}, "error": {}, "built": [], "bf16": True, "problem": None, "cpu": "CPU one"}
    facts["unsupported"] = None
    now = [0.0]

    def build(encoder: StreamEncoder) -> Callable[[Any], Any]:
        facts["built"].append(describe(encoder))

        def encode(batch: Any) -> Any:
            if encoder.backend == facts["unsupported"]:
                raise UnsupportedNetwork("a layer is not known")
            now[0] += facts["seconds"].get(describe(encoder), 1.0)
            return batch * (1 + facts["error"].get(describe(encoder), 0.0))

        return encode

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(backend_choice.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(backend_choice, "has_bf16_instructions", lambda: facts["bf16"])
    monkeypatch.setattr(backend_choice, "find_openvino_problem", lambda: facts["problem"])
    monkeypatch.setattr(backend_choice, "processor_name", lambda: facts["cpu"])
    facts["choose"] = lambda encoder=AUTO: describe(choose_encoder("rgb", encoder, build, BATCH, "cpu", ["a" * 64]))
    facts["cache"] = tmp_path / "clip-ae/backends.json"
    return facts


def test_the_fastest_accurate_candidate_is_chosen(machine: dict[str, Any]) -> None:
    machine["seconds"] = {"torch in bf16": 0.5, "openvino in fp32": 0.3, "openvino in bf16": 0.1}
    machine["error"] = {"openvino in bf16": 2 * MAX_DIFFERENCE}
    assert machine["choose"]() == "openvino in fp32"


def test_a_choice_is_measured_once_for_a_processor(machine: dict[str, Any]) -> None:
    machine["seconds"] = {"openvino in bf16": 0.1}
    assert machine["choose"]() == "openvino in bf16"
    built = len(machine["built"])
    assert machine["choose"]() == "openvino in bf16"
    assert len(machine["built"]) == built
    machine["cpu"], machine["seconds"] = "CPU two", {"torch in bf16": 0.1}
    assert machine["choose"]() == "torch in bf16"
    assert len(json.loads(machine["cache"].read_text())) == 2


def test_a_remembered_choice_that_cannot_be_had_any_more_is_not_taken(machine: dict[str, Any]) -> None:
    machine["seconds"] = {"torch in bf16": 0.1}
    assert machine["choose"]() == "torch in bf16"
    machine["bf16"] = False
    assert machine["choose"]() == "torch in fp32"


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"x": 1}', b"\xff", b"[" * 100_000])
def test_a_broken_cache_costs_a_measurement(machine: dict[str, Any], content: bytes) -> None:
    machine["cache"].parent.mkdir()
    machine["cache"].write_bytes(content)
    assert machine["choose"]() == "torch in fp32"
    assert "torch in fp32" in machine["cache"].read_text()


def test_a_cache_that_cannot_be_written_is_no_error(machine: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    machine["cache"].parent.write_text("a file where the folder should be")
    assert machine["choose"]() == "torch in fp32"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME", raising=False)
    assert ChoiceCache.default().path is None
    assert machine["choose"]() == "torch in fp32"


@pytest.mark.parametrize(
    ("changes", "bf16", "problem", "names"),
    [
        ({}, True, None, ALL),
        ({}, False, None, [ALL[0], ALL[2]]),
        ({}, True, "too old", ALL[:2]),
        ({"precision": "fp32"}, True, None, [ALL[0], ALL[2]]),
        ({"backend": "torch"}, True, None, ALL[:2]),
        ({"backend": "openvino", "precision": "bf16"}, False, None, [ALL[3]]),
        ({"compile": True}, True, None, ALL[:2]),
    ],
)
def test_auto_stands_for_what_this_machine_has(
    machine: dict[str, Any], changes: dict[str, Any], bf16: bool, problem: str | None, names: list[str]
) -> None:
    machine["bf16"], machine["problem"] = bf16, problem
    assert [describe(encoder) for encoder in list_candidates(replace(AUTO, **changes), "cpu")] == names


def test_a_stated_choice_is_never_measured(machine: dict[str, Any]) -> None:
    assert machine["choose"](replace(AUTO, backend="openvino", precision="bf16")) == "openvino in bf16"
    assert machine["built"] == []
    assert not machine["cache"].exists()


def test_openvino_is_refused_on_gpus() -> None:
    with pytest.raises(UserError, match=r"runs on CPUs only; set backend to torch, or runtime\.device to cpu"):
        list_candidates(replace(AUTO, backend="openvino"), "cuda:0")


def test_noise_does_not_decide() -> None:
    def measured(name: str, seconds: float) -> Candidate:
        backend, _, precision = name.split()
        return Candidate(replace(AUTO, backend=backend, precision=precision), seconds, 1.0, 0.0)  # type: ignore[arg-type]

    assert describe(select_fastest([measured(ALL[0], 1.0), measured(ALL[2], 0.95)], "rgb")) == ALL[0]
    assert describe(select_fastest([measured(ALL[0], 1.0), measured(ALL[2], 0.85)], "rgb")) == ALL[2]


def test_the_key_has_all_that_a_choice_depends_on() -> None:
    keys = {
        make_key(AUTO, BATCH, "cpu", ["a"]),
        make_key(AUTO, BATCH[:1], "cpu", ["a"]),
        make_key(AUTO, BATCH, "cpu", ["b"]),
        make_key(replace(AUTO, compile=True), BATCH, "cpu", ["a"]),
        make_key(replace(AUTO, precision="fp32"), BATCH, "cpu", ["a"]),
    }
    assert len(keys) == 5
    assert all(processor_name() in key for key in keys)


def test_the_choice_is_kept_where_caches_belong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/someone")
    assert ChoiceCache.default().path == Path("/home/someone/.cache/clip-ae/backends.json")


def test_a_network_that_openvino_does_not_know_runs_in_torch(machine: dict[str, Any]) -> None:
    machine["seconds"] = {"openvino in fp32": 0.1, "torch in bf16": 0.5}
    machine["unsupported"] = "openvino"
    assert machine["choose"]() == "torch in bf16"
