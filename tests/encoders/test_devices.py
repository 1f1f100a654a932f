"""Choice of the device: a GPU that torch cannot use is an error, not a CPU run of days."""

import pytest
import torch

from clip_ae.core.errors import UserError
from clip_ae.encoders import devices


@pytest.fixture
def unusable(monkeypatch, tmp_path):
    """A machine with a driver that this torch build cannot use."""
    driver = tmp_path / "version"
    driver.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  470.82.01\nGCC version: 9\n")
    monkeypatch.setattr(devices, "DRIVER_PATH", driver)
    monkeypatch.setattr(devices, "_list_gpu_uuids", list)
    monkeypatch.setattr(devices, "_is_usable", lambda device: False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.fixture
def gpus(unusable, monkeypatch):
    """A machine with three working GPUs, the first locked by another job. Returns a log of used and current devices."""
    log = []
    monkeypatch.setattr(devices, "_list_gpu_uuids", lambda: ["GPU-a", "GPU-b", "GPU-c"])
    monkeypatch.setattr(devices, "acquire_gpu", lambda names: names.index("GPU-b"))
    monkeypatch.setattr(devices, "_is_usable", lambda device: log.append(f"used {device}") or True)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: log.append(f"set {device}"))
    return log


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_an_unusable_device_is_an_error(unusable, device):
    with pytest.raises(
        UserError, match=rf"device {device}: torch .* CUDA {torch.version.cuda} .*470\.82\.01.*runtime.device"
    ):
        devices.resolve_device(device)


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_a_locked_device_that_does_not_work_is_an_error(gpus, monkeypatch, device):
    monkeypatch.setattr(devices, "_is_usable", lambda device: False)
    with pytest.raises(UserError, match=f"device {device}: torch .* cannot use an NVIDIA device here"):
        devices.resolve_device(device)


@pytest.mark.parametrize("device", ["cup", "cuda:1", "gpu"])
def test_an_unknown_device_is_an_error(gpus, device):
    with pytest.raises(
        UserError, match=f"device {device}: expected one of auto, cpu, cuda; select GPUs by CUDA_VISIBLE_DEVICES"
    ):
        devices.resolve_device(device)


def test_device_cpu_uses_no_gpu(gpus):
    assert devices.resolve_device("cpu") == "cpu"
    assert gpus == []


@pytest.mark.parametrize("visible_devices", ["", "-1"])
def test_hidden_gpus_are_not_used(unusable, monkeypatch, visible_devices):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible_devices)
    assert devices.resolve_device("auto") == "cpu"


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_the_locked_gpu_is_tested_and_set_as_current(gpus, device):
    assert devices.resolve_device(device) == "cuda:1"
    assert gpus == ["used cuda:1", "set cuda:1"]


def test_gpus_are_identified_by_uuid(monkeypatch):
    """The number of a GPU depends on CUDA_VISIBLE_DEVICES, its UUID does not."""

    class Properties:
        def __init__(self, index):
            self.uuid = f"uuid-{index}"

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", Properties)
    assert devices._list_gpu_uuids() == ["uuid-0", "uuid-1"]


def test_a_driver_error_means_no_gpu(monkeypatch):
    def fail(index):
        raise RuntimeError("CUDA driver initialization failed")

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", fail)
    assert devices._list_gpu_uuids() == []


def test_without_a_gpu_auto_is_cpu_and_cuda_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr(devices, "DRIVER_PATH", tmp_path / "absent")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(devices, "_list_gpu_uuids", list)
    monkeypatch.setattr(devices, "_is_usable", lambda device: False)
    assert devices.resolve_device("auto") == "cpu"
    with pytest.raises(UserError, match="no NVIDIA driver found"):
        devices.resolve_device("cuda")


def test_configure_torch_sets_threads_and_deterministic_algorithms():
    before = torch.get_num_threads()
    devices.configure_torch(1)
    assert torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled()
    devices.configure_torch(before)
