"""On a GPU: features close to the CPU's, batch sizes that fit, and halving when memory runs out.

Run with `pytest -m gpu`; with CLIP_AE_EXPECT_GPU=1 a missing GPU is a failure. See conftest.py.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.registry import ENCODERS, FLOW_ALGORITHMS, NETWORKS, load_module
from clip_ae.core.config.schema import ClipOptions, I3dOptions, RaftOptions, VggishOptions
from clip_ae.core.config.streams import ClipEncoder, I3dEncoder, I3dFlowEncoder, VggishEncoder
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import NetworkWeights, VideoInfo
from clip_ae.encoders.batch_size import MAX_BATCH_SIZE, BatchedEncoder
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.encoders.networks.state_dict import get_tensors
from clip_ae.encoders.precision_check import measure_deviation
from clip_ae.media.decoder_process import Decoder
from clip_ae.media.probe import probe_video
from clip_ae.pipeline.extraction import FeatureExtractor
from tests.encoders.random_networks import randomize_weights
from tests.media_files import write_video

pytestmark = pytest.mark.gpu
OPTIONS: dict[str, Any] = {
    "rgb": (I3dEncoder(), I3dOptions(3, 0.25, 64, 56)),
    "flow": (I3dFlowEncoder(algorithm="tvl1_torch", clip_value=2), I3dOptions(2, 0.25, 64, 56)),
    "clip": (ClipEncoder(), ClipOptions("tiny")),
    "audio": (VggishEncoder(), VggishOptions(0.125)),
}
# Bounds of the lowest cosine and of the largest difference as a share of the largest value, for features minus their
# mean: with the mean all features are alike. TF32 (10 bits instead of 24) would give about 0.01. TV-L1 has wider
# bounds: its median filter amplifies rounding differences.
BOUNDS = {"rgb": (0.9999, 0.002), "flow": (0.99, 0.1), "clip": (0.9999, 0.002), "audio": (0.9999, 0.002)}
KINDS = {"rgb": "i3d", "flow": "i3d", "clip": "clip", "audio": "vggish"}


@pytest.fixture(scope="module")
def device() -> str:
    configure_torch(2)
    return resolve_device("cuda")


def build_stream(name: str, device: str, **changes: Any) -> Any:
    encoder, options = OPTIONS[name]
    torch.manual_seed(0)
    network = randomize_weights(load_module(NETWORKS[KINDS[name]]).build(options))
    networks = [NetworkWeights({KINDS[name]: to_plain_data(options)}, get_tensors(network))]
    return load_module(ENCODERS[encoder.encoder]).build_stream(replace(encoder, **changes), networks, device)


def smooth_video(stream: Any, seed: int) -> Any:
    """Frames of travelling waves, with a flow that is well defined."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: stream.frame_size, : stream.frame_size + 12]
    speed, scale = rng.uniform(-1.5, 1.5, 2), rng.uniform(4, 8, 2)
    frames = [
        np.sin((x - speed[0] * t) / scale[0]) + np.sin((y - speed[1] * t) / scale[1])
        for t in stream.sampling.offsets(SnippetGrid())
    ]
    return np.repeat((np.stack(frames) * 60 + 127).astype(np.uint8)[..., None], 3, axis=-1)


def prepare_batch(stream: Any, count: int = 3) -> Any:
    if stream.frame_size is None:
        windows = np.random.default_rng(0).uniform(-0.3, 0.3, (count, 15600)).astype(np.float32)
    else:
        windows = np.stack([smooth_video(stream, seed) for seed in range(count)])
    return np.stack([stream.prepare(window) for window in windows])


def measure_centred_deviation(features: Any, exact: Any) -> tuple[float, float]:
    return measure_deviation(features - exact.mean(axis=0), exact - exact.mean(axis=0))


@pytest.mark.parametrize("name", OPTIONS)
def test_gpu_features_are_close_to_cpu_features(device: str, name: str) -> None:
    cpu_stream, gpu_stream = build_stream(name, "cpu"), build_stream(name, device)
    batch = prepare_batch(cpu_stream)
    cosine, difference = measure_centred_deviation(gpu_stream.encode(batch), cpu_stream.encode(batch))
    print(f"{name}: cosine {cosine:.6f}, largest difference {difference:.2%}")
    min_cosine, max_difference = BOUNDS[name]
    assert cosine > min_cosine
    assert difference < max_difference


