"""An NVIDIA device that torch cannot use ends in words, not in days of CPU."""

import pytest
import torch

from clip_ae.core.errors import UserError
from clip_ae.encoders import devices


@pytest.fixture
def unusable(monkeypatch, tmp_path):
    """A machine with a driver that this torch build cannot use."""
    driver = tmp_path / "version"
    driver.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  470.82.01\nGCC version: 9\n")
    monkeypatch.setattr(devices, "DRIVER", driver)
    monkeypatch.setattr(devices, "_usable", lambda: False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_an_unusable_device_is_told(unusable, device):
    with pytest.raises(
        UserError, match=rf"device {device}: torch .* CUDA {torch.version.cuda} .*470\.82\.01.*runtime.device"
    ):
        devices.resolve(device)


def test_cpu_insists(unusable):
    assert devices.resolve("cpu") == "cpu"


def test_a_hidden_device_is_no_device(unusable, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert devices.resolve("auto") == "cpu"


def test_auto_takes_what_works(unusable, monkeypatch):
    monkeypatch.setattr(devices, "_usable", lambda: True)
    assert devices.resolve("auto") == "cuda"


def test_without_a_device(monkeypatch, tmp_path):
    monkeypatch.setattr(devices, "DRIVER", tmp_path / "absent")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(devices, "_usable", lambda: False)
    assert devices.resolve("auto") == "cpu"
    with pytest.raises(UserError, match="no NVIDIA driver found"):
        devices.resolve("cuda")


def test_threads():
    before = torch.get_num_threads()
    devices.set_threads(1)
    assert torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled()
    devices.set_threads(before)
