"""Where networks run, and the settings under which they give the same bytes again."""

import os
from pathlib import Path

import torch

from clip_ae.core.errors import UserError
from clip_ae.encoders.gpu_lock import acquire_gpu

DEVICES = ("auto", "cpu", "cuda")
DRIVER_PATH = Path("/proc/driver/nvidia/version")


def resolve_device(device: str) -> str:
    """`cpu`, or a GPU as in `cuda:1` that is ours until we end, for auto, cpu or cuda.

    CUDA_VISIBLE_DEVICES says which GPUs there are. One that torch cannot use is never passed over in silence.
    """
    if device not in DEVICES:
        raise UserError(f"device {device}: expected one of {', '.join(DEVICES)}; CUDA_VISIBLE_DEVICES picks GPUs")
    if device == "cpu" or (device == "auto" and not _has_nvidia()):
        return "cpu"
    names = _gpus()
    found = f"cuda:{acquire_gpu(names)}" if names else "cuda"
    if not _usable(found):
        raise UserError(
            f"device {device}: torch {torch.__version__} cannot use an NVIDIA device here; it needs {_needed()}. "
            "Update the driver, install a torch build for the driver you have, or set runtime.device to cpu"
        )
    torch.cuda.set_device(found)
    return found


def configure_torch(num_threads: int) -> None:
    """Arithmetic whose last bits depend on nothing but the number of threads."""
    # cuBLAS reads this when it is first used; without it its sums may come in any order.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(num_threads)
    # A few CUDA kernels (backward of 3D max pooling) have no deterministic form: warn, don't fail.
    torch.use_deterministic_algorithms(True, warn_only=True)
    # fp32 is to be fp32: by default a GPU's convolutions round their operands to ten bits.
    torch.backends.cudnn.allow_tf32 = False
    # Deterministic mode fills every new tensor with NaN to expose bugs, which costs time and changes no result.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def _has_nvidia() -> bool:
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    return not hidden and (DRIVER_PATH.exists() or torch.cuda.is_available())


def _gpus() -> list[str]:
    """A name for each visible GPU that is the same in every process, whatever is visible there."""
    try:
        return [str(torch.cuda.get_device_properties(i).uuid) for i in range(torch.cuda.device_count())]
    except (RuntimeError, AssertionError):
        return []


def _usable(device: str) -> bool:
    """A device can be counted and still be too old for the kernels of this build, so one is run."""
    try:
        return bool(torch.zeros(1, device=device).add(1).item() == 1)
    except (RuntimeError, AssertionError):
        return False


def _needed() -> str:
    if torch.version.cuda is None:
        return "a torch build with CUDA"
    lines = DRIVER_PATH.read_text(encoding="utf-8").splitlines() if DRIVER_PATH.exists() else []
    found = f" (found: {lines[0].strip()})" if lines else " (no NVIDIA driver found)"
    return f"a driver and a device for CUDA {torch.version.cuda}{found}"
