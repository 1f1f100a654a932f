"""I3D: TensorFlow's padding, the published names and size, and features equal to those of a plain reference."""

import functools

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from clip_ae.core.config.schema import I3dOptions
from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.core.types import NetworkWeights
from clip_ae.encoders.inference import DTYPES
from clip_ae.encoders.networks import i3d
from clip_ae.encoders.networks.i3d_inference import inference_network
from clip_ae.encoders.networks.state_dict import get_tensors, load_tensors
from tests.encoders import plain_i3d
from tests.encoders.random_networks import random_i3d


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding"),
    [
        (224, 7, 2, (2, 3)),  # 112 outputs reach 111 * 2 + 7 = 229
        (225, 7, 2, (3, 3)),  # 113 outputs reach 231
        (64, 7, 2, (2, 3)),
        (112, 3, 2, (0, 1)),
        (7, 3, 2, (1, 1)),
        (56, 3, 1, (1, 1)),
        (8, 2, 2, (0, 0)),
        (7, 2, 2, (0, 1)),
        (5, 1, 2, (0, 0)),  # no padding for a kernel smaller than its stride
    ],
)
def test_same_padding_equals_values_by_hand(size, kernel, stride, padding):
    assert i3d.same_padding((size,), (kernel,), (stride,)) == list(padding)


@given(st.integers(1, 300), st.integers(1, 8), st.integers(1, 4))
def test_same_padding_gives_size_over_stride_rounded_up_outputs(size, kernel, stride):
    before, after = i3d.same_padding((size,), (kernel,), (stride,))
    assert after - before in (0, 1)
    assert (size + before + after - kernel) // stride + 1 == -(-size // stride)


def test_padding_is_in_the_order_of_f_pad():
    assert i3d.same_padding((16, 224, 7), (7, 3, 2), (2, 2, 2)) == [0, 1, 0, 1, 2, 3]


def test_the_odd_element_is_padded_at_the_end():
    pooled = i3d.MaxPool3dSamePadding((1, 1, 2), (1, 1, 2))(torch.tensor([1.0, 5, 2, 4, 3]).view(1, 1, 1, 1, 5))
    assert pooled.flatten().tolist() == [5, 4, 3]


def test_the_network_has_the_published_size_and_names():
    """12.29 M parameters up to the features; 12.70 M with 400 classes, as published, without running statistics."""
    network = i3d.build(I3dOptions())
    count = {name: sum(p.numel() for p in m.parameters()) for name, m in network.named_children()}
    assert count.pop("logits") == 1024 * 400 + 400
    assert sum(count.values()) == published_feature_parameters(3) == 12_287_264
    assert network.dim == 1024
    assert {m.eps for m in network.modules() if isinstance(m, torch.nn.BatchNorm3d)} == {1e-3}
    names = set(get_tensors(network))
    assert {
        "Conv3d_1a_7x7.conv3d.weight",
        "Conv3d_1a_7x7.bn.running_var",
        "Mixed_3b.b0.conv3d.weight",
        "Mixed_5c.b2b.bn.bias",
        "logits.conv3d.bias",
    } <= names
    # 57 convolutions with four BatchNorm tensors each (scale, shift, running mean, running variance), and the
    # classifier's weight and bias.
    assert len(names) == 57 * 5 + 2


def published_feature_parameters(channels: int) -> int:
    """Number of parameters from the paper's Inception table: kernels, and a scale and a shift for each output."""
    units = [(channels, 64, 343), (64, 64, 1), (64, 192, 27)]
    inputs = 192
    for b0, b1a, b1b, b2a, b2b, b3b in (
        (64, 96, 128, 16, 32, 32),
        (128, 128, 192, 32, 96, 64),
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
        (256, 160, 320, 32, 128, 128),
        (384, 192, 384, 48, 128, 128),
    ):
        units += [(inputs, b0, 1), (inputs, b1a, 1), (b1a, b1b, 27), (inputs, b2a, 1), (b2a, b2b, 27), (inputs, b3b, 1)]
        inputs = b0 + b1b + b2b + b3b
    return sum(i * o * volume + 2 * o for i, o, volume in units)


def exact_features(network: NetworkWeights, x: torch.Tensor) -> torch.Tensor:
    """Features of the plain reference, in double precision."""
    with torch.inference_mode():
        weights = {name: torch.from_numpy(tensor).double() for name, tensor in network.tensors.items()}
        return plain_i3d.features(x.double(), weights)


def distance(features: torch.Tensor, exact: torch.Tensor) -> float:
    """Distance to the exact rows, as a share of their length; the largest of all rows."""
    return float(((features.double() - exact).norm(dim=1) / exact.norm(dim=1)).max())


