"""Every stream's contract: what is prepared, shapes, neighbours, precision, where flow is computed."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.registry import NETWORKS, STREAMS, load_module
from clip_ae.core.config.schema import (
    AudioEncoder,
    ClipEncoder,
    ClipOptions,
    FlowEncoder,
    I3dOptions,
    RgbEncoder,
    VggishOptions,
)
from clip_ae.core.types import NetworkWeights
from clip_ae.encoders.networks.state_dict import get_tensors
from clip_ae.encoders.streams import flow as flow_stream
from tests.encoders import plain_i3d
from tests.encoders.random_networks import random_i3d, stirred

# Encoder, network's options, and the length of a feature.
SMALL: dict[str, Any] = {
    "rgb": (RgbEncoder(), {"i3d": I3dOptions(3, 0.125, 40, 32)}, 128),
    "flow": (FlowEncoder(algorithm="dis"), {"i3d": I3dOptions(2, 0.125, 40, 32)}, 128),
    "clip": (ClipEncoder(), {"clip": ClipOptions("tiny")}, 64),
    "audio": (AudioEncoder(), {"vggish": VggishOptions(0.125)}, 16),
}
# Pixels travel as bytes, what threads compute as numbers.
PREPARED: dict[str, tuple[tuple[int, ...], Any]] = {
    "rgb": ((16, 32, 32, 3), np.uint8),
    "flow": ((16, 32, 32, 2), np.float32),
    "clip": ((4, 64, 64, 3), np.uint8),
    "audio": ((1, 96, 64), np.float32),
}


@pytest.fixture(scope="module", params=SMALL)
def stream(request: Any) -> Any:
    return request.param, make(request.param)


def network_of(name: str) -> NetworkWeights:
    ((kind, value),) = SMALL[name][1].items()
    torch.manual_seed(0)
    return NetworkWeights({kind: to_plain_data(value)}, get_tensors(stirred(load_module(NETWORKS[kind]).build(value))))


def make(name: str, **changes: Any) -> Any:
    return load_module(STREAMS[name]).build(replace(SMALL[name][0], **changes), [network_of(name)], "cpu")


def window(stream: Any, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    if stream.short_side is None:
        return rng.uniform(-0.3, 0.3, 15600).astype(np.float32)
    shape = (16 + stream.lookahead, stream.short_side, stream.short_side + 13, 3)
    return rng.integers(0, 256, shape, dtype=np.uint8)


def batch_of(stream: Any, *seeds: int) -> Any:
    return np.stack([stream.prepare(window(stream, seed)) for seed in seeds])


def test_shapes_and_types(stream):
    name, encoder = stream
    batch = batch_of(encoder, 0, 1)
    assert (batch.shape[1:], batch.dtype) == PREPARED[name]
    encoded = encoder.encode(batch)
    assert encoded.shape == (2, encoder.dim) == (2, SMALL[name][2])
    assert encoded.dtype == np.float32
    assert np.isfinite(encoded).all()


def test_what_is_prepared_outlives_its_window(stream):
    """The reader puts the next window into the same memory."""
    _, encoder = stream
    raw = window(encoder, 0)
    prepared = encoder.prepare(raw)
    kept = prepared.copy()
    raw[:] = 0
    assert np.array_equal(prepared, kept)


def test_a_square_window_is_prepared_in_memory_of_its_own():
    """Where the crop is the whole frame, there is nothing to cut off."""
    encoder = load_module(STREAMS["rgb"]).build(RgbEncoder(), [random_i3d(I3dOptions(3, 0.125, 32, 32))], "cpu")
    raw = np.ones((16, 32, 32, 3), np.uint8)
    assert not np.shares_memory(encoder.prepare(raw), raw)


def test_neighbours_do_not_change_a_row(stream):
    _, encoder = stream
    one, two = encoder.encode(batch_of(encoder, 0, 1)), encoder.encode(batch_of(encoder, 0, 2))
    assert one[0].tobytes() == two[0].tobytes()
    assert one[1].tobytes() != two[1].tobytes()


@pytest.mark.parametrize("name", SMALL)
def test_bf16_points_the_same_way(name):
    exact, fast = make(name), make(name, precision="bf16")
    batch = batch_of(exact, 0, 1)
    found, wanted = fast.encode(batch), exact.encode(batch)
    cosines = (found * wanted).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(wanted, axis=1)
    assert found.dtype == np.float32
    assert cosines.min() > 0.999
    assert np.abs(found - wanted).max() > 1e-5 * np.abs(wanted).max(), "that was not bf16"


def test_rgb_is_the_network_s_on_the_centre_of_the_frames():
    options = SMALL["rgb"][1]["i3d"]
    network = random_i3d(options)
    encoder = load_module(STREAMS["rgb"]).build(RgbEncoder(), [network], "cpu")
    raw = window(encoder, 0)
    crop = torch.from_numpy(raw[:, 4:36, 10:42]).double()
    weights = {name: torch.from_numpy(tensor).double() for name, tensor in network.tensors.items()}
    wanted = plain_i3d.features((crop / 255 * 2 - 1).permute(3, 0, 1, 2)[None], weights)
    np.testing.assert_allclose(encoder.encode(encoder.prepare(raw)[None]), wanted, rtol=1e-4, atol=1e-5)


def fake_flow(frames: torch.Tensor) -> torch.Tensor:
    """Any function of pairs: (what red gains, what green loses), far beyond the bound."""
    gain = (frames[:, 1:].float() - frames[:, :-1].float()) / 8
    return torch.stack([gain[..., 0], -gain[..., 1]], dim=-1)


def with_flow(monkeypatch: pytest.MonkeyPatch, on_device: bool, network: NetworkWeights) -> Any:
    algorithm = SimpleNamespace(ON_DEVICE=on_device, build=lambda device, *networks, compile: fake_flow)
    monkeypatch.setattr(flow_stream, "load_module", lambda module: algorithm)
    return flow_stream.build(FlowEncoder(algorithm="dis"), [network], "cpu")


def test_flow_is_the_same_wherever_it_is_computed(monkeypatch):
    """Flow of the whole frames, then the crop, then the bound; by the oracle as well."""
    network = random_i3d(SMALL["flow"][1]["i3d"])
    there, here = (with_flow(monkeypatch, on_device, network) for on_device in (True, False))
    raw = window(there, 0)
    assert np.array_equal(there.prepare(raw), raw)
    assert not np.shares_memory(there.prepare(raw), raw)
    assert here.prepare(raw).shape == (16, 32, 32, 2)
    one, other = (stream.encode(batch_of(stream, 0, 1)) for stream in (there, here))
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    bounded = (fake_flow(torch.from_numpy(raw)[None])[:, :, 4:36, 10:42] / 20).clamp(-1, 1).double()
    weights = {name: torch.from_numpy(tensor).double() for name, tensor in network.tensors.items()}
    wanted = plain_i3d.features(bounded.permute(0, 4, 1, 2, 3), weights)
    np.testing.assert_allclose(one[:1], wanted, rtol=1e-4, atol=1e-5)


def test_flow_reads_one_frame_of_the_next_snippet():
    assert make("flow").lookahead == 1


def test_a_second_network_is_the_flow_s_and_so_is_the_device(monkeypatch):
    """RAFT's weights come behind the stream's own."""
    given = []

    def build(*arguments, compile):
        given.extend((*arguments, compile))
        return fake_flow

    monkeypatch.setattr(flow_stream, "load_module", lambda module: SimpleNamespace(ON_DEVICE=True, build=build))
    raft = NetworkWeights({}, {})
    encoder = FlowEncoder(algorithm="raft", raft="x", compile=True)
    flow_stream.build(encoder, [network_of("flow"), raft], "cpu")
    assert given == ["cpu", raft, True]


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_a_translated_network_gives_the_same_features(name: str) -> None:
    """And is translated whole: a part that cannot be is an error there."""
    shape, dtype = PREPARED[name]
    batch = np.random.default_rng(0).integers(0, 256, (2, *shape)).astype(dtype)
    plain, fast = (make(name, compile=c).encode(batch) for c in (False, True))
    np.testing.assert_allclose(fast, plain, rtol=1e-4, atol=1e-5)
