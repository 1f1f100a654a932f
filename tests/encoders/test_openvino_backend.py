"""Inference by OpenVINO; that every network gives the features of torch is in test_streams.py."""

import sys
from typing import Any

import pytest
import torch
from torch import nn

from clip_ae.core.errors import UserError
from clip_ae.encoders import openvino_backend
from clip_ae.encoders.openvino_backend import OpenvinoForward, find_openvino_problem, import_openvino


def test_each_shape_is_compiled_once_and_no_result_is_overwritten() -> None:
    layer = nn.Linear(3, 2)
    forward = OpenvinoForward(layer, layer, "fp32")
    with torch.inference_mode():
        first, second = forward(torch.ones(4, 3)), forward(torch.zeros(4, 3))
        assert forward(torch.ones(1, 3)).shape == (1, 2)
        torch.testing.assert_close(first, layer(torch.ones(4, 3)))
        torch.testing.assert_close(second, layer(torch.zeros(4, 3)))
    assert len(forward.requests) == 2


def test_the_library_does_not_report_to_its_makers() -> None:
    import_openvino()
    assert sys.modules["openvino_telemetry"] is None


@pytest.mark.parametrize(
    ("installed", "problem"),
    [
        (None, "openvino is not installed"),
        ("2025.4.1", "openvino 2025.4.1 is too old, 2026.2 is needed"),
        ("2026.2.0", None),
        ("2027.0.0", None),
    ],
)
def test_a_missing_or_old_library_is_named(monkeypatch: Any, installed: str | None, problem: str | None) -> None:
    def version(name: str) -> str:
        if installed is None:
            raise openvino_backend.PackageNotFoundError(name)
        return installed

    monkeypatch.setattr(openvino_backend, "version", version)
    assert find_openvino_problem() == problem
    if problem:
        with pytest.raises(UserError, match=f"backend openvino: {problem}; pip install"):
            OpenvinoForward(nn.Linear(1, 1), torch.relu, "fp32")
