"""Data that several test files need: the shipped config, and parts of a config."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from clip_ae.core.config.streams import StreamRoles
from clip_ae.workflow.config_files import read_config

ROOT = Path(__file__).resolve().parents[1]


def shipped_config() -> dict[str, Any]:
    """configs/*.yaml and config.yaml as one dictionary, new at every call."""
    return read_config(ROOT / "configs", [ROOT / "config.yaml"]).data


def video_dataset(videos_dir: str, **keys: Any) -> dict[str, Any]:
    """Config of a dataset of videos without annotations, with the run stpn."""
    encoders: dict[str, Any] = {"rgb": {}, "flow": {}}
    dataset = {"videos_dir": videos_dir, "classes": 2, "streams": encoders, "runs": ["stpn"], "main_run": "stpn"}
    return dataset | keys


def roles_of(streams: Iterable[str]) -> StreamRoles:
    """The roles of well-known streams."""
    names = set(streams)
    cbp = tuple(name for name in ("rgb", "flow") if name in names)
    return StreamRoles(cbp, "clip" if "clip" in names else None, "audio" if "audio" in names else None)