@functools.cache
def full_size_window(channels: int) -> tuple[NetworkWeights, torch.Tensor, torch.Tensor]:
    """A random network of the published width, random input of the published size, and its reference features."""
    network, x = random_i3d(I3dOptions(channels)), torch.rand(1, channels, 16, 224, 224) * 2 - 1
    return network, x, exact_features(network, x)


@pytest.mark.parametrize("channels", [3, 2])
@torch.inference_mode()
def test_the_published_network_equals_the_reference_on_a_full_size_window(channels):
    network, x, exact = full_size_window(channels)
    fast_network = inference_network(I3dOptions(channels), network.tensors, "file")
    features = fast_network.extract_features(x)
    assert features.shape == (1, 1024)
    assert distance(features, exact) < 1e-6
    weight, bias = (torch.from_numpy(network.tensors[f"logits.conv3d.{n}"]).double() for n in ("weight", "bias"))
    logits = fast_network.logits(features[:, :, None, None, None]).flatten(1)
    assert logits.shape == (1, 400)
    assert distance(logits, F.linear(exact, weight.flatten(1), bias)) < 1e-6


@torch.inference_mode()
def test_bf16_features_have_the_same_direction():
    network, x, exact = full_size_window(3)
    fast = (
        inference_network(I3dOptions(3), network.tensors, "file")
        .to(DTYPES["bf16"])
        .extract_features(x.to(DTYPES["bf16"]))
    )
    assert F.cosine_similarity(fast.double(), exact).item() > 0.999
    assert distance(fast, exact) > 1e-4, "the network did not run in bf16"


@pytest.mark.parametrize("channels", [3, 2])
@pytest.mark.parametrize("shape", [(16, 56, 56), (7, 35, 45), (3, 17, 40), (1, 16, 33)])
@torch.inference_mode()
def test_padding_of_any_size_equals_the_reference(channels, shape):
    options = I3dOptions(channels, 0.125, classes=5)
    network, x = random_i3d(options), torch.rand(1, channels, *shape) * 2 - 1
    features = inference_network(options, network.tensors, "file").extract_features(x)
    assert distance(features, exact_features(network, x)) < 1e-6


@pytest.mark.parametrize("shape", [(16, 64, 64), (16, 56, 56), (3, 17, 40)])
def test_clips_of_any_size_give_one_feature(shape):
    network = i3d.build(I3dOptions(2, 0.125, classes=5)).eval()
    x = torch.randn(2, 2, *shape)
    assert network.extract_features(x).shape == (2, 128)
    assert network(x).shape == (2, 5)


def test_logits_are_the_classifier_s_output_on_the_features():
    network = i3d.build(I3dOptions(3, 0.125, classes=5)).eval()
    x = torch.randn(2, 3, 16, 32, 32)
    weight, bias = network.logits.conv3d.weight.flatten(1), network.logits.conv3d.bias
    torch.testing.assert_close(network(x), F.linear(network.extract_features(x), weight, bias))


def test_a_published_state_dict_loads():
    network = i3d.build(I3dOptions(3, 0.125, classes=5)).eval()
    state = {f"module.{name}": value for name, value in network.state_dict().items()}
    tensors = {
        name: value.numpy() for name, value in i3d.convert_state_dict({"state_dict": state}, I3dOptions()).items()
    }
    other = load_tensors(i3d.build(I3dOptions(3, 0.125, classes=5)), tensors, "file")
    x = torch.randn(1, 3, 16, 32, 32)
    assert torch.equal(network(x), other(x))


def test_the_first_tensor_that_does_not_match_is_named():
    tensors = get_tensors(i3d.build(I3dOptions(3, 0.125, classes=5)))
    with pytest.raises(
        RefusedInput, match=r"tensor Conv3d_1a_7x7.conv3d.weight is \[8, 3, 7, 7, 7\].*\[8, 2, 7, 7, 7\]"
    ):
        load_tensors(i3d.build(I3dOptions(2, 0.125, classes=5)), tensors, "file")
    network = i3d.build(I3dOptions(3, 0.125, classes=5))
    with pytest.raises(RefusedInput, match="tensor extra is none"):
        load_tensors(network, tensors | {"extra": tensors["logits.conv3d.bias"]}, "file")
    del tensors["Mixed_4f.b0.bn.weight"]
    with pytest.raises(RefusedInput, match=r"has no tensor Mixed_4f.b0.bn.weight"):
        load_tensors(network, tensors, "file")


def test_a_crop_larger_than_the_frames_is_an_error():
    with pytest.raises(UserError, match=r"i3d.crop: 224"):
        i3d.build(I3dOptions(short_side=128))
