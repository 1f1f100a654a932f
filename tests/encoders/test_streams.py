"""All streams: prepared windows, shapes, independence of the batch, precision, and where flow is computed."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.network_options import TimmOptions, TorchvisionOptions
from clip_ae.core.config.registry import ENCODERS, NETWORKS, load_module
from clip_ae.core.config.schema import ClipOptions, I3dOptions, VggishOptions
from clip_ae.core.config.streams import (
    ClipEncoder,
    I3dEncoder,
    I3dFlowEncoder,
    TimmEncoder,
    TorchvisionEncoder,
    VggishEncoder,
)
from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import NetworkWeights
from clip_ae.encoders.networks.state_dict import get_tensors
from clip_ae.encoders.precision_check import measure_deviation
from clip_ae.encoders.streams import i3d_flow as flow_stream
from tests.encoders import plain_i3d
from tests.encoders.random_networks import random_i3d, randomize_weights

# Encoder, options of its network, and the length of a feature.
SMALL: dict[str, Any] = {
    "rgb": (I3dEncoder(), {"i3d": I3dOptions(3, 0.125, 40, 32)}, 128),
    "flow": (I3dFlowEncoder(algorithm="dis"), {"i3d": I3dOptions(2, 0.125, 40, 32)}, 128),
    "clip": (ClipEncoder(), {"clip": ClipOptions("tiny")}, 64),
    "audio": (VggishEncoder(), {"vggish": VggishOptions(0.125)}, 16),
    "timm": (TimmEncoder(weights="x", frames=3), {"timm": TimmOptions("test_vit", 32)}, 64),
    "torchvision": (TorchvisionEncoder(weights="x", frames=8), {"torchvision": TorchvisionOptions("mc3_18")}, 512),
}
# Shape and type of a prepared window: pixels are bytes, flow and log-mel are float32.
PREPARED: dict[str, tuple[tuple[int, ...], Any]] = {
    "rgb": ((16, 32, 32, 3), np.uint8),
    "flow": ((16, 32, 32, 2), np.float32),
    "clip": ((4, 64, 64, 3), np.uint8),
    "audio": ((1, 96, 64), np.float32),
    "timm": ((3, 32, 32, 3), np.uint8),
    "torchvision": ((8, 112, 112, 3), np.uint8),
}


# Kinds of networks whose weights state their input.
FRAME_KINDS = ("clip", "timm", "torchvision")


@pytest.fixture(scope="module", params=SMALL)
def stream(request: Any) -> Any:
    return request.param, build_stream(request.param)


def random_network(name: str) -> NetworkWeights:
    ((kind, value),) = SMALL[name][1].items()
    torch.manual_seed(0)
    network = load_module(NETWORKS[kind])
    facts = network.get_frame_input(value).to_metadata() if kind in FRAME_KINDS else {}
    return NetworkWeights({kind: to_plain_data(value), **facts}, get_tensors(randomize_weights(network.build(value))))


def build_stream(name: str, **changes: Any) -> Any:
    return load_module(ENCODERS[SMALL[name][0].encoder]).build_stream(
        replace(SMALL[name][0], **changes), [random_network(name)], "cpu"
    )


def random_window(stream: Any, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    if stream.frame_size is None:
        return rng.uniform(-0.3, 0.3, 15600).astype(np.float32)
    size = stream.frame_size
    height, width = (size, size + 13) if isinstance(size, int) else size
    shape = (len(stream.sampling.offsets(SnippetGrid())), height, width, 3)
    return rng.integers(0, 256, shape, dtype=np.uint8)


def prepare_batch(stream: Any, *seeds: int) -> Any:
    return np.stack([stream.prepare(random_window(stream, seed)) for seed in seeds])


def test_prepared_windows_and_features_have_the_stated_shapes_and_types(stream):
    name, encoder = stream
    batch = prepare_batch(encoder, 0, 1)
    assert (batch.shape[1:], batch.dtype) == PREPARED[name]
    encoded = encoder.encode(batch)
    assert encoded.shape == (2, encoder.dim) == (2, SMALL[name][2])
    assert encoded.dtype == np.float32
    assert np.isfinite(encoded).all()


def test_a_prepared_window_is_a_copy(stream):
    """The decoder writes the next window into the same memory."""
    _, encoder = stream
    frames = random_window(encoder, 0)
    prepared = encoder.prepare(frames)
    copy_before = prepared.copy()
    frames[:] = 0
    assert np.array_equal(prepared, copy_before)


def test_a_prepared_square_window_is_a_copy():
    """Even if the crop is the whole frame, it is copied."""
    encoder = load_module(ENCODERS["i3d"]).build_stream(I3dEncoder(), [random_i3d(I3dOptions(3, 0.125, 32, 32))], "cpu")
    frames = np.ones((16, 32, 32, 3), np.uint8)
    assert not np.shares_memory(encoder.prepare(frames), frames)


def test_a_feature_does_not_depend_on_the_batch(stream):
    _, encoder = stream
    first, second = (encoder.encode(prepare_batch(encoder, 0, seed)) for seed in (1, 2))
    assert first[0].tobytes() == second[0].tobytes()
    assert first[1].tobytes() != second[1].tobytes()


@pytest.mark.parametrize("name", SMALL)
def test_bf16_features_have_the_same_direction(name):
    exact, fast = build_stream(name), build_stream(name, precision="bf16")
    batch = prepare_batch(exact, 0, 1)
    features, expected = fast.encode(batch), exact.encode(batch)
    cosines = (features * expected).sum(1) / np.linalg.norm(features, axis=1) / np.linalg.norm(expected, axis=1)
    assert features.dtype == np.float32
    assert cosines.min() > 0.999
    assert np.abs(features - expected).max() > 1e-5 * np.abs(expected).max(), "the network did not run in bf16"


def test_rgb_features_equal_the_reference_on_the_centre_crop():
    options = SMALL["rgb"][1]["i3d"]
    network = random_i3d(options)
    encoder = load_module(ENCODERS["i3d"]).build_stream(I3dEncoder(), [network], "cpu")
    frames = random_window(encoder, 0)
    crop = torch.from_numpy(frames[:, 4:36, 10:42]).double()
    weights = {name: torch.from_numpy(tensor).double() for name, tensor in network.tensors.items()}
    expected = plain_i3d.features((crop / 255 * 2 - 1).permute(3, 0, 1, 2)[None], weights)
    np.testing.assert_allclose(encoder.encode(encoder.prepare(frames)[None]), expected, rtol=1e-4, atol=1e-5)


def fake_flow(frames: torch.Tensor) -> torch.Tensor:
    """A simple function of pairs: (increase of red, decrease of green), with values far beyond the clip value."""
    gain = (frames[:, 1:].float() - frames[:, :-1].float()) / 8
    return torch.stack([gain[..., 0], -gain[..., 1]], dim=-1)


def build_flow_stream(monkeypatch: pytest.MonkeyPatch, on_device: bool, network: NetworkWeights) -> Any:
    algorithm = SimpleNamespace(ON_DEVICE=on_device, build=lambda device, *networks, compile: fake_flow)
    monkeypatch.setattr(flow_stream, "load_module", lambda module: algorithm)
    return flow_stream.build_stream(I3dFlowEncoder(algorithm="dis"), [network], "cpu")


def test_flow_features_do_not_depend_on_the_place_of_computation(monkeypatch):
    """Flow of whole frames, then crop, then clip; the features also equal those of the plain reference."""
    network = random_i3d(SMALL["flow"][1]["i3d"])
    device_stream, thread_stream = (build_flow_stream(monkeypatch, on_device, network) for on_device in (True, False))
    frames = random_window(device_stream, 0)
    assert np.array_equal(device_stream.prepare(frames), frames)
    assert not np.shares_memory(device_stream.prepare(frames), frames)
    assert thread_stream.prepare(frames).shape == (16, 32, 32, 2)
    device_features, thread_features = (
        stream.encode(prepare_batch(stream, 0, 1)) for stream in (device_stream, thread_stream)
    )
    np.testing.assert_allclose(device_features, thread_features, rtol=1e-5, atol=1e-6)
    clipped = (fake_flow(torch.from_numpy(frames)[None])[:, :, 4:36, 10:42] / 20).clamp(-1, 1).double()
    weights = {name: torch.from_numpy(tensor).double() for name, tensor in network.tensors.items()}
    expected = plain_i3d.features(clipped.permute(0, 4, 1, 2, 3), weights)
    np.testing.assert_allclose(device_features[:1], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["clip", "timm", "torchvision"])
def test_frames_are_spread_over_a_window_around_the_snippet(name: str) -> None:
    sampling = build_stream(name, window_s=2.56, frames=4).sampling
    assert sampling.offsets(SnippetGrid()) == (-16, 0, 16, 32)


@pytest.mark.parametrize("name", FRAME_KINDS[1:])
def test_weights_that_do_not_state_their_input_are_refused(name: str) -> None:
    network = random_network(name)
    bare = NetworkWeights({name: network.metadata[name]}, network.tensors)
    with pytest.raises(
        RefusedInput, match=r"x: the file does not state the network's input \(frame_input\); delete it"
    ):
        load_module(ENCODERS[SMALL[name][0].encoder]).build_stream(SMALL[name][0], [bare], "cpu")


def test_flow_needs_one_frame_of_the_next_snippet():
    assert build_stream("flow").sampling.offsets(SnippetGrid()) == tuple(range(17))


def test_the_flow_algorithm_gets_the_device_and_the_second_network(monkeypatch):
    """RAFT's weights are the second network, after the stream's own."""
    arguments_of_build = []

    def build(*arguments, compile):
        arguments_of_build.extend((*arguments, compile))
        return fake_flow

    monkeypatch.setattr(flow_stream, "load_module", lambda module: SimpleNamespace(ON_DEVICE=True, build=build))
    raft = NetworkWeights({}, {})
    encoder = I3dFlowEncoder(algorithm="raft", raft="x", compile=True)
    flow_stream.build_stream(encoder, [random_network("flow"), raft], "cpu")
    assert arguments_of_build == ["cpu", raft, True]


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_a_compiled_network_gives_the_same_features(name: str) -> None:
    """The whole network is compiled: a part that cannot be compiled is an error."""
    shape, dtype = PREPARED[name]
    batch = np.random.default_rng(0).integers(0, 256, (2, *shape)).astype(dtype)
    eager, compiled = (build_stream(name, compile=c).encode(batch) for c in (False, True))
    np.testing.assert_allclose(compiled, eager, rtol=1e-4, atol=1e-5)


# OpenVINO has no rule for the resizing of test_vit's position embeddings.
@pytest.mark.parametrize("name", [name for name in SMALL if name != "timm"])
def test_openvino_gives_the_features_of_torch(name: str) -> None:
    by_torch, by_openvino = (build_stream(name, backend=backend, precision="fp32") for backend in ("torch", "openvino"))
    windows = np.stack([by_torch.prepare(random_window(by_torch, seed)) for seed in (0, 1)])
    cosine, difference = measure_deviation(by_openvino.encode(windows), by_torch.encode(windows))
    assert difference < 1e-5
    assert cosine > 0.99999


def test_a_network_that_openvino_does_not_know_is_an_error_of_one_line() -> None:
    encoder = build_stream("timm", backend="openvino")
    windows = prepare_batch(encoder, 0)
    message = r"backend openvino: cannot run this network \(.+\); set backend to torch$"
    with pytest.raises(UserError, match=message) as raised:
        encoder.encode(windows)
    assert "\n" not in str(raised.value)
