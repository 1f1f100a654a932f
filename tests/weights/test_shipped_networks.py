"""The demo's networks in the package: what the config states and the workflow trains; no other byte is accepted."""

import faulthandler
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clip_ae.core.config.checks import load_config
from clip_ae.core.config.specs import WeightsSpec
from clip_ae.core.config.stages import build_stage_spec
from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.stages import pretrain, weights
from clip_ae.weights import shipped_networks
from clip_ae.weights.network_file import read_weights
from clip_ae.weights.shipped_networks import find_shipped
from tests.builders import shipped_config

CONFIG = load_config(shipped_config())
NAMES = sorted(name for name, entry in CONFIG.weights.items() if entry.source == "shipped")


def test_every_network_of_the_demo_is_shipped_and_no_other_file() -> None:
    files = {path.stem for path in shipped_networks.FOLDER.glob("*.safetensors")}
    assert files == set(NAMES) == {"demo_rgb", "demo_flow", "demo_clip", "demo_audio"}


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_network_becomes_the_networks_weights(name: str, tmp_path: Path) -> None:
    out, entry = tmp_path / "out.safetensors", CONFIG.weights[name]
    weights.run(WeightsSpec(name, entry), out=out)
    made, stored = read_weights(out), read_weights(find_shipped(name))
    assert all(tensor.dtype == np.float32 for tensor in made.tensors.values())
    assert all(np.array_equal(tensor, stored.tensors[key]) for key, tensor in made.tensors.items())
    assert made.metadata["metrics"] == stored.metadata["metrics"]
    assert made.provenance.inputs == {}


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_network_was_trained_by_the_present_config(name: str) -> None:
    """Otherwise `make demo-from-scratch` trains another network."""
    from_scratch = replace(
        CONFIG, weights={**CONFIG.weights, name: replace(CONFIG.weights[name], source="pretrain", integrity=None)}
    )
    spec = build_stage_spec(from_scratch, "pretrain", {"name": name})
    stored = read_weights(find_shipped(name)).provenance.spec
    for key in ("name", "num_clips", "seed", "torch_threads"):
        assert stored[key] == getattr(spec, key)
    assert stored["schedule"] == vars(spec.schedule)


def test_a_flipped_byte_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytearray(find_shipped("demo_rgb").read_bytes())
    content[-100] ^= 1
    (tmp_path / "demo_rgb.safetensors").write_bytes(content)
    monkeypatch.setattr(shipped_networks, "FOLDER", tmp_path)
    spec = WeightsSpec("demo_rgb", CONFIG.weights["demo_rgb"])
    with pytest.raises(RefusedInput, match=r"weights\.demo_rgb: the file has sha256 [0-9a-f]{64}, the config states"):
        weights.run(spec, out=tmp_path / "out.safetensors")


def test_another_name_is_a_line_that_names_the_nearest(tmp_path: Path) -> None:
    spec = WeightsSpec("demo_rbg", CONFIG.weights["demo_rgb"])
    with pytest.raises(UserError, match="no network of this name is shipped; did you mean 'demo_rgb'"):
        weights.run(spec, out=tmp_path / "out.safetensors")


def test_another_width_than_that_of_the_file_is_a_line(tmp_path: Path) -> None:
    entry = CONFIG.weights["demo_rgb"]
    assert entry.i3d
    wider = replace(entry, i3d=replace(entry.i3d, width=0.5))
    with pytest.raises(RefusedInput, match=r"weights\.demo_rgb: tensor .* the configured network's is"):
        weights.run(WeightsSpec("demo_rgb", wider), out=tmp_path / "out.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_training_again_gives_the_same_network(name: str, tmp_path: Path) -> None:
    """The same bytes on the kind of machine where it was trained; elsewhere a network that is as good."""
    faulthandler.cancel_dump_traceback_later()
    config = replace(CONFIG, weights={**CONFIG.weights, name: replace(CONFIG.weights[name], source="pretrain")})
    out = tmp_path / "out.safetensors"
    pretrain.run(build_stage_spec(config, "pretrain", {"name": name}), out=out)
    again, stored = read_weights(out), read_weights(find_shipped(name))
    is_equal = all(tensor.tobytes() == again.tensors[key].tobytes() for key, tensor in stored.tensors.items())
    print(f"{name}: {'the same bytes' if is_equal else 'other bytes'} on this machine")
    for metric, value in stored.metadata["metrics"].items():
        assert again.metadata["metrics"][metric] == pytest.approx(value, abs=0 if is_equal else 0.1), metric
