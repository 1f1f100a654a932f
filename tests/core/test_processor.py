"""The processor's name and whether it multiplies bf16 numbers."""

from pathlib import Path

import pytest

from clip_ae.core import processor

XEON = "processor\t: 0\nmodel name\t: Intel(R) Xeon(R) Processor\nflags\t\t: fpu avx512_bf16\n\nprocessor\t: 1\n"
OLD = "model name\t: Old CPU\nflags\t\t: fpu sse2\n"


@pytest.mark.parametrize(
    ("content", "name", "has_bf16"),
    [(XEON, "Intel(R) Xeon(R) Processor", True), (OLD, "Old CPU", False), ("", "unknown", False)],
)
def test_the_first_core_is_described(
    content: str, name: str, has_bf16: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(content)
    monkeypatch.setattr(processor, "CPU_INFO_PATH", path)
    assert (processor.processor_name(), processor.has_bf16_instructions()) == (name, has_bf16)


def test_a_system_without_a_description_has_no_bf16(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "CPU_INFO_PATH", tmp_path / "none")
    assert (processor.processor_name(), processor.has_bf16_instructions()) == ("unknown", False)