@pytest.mark.parametrize("name", OPTIONS)
def test_gpu_features_are_reproducible_and_bf16_has_the_same_direction(device: str, name: str) -> None:
    gpu_stream, bf16_stream = build_stream(name, device), build_stream(name, device, precision="bf16")
    batch = prepare_batch(gpu_stream)
    exact = gpu_stream.encode(batch)
    assert gpu_stream.encode(batch).tobytes() == exact.tobytes()
    cosine, difference = measure_centred_deviation(bf16_stream.encode(batch), exact)
    assert cosine > 0.95
    assert difference > 0, "the network did not run in bf16"


@pytest.mark.parametrize("name", ["tvl1_torch", "raft"])
@torch.inference_mode()
def test_gpu_flow_is_close_to_cpu_flow(device: str, name: str) -> None:
    networks = []
    if name == "raft":
        torch.manual_seed(0)
        options = RaftOptions("small")
        networks = [
            NetworkWeights({"raft": to_plain_data(options)}, get_tensors(load_module(NETWORKS["raft"]).build(options)))
        ]
    frames = torch.from_numpy(np.stack([smooth_video(build_stream("flow", "cpu"), seed) for seed in range(2)]))
    compute_cpu_flow, compute_gpu_flow = (
        load_module(FLOW_ALGORITHMS[name]).build(target, *networks) for target in ("cpu", device)
    )
    difference = (compute_gpu_flow(frames.to(device)).cpu() - compute_cpu_flow(frames)).abs()
    print(f"{name}: median difference {difference.median():.5f}, largest {difference.max():.3f} pixels a frame")
    assert difference.median() < 0.01
    assert difference.mean() < 0.05


@pytest.mark.parametrize("name", OPTIONS)
def test_the_chosen_batch_size_fits_the_memory(device: str, name: str) -> None:
    gpu_stream = build_stream(name, device)
    batch = prepare_batch(gpu_stream, 5)
    network = BatchedEncoder(gpu_stream.encode, 0, device)
    size = network.choose_batch_size(batch[0])
    assert 1 <= size <= MAX_BATCH_SIZE
    cosine, _ = measure_centred_deviation(
        network(batch), np.concatenate([gpu_stream.encode(row[None]) for row in batch])
    )
    assert cosine > BOUNDS[name][0]


@pytest.mark.parametrize("compile", [False, True])
def test_extraction_on_a_gpu_is_close_to_the_cpu(device: str, compile: bool, tmp_path: Path) -> None:
    """From file to features, with the network in its own thread."""
    path = write_video(tmp_path / "x.mp4", frames=160, size=(96, 64))
    info = VideoInfo("x", "x.mp4", **vars(probe_video(str(path), SnippetGrid())))
    features = []
    for target, batch, changes in (("cpu", 2, {}), (device, 0, {"compile": compile})):
        encoder = build_stream("rgb", target, **changes)
        network = BatchedEncoder(encoder.encode, batch, target)
        (video,) = FeatureExtractor("rgb", SnippetGrid(), encoder, network, tmp_path, [Decoder()]).extract([info])
        features.append(video.feature.astype(np.float32))
    cosine, _ = measure_centred_deviation(features[1], features[0])
    assert cosine > 0.999


def test_the_batch_size_is_halved_when_memory_runs_out(device: str) -> None:
    """Each snippet needs a fifth of the free memory: 8 do not fit."""
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info(device)

    def encode(batch: Any) -> Any:
        memory = torch.empty(len(batch), int(free * 0.2), dtype=torch.uint8, device=device)
        return batch * np.float32(memory.numel() > 0)

    network = BatchedEncoder(encode, 8, device)
    rows = np.arange(10, dtype=np.float32).reshape(5, 2)
    assert network(rows).tolist() == rows.tolist()
    assert network.batch_size in (2, 4)
    torch.cuda.empty_cache()
