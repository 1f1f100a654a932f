"""The machine that made a result."""

import platform
from pathlib import Path
from typing import Any

CPU_INFO_PATH = Path("/proc/cpuinfo")


def describe_machine() -> dict[str, Any]:
    """The Python version and the processor; a result may differ by rounding with these, as with the libraries."""
    return {"python": platform.python_version(), "processor": _processor()}


def _processor() -> str:
    lines = CPU_INFO_PATH.read_text(encoding="utf-8").splitlines() if CPU_INFO_PATH.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
