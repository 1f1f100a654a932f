"""This machine's processor, as Linux describes it."""

from pathlib import Path

CPU_INFO_PATH = Path("/proc/cpuinfo")
BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})


def processor_name() -> str:
    """The model name of the processor."""
    return _read_field("model name") or "unknown"


def has_bf16_instructions() -> bool:
    """Whether the processor multiplies bf16 numbers. Without these instructions, bf16 is slower than fp32."""
    return not BF16_FLAGS.isdisjoint(_read_field("flags").split())


def _read_field(name: str) -> str:
    """The value of a field for the first core; empty if there is none."""
    try:
        lines = CPU_INFO_PATH.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
