"""Data that several test files need: the shipped config, and parts of a config."""

from pathlib import Path
from typing import Any

from clip_ae.workflow.config_files import read_config

ROOT = Path(__file__).resolve().parents[1]


def shipped_config() -> dict[str, Any]:
    """configs/*.yaml and config.yaml as one dictionary, new at every call."""
    return read_config(ROOT / "configs", [ROOT / "config.yaml"]).data


def video_dataset(videos_dir: str, **keys: Any) -> dict[str, Any]:
    """Config of a dataset of videos without annotations, with the run stpn."""
    encoders: dict[str, Any] = {"rgb": {}, "flow": {}}
    dataset = {"videos_dir": videos_dir, "classes": 2, "encoders": encoders, "runs": ["stpn"], "main_run": "stpn"}
    return dataset | keys
