"""Speed from file to features of the networks of open_clip, timm and torchvision, with random weights.

python -m benchmarks.frame_encoders              every network of NETWORKS, in bf16: minutes on two cores
python -m benchmarks.frame_encoders NAME ...     these networks only
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.features import write_film
from benchmarks.measure import measure_seconds_and_result, print_result
from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.network_options import TimmOptions, TorchvisionOptions
from clip_ae.core.config.registry import NETWORKS as NETWORK_MODULES
from clip_ae.core.config.registry import load_module
from clip_ae.core.config.schema import ClipOptions
from clip_ae.core.config.streams import ClipEncoder, StreamEncoder, TimmEncoder, TorchvisionEncoder
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Encoder, NetworkWeights, VideoInfo
from clip_ae.encoders.batch_size import BatchedEncoder
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.encoders.networks.state_dict import get_tensors
from clip_ae.encoders.streams import clip, timm_image, torchvision_video
from clip_ae.media.decoder_process import Decoder
from clip_ae.media.probe import probe_video
from clip_ae.media.video import window_shape
from clip_ae.pipeline.extraction import FeatureExtractor
from tests.encoders.random_networks import randomize_weights

GRID = SnippetGrid()
SECONDS = 24
NUM_DECODERS = 2


class Case(NamedTuple):
    """A network: its stream, the keys of its encoder, its kind and options."""

    build: Callable[..., Encoder]
    encoder: StreamEncoder
    kind: str
    options: Any


def timm_case(options: TimmOptions, **keys: Any) -> Case:
    return Case(timm_image.build_stream, TimmEncoder(weights="x", precision="bf16", **keys), "timm", options)


def torchvision_case(model: str) -> Case:
    encoder = TorchvisionEncoder(weights="x", precision="bf16")
    return Case(torchvision_video.build_stream, encoder, "torchvision", TorchvisionOptions(model))


CLIP = ClipEncoder(precision="bf16")
NETWORKS = {
    "clip ViT-B/16": Case(clip.build_stream, CLIP, "clip", ClipOptions()),
    "SigLIP ViT-B/16": Case(clip.build_stream, CLIP, "clip", ClipOptions("ViT-B-16-SigLIP")),
    "DINOv2 ViT-S/14, 224 pixels": timm_case(TimmOptions("vit_small_patch14_dinov2", 224)),
    "DINOv2 ViT-S/14, 224 pixels, window of 2.56 s": timm_case(
        TimmOptions("vit_small_patch14_dinov2", 224), window_s=2.56
    ),
    "DINOv3 ViT-S/16, 256 pixels": timm_case(TimmOptions("vit_small_patch16_dinov3")),
    "ConvNeXt-T, 224 pixels": timm_case(TimmOptions("convnext_tiny")),
    "r2plus1d_18": torchvision_case("r2plus1d_18"),
    "s3d": torchvision_case("s3d"),
    "mvit_v2_s": torchvision_case("mvit_v2_s"),
    "swin3d_t": torchvision_case("swin3d_t"),
}


def main(names: list[str]) -> None:
    if unknown := set(names) - NETWORKS.keys():
        raise SystemExit(f"{', '.join(sorted(unknown))}: expected names of {', '.join(NETWORKS)}")
    configure_torch(2)
    device = resolve_device("auto")
    with tempfile.TemporaryDirectory() as folder:
        path = write_film(Path(folder) / "film.mp4", SECONDS)
        info = VideoInfo(path.stem, path.name, **vars(probe_video(str(path), GRID)))
        print(f"{info.width}x{info.height}, {info.snippets} snippets, {device}, bf16")
        for name in names or NETWORKS:
            measure(name, NETWORKS[name], path, info, device)


def measure(name: str, case: Case, path: Path, info: VideoInfo, device: str) -> None:
    """Print milliseconds a snippet, and the share of the time in which the network was idle."""
    encoder = case.build(case.encoder, [random_weights(case)], device)
    network = BatchedEncoder(encoder.encode, case.encoder.batch_size if device == "cpu" else 0, device)
    warm_up(encoder, case.encoder.batch_size, info)
    decoders = [Decoder() for _ in range(NUM_DECODERS)]
    # A decoder serves all videos of a job, so its start is not measured.
    for decoder in decoders:
        decoder.probe_video(path, GRID)
    extractor = FeatureExtractor(name, GRID, encoder, network, path.parent, decoders)
    seconds, features = measure_seconds_and_result(lambda: list(extractor.extract([info, info])))
    num_snippets = sum(len(video.feature) for video in features)
    print_result(f"{name}: file to features", 1000 * seconds / num_snippets, "ms a snippet")
    print_result(f"{name}: share of the time in which the network was idle", extractor.idle_fraction, "")


def warm_up(encoder: Encoder, batch_size: int, info: VideoInfo) -> None:
    """Run one batch of black frames, so that the first use of every layer is not measured."""
    assert encoder.frame_size is not None
    window = np.zeros(window_shape(info, GRID, encoder.frame_size, encoder.sampling), np.uint8)
    encoder.encode(np.stack([encoder.prepare(window)] * batch_size))


def random_weights(case: Case) -> NetworkWeights:
    """Random weights of the case's network, with its input as metadata."""
    network = load_module(NETWORK_MODULES[case.kind])
    metadata = {case.kind: to_plain_data(case.options), **network.get_frame_input(case.options).to_metadata()}
    return NetworkWeights(metadata, get_tensors(randomize_weights(network.build(case.options))))


if __name__ == "__main__":
    main(sys.argv[1:])
