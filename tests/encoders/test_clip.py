"""CLIP: the tiny model, open_clip's models by name and by numbers, and errors for mismatches."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.schema import ClipOptions
from clip_ae.core.config.streams import ClipEncoder
from clip_ae.core.errors import UserError
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import FrameSize, NetworkWeights, VideoInfo
from clip_ae.encoders.crops import centre_crop
from clip_ae.encoders.networks import clip
from clip_ae.encoders.networks.state_dict import get_tensors
from clip_ae.encoders.streams import clip as stream
from clip_ae.media import video
from clip_ae.media.probe import probe_video
from tests.encoders.random_networks import perturb_weights

TINY = ClipOptions("tiny")
# open_clip's smallest model.
SMALLEST = "ViT-S-32-alt"
MEDIA = Path(__file__).resolve().parents[3] / "shared/media"


def test_tiny_clip_embeds_images_and_texts_with_the_same_shape():
    network = clip.build(TINY).eval()
    size = clip.get_image_size(network)
    images, texts, scale = network(
        torch.randn(2, 3, size, size), clip.get_tokenizer(TINY)(["a ball", "a red box spinning"])
    )
    assert images.shape == texts.shape == (2, 64)
    assert scale > 1
    assert not torch.allclose(texts[0], texts[1])


def test_a_misspelt_architecture_is_an_error_with_a_suggestion():
    with pytest.raises(UserError, match=r"ViT-B-16-quikgelu .* did you mean 'ViT-B-16-quickgelu'"):
        clip.build(ClipOptions("ViT-B-16-quikgelu"))


def test_facts_contain_the_published_normalisation():
    facts = clip.get_pretrained_facts(ClipOptions("ViT-B-16-SigLIP"), "ViT-B-16-SigLIP/webli")
    assert tuple(facts["mean"]) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("architecture", "source", "message"),
    [
        ("ViT-B-16", "ViT-B-16/openai", "made with QuickGELU, ViT-B-16 has GELU; use ViT-B-16-quickgelu"),
        ("ViT-B-16", "ViT-B-16-quickgelu/openai", "but clip.architecture is ViT-B-16"),
        ("ViT-B-16-quickgelu", "ViT-B-16-quickgelu/openia", "did you mean 'openai'"),
    ],
)
def test_weights_for_another_activation_are_an_error(architecture, source, message):
    with pytest.raises(UserError, match=message):
        clip.get_pretrained_facts(ClipOptions(architecture), source)


@pytest.mark.parametrize("shape", [(224, 224), (224, 398), (300, 224)])
def test_the_stream_equals_open_clip_s_preprocessing_and_model(shape):
    """On frames whose short side is that of the network, as from the decoder."""
    torch.manual_seed(0)
    network, _, preprocess = open_clip.create_model_and_transforms(SMALLEST)
    network.eval()
    windows = np.random.default_rng(0).integers(0, 256, (2, 16, *shape, 3), np.uint8)
    encoder = stream.build_stream(
        ClipEncoder(frames=4),
        [NetworkWeights({"clip": to_plain_data(ClipOptions(SMALLEST))}, get_tensors(network))],
        "cpu",
    )
    features = encoder.encode(np.stack([encoder.prepare(window[[2, 6, 10, 14]]) for window in windows]))
    for row, window in zip(features, windows, strict=True):
        images = torch.stack([preprocess(Image.fromarray(window[i])) for i in (2, 6, 10, 14)])
        with torch.inference_mode():
            expected = torch.nn.functional.normalize(network.encode_image(images).mean(dim=0), dim=0)
        np.testing.assert_allclose(row, expected, rtol=0, atol=1e-5)


def test_normalisation_comes_from_the_weights():
    network = clip.build(TINY)
    metadata = {"clip": to_plain_data(TINY)}
    other_metadata = metadata | replace(clip.get_frame_input(TINY), mean=(0.5,) * 3, std=(0.5,) * 3).to_metadata()
    window = np.random.default_rng(0).integers(0, 256, (16, 64, 80, 3), np.uint8)
    rows = []
    for facts in (metadata, other_metadata):
        encoder = stream.build_stream(ClipEncoder(), [NetworkWeights(facts, get_tensors(network))], "cpu")
        rows.append(encoder.encode(encoder.prepare(window[:4])[None]))
    assert np.abs(rows[0] - rows[1]).max() > 1e-3


# A small image tower of timm, as SigLIP has, and a small text tower.
SMALL_SIGLIP = {
    "embed_dim": 64,
    "custom_text": True,
    "vision_cfg": {
        "image_size": 160,
        "timm_model_name": "test_vit",
        "timm_model_pretrained": False,
        "timm_pool": "token",
        "timm_proj": "none",
    },
    "text_cfg": {
        "context_length": 16,
        "vocab_size": 1000,
        "width": 64,
        "heads": 2,
        "layers": 1,
        "no_causal_mask": True,
    },
}


@pytest.fixture
def small_siglip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an architecture whose weights have SigLIP's record."""
    (tmp_path / "small-siglip.json").write_text(json.dumps(SMALL_SIGLIP))
    open_clip.add_model_config(tmp_path)
    record = open_clip.get_pretrained_cfg("ViT-B-16-SigLIP", "webli")
    monkeypatch.setattr(clip, "_list_records", lambda architecture: [record])
    return "small-siglip"


