"""timm's image networks: equal to the library's preprocessing and network; errors name the nearest model."""

from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_model_data_config

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.network_options import TimmOptions
from clip_ae.core.config.streams import TimmEncoder
from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.core.types import NetworkWeights
from clip_ae.encoders.networks import timm_image
from clip_ae.encoders.networks.state_dict import load_tensors
from clip_ae.encoders.streams import timm_image as stream
from tests.encoders.random_networks import perturb_weights

MODELS: dict[str, TimmOptions] = {
    "ViT": TimmOptions("test_vit"),
    "ConvNeXt": TimmOptions("test_convnext"),
    "squashed": TimmOptions("convnextv2_nano.fcmae_ft_in22k_in1k_384", 64),
    "DINOv2": TimmOptions("vit_small_patch14_dinov2.lvd142m", 42),
    "hidden layer in the classifier": TimmOptions("mobilenetv3_small_050", 64),
}
SLOW_MODELS = {
    "SigLIP": TimmOptions("vit_base_patch16_siglip_224.webli"),
    "DINOv3": TimmOptions("vit_small_patch16_dinov3.lvd1689m", 48),
    "ConvNeXt of DINOv3": TimmOptions("convnext_tiny.dinov3_lvd1689m", 64),
    "Swin": TimmOptions("swin_tiny_patch4_window7_224"),
}


def create_network(options: TimmOptions) -> Any:
    """The library's own network with its classifier and random weights."""
    arguments = timm_image._size_arguments(options)
    return perturb_weights(timm.create_model(options.model, **arguments))


def convert(network: torch.nn.Module, options: TimmOptions) -> NetworkWeights:
    tensors = timm_image.convert_state_dict(network.state_dict(), options)
    metadata = {"timm": to_plain_data(options), **timm_image.get_frame_input(options).to_metadata()}
    return NetworkWeights(metadata, {name: value.numpy() for name, value in tensors.items()})


def preprocess(network: Any, options: TimmOptions, frames: Any) -> torch.Tensor:
    """Images by the library's own transform, from its own record."""
    config = resolve_model_data_config(network)
    if options.image_size:
        config["input_size"] = (3, options.image_size, options.image_size)
    transform: Any = create_transform(**config)
    return torch.stack([transform(Image.fromarray(frame)) for frame in frames])


@pytest.mark.parametrize(
    "options",
    [*MODELS.values(), *(pytest.param(options, marks=pytest.mark.slow) for options in SLOW_MODELS.values())],
    ids=[*MODELS, *SLOW_MODELS],
)
def test_the_stream_equals_timm_s_preprocessing_and_network(options: TimmOptions) -> None:
    """On frames of the record's size, as from the decoder; the width differs by an odd number of pixels."""
    network = create_network(options)
    encoder = stream.build_stream(TimmEncoder(weights="x", frames=3), [convert(network, options)], "cpu")
    size = encoder.frame_size
    height, width = (size, size + 13) if isinstance(size, int) else size
    windows = np.random.default_rng(0).integers(0, 256, (2, 3, height, width, 3), np.uint8)
    features = encoder.encode(np.stack([encoder.prepare(window) for window in windows]))
    assert features.shape == (2, encoder.dim)
    for row, window in zip(features, windows, strict=True):
        with torch.inference_mode():
            maps = network.forward_features(preprocess(network, options, window))
            expected = network.forward_head(maps, pre_logits=True).mean(dim=0).numpy()
        assert np.abs(expected).max() > 0.01
        np.testing.assert_allclose(row, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_position_embeddings_are_interpolated_as_by_timm() -> None:
    """DINOv2's weights are for 518 pixels."""
    network = create_network(TimmOptions("test_vit"))
    tensors = timm_image.convert_state_dict(network.state_dict(), TimmOptions("test_vit", 96))
    expected = timm.layers.resample_abs_pos_embed(network.pos_embed.detach(), [6, 6], num_prefix_tokens=1)
    torch.testing.assert_close(tensors["pos_embed"], expected)
    load_tensors(timm_image.build(TimmOptions("test_vit", 96)), {n: t.numpy() for n, t in tensors.items()}, "converted")


def test_the_authors_own_names_are_converted() -> None:
    """The file of DINOv2's authors has other names than timm's, and a mask token."""
    options = TimmOptions("vit_small_patch14_reg4_dinov2.lvd142m", 42)
    state = timm_image.build(options).state_dict()
    renamed = {name.replace("reg_token", "register_tokens"): value for name, value in state.items()}
    renamed["mask_token"] = torch.zeros(1, 384)
    patches = renamed.pop("pos_embed")
    # The authors add position embeddings to the class token, and none to registers.
    renamed["pos_embed"] = torch.cat([torch.zeros(1, 1, 384), patches], dim=1)
    converted = timm_image.convert_state_dict(renamed, options)
    assert set(converted) == set(state)
    torch.testing.assert_close(converted["pos_embed"], patches)


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_a_file_of_another_network_is_refused(change: str) -> None:
    state = dict(create_network(TimmOptions("test_vit")).state_dict())
    if change == "missing":
        del state["blocks.0.attn.qkv.weight"]
    elif change == "extra":
        state["blocks.9.attn.qkv.weight"] = torch.zeros(1)
    else:
        state["norm.weight"] = torch.zeros(3)
    with pytest.raises(RefusedInput, match=r"the file is not one of test_vit .*(qkv|norm).weight") as caught:
        timm_image.convert_state_dict(state, TimmOptions("test_vit"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("vit_smal_patch14_dinov2", r"no model vit_smal_patch14_dinov2; did you mean 'vit_small_patch14_dinov2'"),
        ("test_vit.r161_in1k", r"no weights test_vit.r161_in1k; did you mean 'test_vit.r160_in1k'"),
        ("hf-hub:timm/test_vit", "no model hf-hub:timm/test_vit"),
        ("vit_large_patch16_sapiens2.fb", "use a model with square RGB images"),
    ],
)
def test_an_unknown_model_is_an_error_with_the_nearest_name(model: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        timm_image.input_description(TimmOptions(model))


def test_the_input_is_that_of_the_record() -> None:
    described = timm_image.input_description(TimmOptions("convnext_tiny.fb_in22k_ft_in1k"))
    assert described == "RGB, short side 256, centre crop 224, (x / 255 - mean) / std"
    assert timm_image.get_frame_input(MODELS["squashed"]).size == (64, 64)
