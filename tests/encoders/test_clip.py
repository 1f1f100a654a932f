"""CLIP: the tiny model of our own, open_clip's by name, mismatches refused."""

import pytest
import torch

from clip_ae.core.config import ClipOptions
from clip_ae.core.errors import UserError
from clip_ae.encoders.networks import clip

TINY = ClipOptions("tiny")


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