def assert_equals_open_clip(network: Any, preprocess: Any, options: ClipOptions, size: tuple[int, int]) -> None:
    """Compare features of frames of the decoder's size with those of open_clip's own preprocessing and network."""
    metadata = {"clip": to_plain_data(options), **clip.get_frame_input(options).to_metadata()}
    encoder = stream.build_stream(ClipEncoder(frames=3), [NetworkWeights(metadata, get_tensors(network))], "cpu")
    assert encoder.frame_size == size
    window = np.random.default_rng(0).integers(0, 256, (3, *size, 3), np.uint8)
    [feature] = encoder.encode(encoder.prepare(window)[None])
    images = torch.stack([preprocess(Image.fromarray(frame)) for frame in window])
    with torch.inference_mode():
        expected = torch.nn.functional.normalize(network.encode_image(images).mean(dim=0), dim=0)
    assert feature.shape == (encoder.dim,)
    np.testing.assert_allclose(feature, expected, rtol=0, atol=1e-5)


def test_an_image_tower_with_squashed_images_equals_open_clip_s(small_siglip: str) -> None:
    network, _, preprocess = open_clip.create_model_and_transforms(
        small_siglip, image_mean=(0.5,) * 3, image_std=(0.5,) * 3, image_resize_mode="squash"
    )
    assert_equals_open_clip(perturb_weights(network), preprocess, ClipOptions(small_siglip), (160, 160))


@pytest.mark.slow
def test_siglip_equals_open_clip_s() -> None:
    record = open_clip.get_pretrained_cfg("ViT-B-16-SigLIP", "webli")
    network, _, preprocess = open_clip.create_model_and_transforms(
        "ViT-B-16-SigLIP", image_mean=record["mean"], image_std=record["std"], image_resize_mode=record["resize_mode"]
    )
    assert_equals_open_clip(perturb_weights(network), preprocess, ClipOptions("ViT-B-16-SigLIP"), (224, 224))


@pytest.mark.parametrize(
    ("architecture", "name", "size", "mean"),
    [
        ("ViT-B-16-SigLIP", "ViT-B-16-SigLIP/webli", (224, 224), 0.5),
        ("ViT-B-16-quickgelu", "ViT-B-16-quickgelu/openai", 224, 0.48145466),
        ("MobileCLIP-S1", "MobileCLIP-S1/datacompdr", 256, 0.0),
        ("ViT-H-14-378-quickgelu", "ViT-H-14-378-quickgelu/dfn5b", (378, 378), 0.48145466),
        ("RN50x4", None, 288, 0.48145466),
    ],
)
def test_the_input_is_that_of_the_record(architecture: str, name: str | None, size: FrameSize, mean: float) -> None:
    found = clip.get_frame_input(ClipOptions(architecture), name)
    assert (found.size, found.mean[0]) == (size, mean)


def test_an_unknown_way_to_resize_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip, "_list_records", lambda architecture: [{"resize_mode": "longest"}])
    with pytest.raises(UserError, match=r"mode longest; only shortest and squash are known"):
        clip.get_frame_input(ClipOptions("RN50"))


@pytest.mark.real
@pytest.mark.parametrize("name", ["v_GGSY1Qvo990", "v_ZNVhz7ctTq0", "women_long_jump"])
def test_frames_of_the_decoder_are_close_to_clip_s_preprocessing(name):
    """The decoder resizes bilinearly; CLIP was trained on frames resized bicubically.

    Compares the mean difference of a 224 x 224 image, in levels of 255.
    """
    path = MEDIA / f"{name}.mp4"
    if not path.exists():
        pytest.skip(f"needs {path.name} in shared/media")
    grid = SnippetGrid()
    info = VideoInfo(name, path.name, **vars(probe_video(str(path), grid)))
    ours = centre_crop(next(video.read_video_windows(str(path), info, grid, 224)).data[:1], 224)[0]
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0)).to_image()
    resize, crop = open_clip.image_transform(224, is_train=False).transforms[:2]
    reference = np.asarray(crop(resize(frame)))
    difference = np.abs(ours.astype(float) - reference).mean()
    print(f"{name}: {frame.size}, mean difference {difference:.2f} of 255")
    assert difference < 3
