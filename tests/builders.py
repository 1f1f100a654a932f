"""What several test files need: the shipped config as data, to be changed at will."""

from pathlib import Path
from typing import Any

from clip_ae.workflow.config_files import read_config

ROOT = Path(__file__).resolve().parents[1]


def shipped_config() -> dict[str, Any]:
    """configs/*.yaml and config.yaml as one dictionary, new at every call."""
    return read_config(ROOT / "configs", [ROOT / "config.yaml"]).data
