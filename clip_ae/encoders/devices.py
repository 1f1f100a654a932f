"""The device of the networks, and torch settings under which the same inputs give the same bytes."""

import os
from pathlib import Path

import torch

from clip_ae.core.errors import UserError
from clip_ae.encoders.gpu_lock import acquire_gpu

DEVICES = ("auto", "cpu", "cuda")
DRIVER_PATH = Path("/proc/driver/nvidia/version")


def resolve_device(device: str) -> str:
    """The torch device for auto, cpu or cuda: `cpu`, or a GPU such as `cuda:1`, locked until this process ends.

    CUDA_VISIBLE_DEVICES selects the GPUs. A GPU that torch cannot use is an error, never a silent CPU run.
    """
    if device not in DEVICES:
        raise UserError(f"device {device}: expected one of {', '.join(DEVICES)}; select GPUs by CUDA_VISIBLE_DEVICES")
    if device == "cpu" or (device == "auto" and not _has_nvidia_gpu()):
        return "cpu"
    gpu_uuids = _list_gpu_uuids()
    gpu = f"cuda:{acquire_gpu(gpu_uuids)}" if gpu_uuids else "cuda"
    if not _is_usable(gpu):
        raise UserError(
            f"device {device}: torch {torch.__version__} cannot use an NVIDIA device here; "
            f"it needs {_describe_requirement()}. "
            "Update the driver, install a torch build for the driver you have, or set runtime.device to cpu"
        )
    torch.cuda.set_device(gpu)
    return gpu


def configure_torch(num_threads: int) -> None:
    """Make torch deterministic: the last bits of results depend on nothing but the number of threads."""
    # cuBLAS reads this at its first use; without it, the order of its sums may vary.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(num_threads)
    # A few CUDA kernels (backward of 3D max pooling) have no deterministic form: warn, don't fail.
    torch.use_deterministic_algorithms(True, warn_only=True)
    # By default a GPU's fp32 convolutions round their operands to ten bits (TF32).
    torch.backends.cudnn.allow_tf32 = False
    # Deterministic mode fills every new tensor with NaN to expose bugs. That takes time and changes no result.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def _has_nvidia_gpu() -> bool:
    is_hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    return not is_hidden and (DRIVER_PATH.exists() or torch.cuda.is_available())


def _list_gpu_uuids() -> list[str]:
    """The UUIDs of the visible GPUs: the same in every process, unlike their numbers.

    torch reports an unusable driver by RuntimeError or AssertionError only; then there is no GPU to lock.
    """
    try:
        return [str(torch.cuda.get_device_properties(i).uuid) for i in range(torch.cuda.device_count())]
    except (RuntimeError, AssertionError):
        return []


def _is_usable(device: str) -> bool:
    """Whether a kernel runs: torch may count a device that is too old for the kernels of this build."""
    try:
        return bool(torch.zeros(1, device=device).add(1).item() == 1)
    except (RuntimeError, AssertionError):
        return False


def _describe_requirement() -> str:
    if torch.version.cuda is None:
        return "a torch build with CUDA"
    lines = DRIVER_PATH.read_text(encoding="utf-8").splitlines() if DRIVER_PATH.exists() else []
    driver = f" (found: {lines[0].strip()})" if lines else " (no NVIDIA driver found)"
    return f"a driver and a device for CUDA {torch.version.cuda}{driver}"
