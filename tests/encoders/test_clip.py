"""CLIP: the tiny model of our own, open_clip's by name and by number, mismatches refused."""

from pathlib import Path

import av
import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from clip_ae.core.config.dataclass_config import plain
from clip_ae.core.config.schema import ClipEncoder, ClipOptions
from clip_ae.core.errors import UserError
from clip_ae.core.timeline import Grid
from clip_ae.core.types import Network, VideoInfo
from clip_ae.encoders.crops import centre_crop
from clip_ae.encoders.networks import clip
from clip_ae.encoders.networks.state_dict import tensors_of
from clip_ae.encoders.streams import clip as stream
from clip_ae.media import video
from clip_ae.media.probe import probe

TINY = ClipOptions("tiny")
# The smallest that open_clip builds.
SMALLEST = "ViT-S-32-alt"
MEDIA = Path(__file__).resolve().parents[3] / "shared/media"


def test_tiny_embeds_images_and_texts_alike():
    network = clip.build(TINY).eval()
    size = clip.image_size(network)
    images, texts, scale = network(
        torch.randn(2, 3, size, size), clip.tokenizer(TINY)(["a ball", "a red box spinning"])
    )
    assert images.shape == texts.shape == (2, 64)
    assert scale > 1
    assert not torch.allclose(texts[0], texts[1])


def test_a_misspelt_architecture_names_the_nearest():
    with pytest.raises(UserError, match=r"ViT-B-16-quikgelu .* did you mean 'ViT-B-16-quickgelu'"):
        clip.build(ClipOptions("ViT-B-16-quikgelu"))


def test_published_normalisation_comes_along():
    facts = clip.published(ClipOptions("ViT-B-16-SigLIP"), "ViT-B-16-SigLIP/webli")
    assert tuple(facts["mean"]) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("architecture", "source", "message"),
    [
        ("ViT-B-16", "ViT-B-16/openai", "made with QuickGELU, ViT-B-16 has GELU; use ViT-B-16-quickgelu"),
        ("ViT-B-16", "ViT-B-16-quickgelu/openai", "but clip.architecture is ViT-B-16"),
        ("ViT-B-16-quickgelu", "ViT-B-16-quickgelu/openia", "did you mean 'openai'"),
    ],
)
def test_weights_of_another_activation_are_refused(architecture, source, message):
    with pytest.raises(UserError, match=message):
        clip.published(ClipOptions(architecture), source)


@pytest.mark.parametrize("shape", [(224, 224), (224, 398), (300, 224)])
def test_the_stream_is_open_clip_s_own_recipe(shape):
    """Frames whose short side is the network's, as the decoder delivers them."""
    torch.manual_seed(0)
    network, _, preprocess = open_clip.create_model_and_transforms(SMALLEST)
    network.eval()
    windows = np.random.default_rng(0).integers(0, 256, (2, 16, *shape, 3), np.uint8)
    encoder = stream.build(
        ClipEncoder(frames=4), [Network({"clip": plain(ClipOptions(SMALLEST))}, tensors_of(network))], "cpu"
    )
    found = encoder.encode(np.stack([encoder.prepare(window) for window in windows]))
    for row, window in zip(found, windows, strict=True):
        images = torch.stack([preprocess(Image.fromarray(window[i])) for i in (2, 6, 10, 14)])
        with torch.inference_mode():
            wanted = torch.nn.functional.normalize(network.encode_image(images).mean(dim=0), dim=0)
        np.testing.assert_allclose(row, wanted, rtol=0, atol=1e-5)


def test_weights_bring_their_own_normalisation():
    network = clip.build(TINY)
    about = {"clip": plain(TINY)}
    others = about | {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    window = np.random.default_rng(0).integers(0, 256, (16, 64, 80, 3), np.uint8)
    rows = []
    for facts in (about, others):
        encoder = stream.build(ClipEncoder(), [Network(facts, tensors_of(network))], "cpu")
        rows.append(encoder.encode(encoder.prepare(window)[None]))
    assert np.abs(rows[0] - rows[1]).max() > 1e-3


@pytest.mark.real
@pytest.mark.parametrize("name", ["v_GGSY1Qvo990", "v_ZNVhz7ctTq0", "women_long_jump"])
def test_small_frames_look_like_those_that_clip_learnt_from(name):
    """We resize in the decoder, bilinearly; CLIP's images are resized from the whole frame, bicubically.
    The mean difference of a 224 x 224 image, in steps of 255."""
    path = MEDIA / f"{name}.mp4"
    if not path.exists():
        pytest.skip(f"needs {path.name} in shared/media")
    grid = Grid()
    info = VideoInfo(name, path.name, **vars(probe(str(path), grid)))
    ours = centre_crop(next(video.windows(str(path), info, grid, 224, 0)).data[:1], 224)[0]
    with av.open(str(path)) as container:
        whole = next(container.decode(video=0)).to_image()
    resize, crop = open_clip.image_transform(224, is_train=False).transforms[:2]
    theirs = np.asarray(crop(resize(whole)))
    difference = np.abs(ours.astype(float) - theirs).mean()
    print(f"{name}: {whole.size}, mean difference {difference:.2f} of 255")
    assert difference < 3
