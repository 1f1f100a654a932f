"""torchvision's video networks: equal to the library's preprocessing and network; errors name the nearest model."""

import numpy as np
import pytest
import torch
from torchvision.models import get_model, get_model_weights, list_models, video

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.network_options import TorchvisionOptions
from clip_ae.core.config.streams import TorchvisionEncoder
from clip_ae.core.errors import UserError
from clip_ae.core.types import NetworkWeights
from clip_ae.encoders.networks import torchvision_video
from clip_ae.encoders.networks.state_dict import get_tensors
from clip_ae.encoders.streams import torchvision_video as stream
from tests.encoders.random_networks import perturb_weights, randomize_weights

FAST = ("r2plus1d_18",)
SLOW = ("s3d", "mvit_v2_s", "swin3d_t", "swin3d_s", "swin3d_b", "r3d_18", "mc3_18", "mvit_v1_b")


def test_every_video_network_of_torchvision_is_known() -> None:
    assert set(torchvision_video.ARCHITECTURES) == set(list_models(module=video)) == {*FAST, *SLOW}


@pytest.mark.slow
@pytest.mark.parametrize("model", torchvision_video.ARCHITECTURES)
def test_bf16_features_have_the_same_direction(model: str) -> None:
    """On CPUs torch lacks some layers for bf16."""
    options = TorchvisionOptions(model)
    network = randomize_weights(torchvision_video.build(options))
    metadata = {"torchvision": to_plain_data(options), **torchvision_video.get_frame_input(options).to_metadata()}
    weights = NetworkWeights(metadata, get_tensors(network))
    crop = torchvision_video.get_frame_input(options).crop
    batch = np.random.default_rng(0).integers(0, 256, (1, 16, crop, crop, 3), np.uint8)
    encoders = [TorchvisionEncoder(weights="x"), TorchvisionEncoder(weights="x", precision="bf16")]
    exact, fast = (stream.build_stream(encoder, [weights], "cpu").encode(batch)[0] for encoder in encoders)
    assert exact @ fast / np.linalg.norm(exact) / np.linalg.norm(fast) > 0.999


@pytest.mark.parametrize("model", [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_the_stream_equals_torchvision_s_preprocessing_and_network(model: str) -> None:
    """On frames of the record's size, as from the decoder; the width differs by an odd number of pixels."""
    options = TorchvisionOptions(model)
    network = perturb_weights(get_model(model, weights=None))
    tensors = torchvision_video.convert_state_dict(network.state_dict(), options)
    metadata = {"torchvision": to_plain_data(options), **torchvision_video.get_frame_input(options).to_metadata()}
    weights = NetworkWeights(metadata, {name: value.numpy() for name, value in tensors.items()})
    encoder = stream.build_stream(TorchvisionEncoder(weights="x"), [weights], "cpu")
    size = encoder.frame_size
    height, width = (size, size + 13) if isinstance(size, int) else size
    window = np.random.default_rng(0).integers(0, 256, (16, height, width, 3), np.uint8)
    [feature] = encoder.encode(encoder.prepare(window)[None])
    assert feature.shape == (encoder.dim,)
    classifier_inputs: list[torch.Tensor] = []
    classifier = getattr(network, torchvision_video.get_architecture(options).classifier)
    classifier.register_forward_pre_hook(lambda _, inputs: classifier_inputs.extend(inputs))
    transform = get_model_weights(model).DEFAULT.transforms()
    with torch.inference_mode():
        network(transform(torch.from_numpy(window).permute(0, 3, 1, 2))[None])
    # S3D's classifier is a convolution whose outputs are averaged.
    expected = classifier_inputs[0].flatten(2).mean(dim=2) if classifier_inputs[0].ndim > 2 else classifier_inputs[0]
    np.testing.assert_allclose(feature, expected[0], rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


def test_the_input_is_that_of_the_record() -> None:
    """(128, 171) is an exact size: torchvision resizes without regard to proportions."""
    assert torchvision_video.get_frame_input(TorchvisionOptions("r2plus1d_18")).size == (128, 171)
    described = torchvision_video.input_description(TorchvisionOptions("swin3d_t"))
    assert described == "RGB, short side 256, centre crop 224, (x / 255 - mean) / std"


def test_an_unknown_model_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(UserError, match=r"torchvision.model: swin3d_x is not a .*did you mean 'swin3d_"):
        torchvision_video.build(TorchvisionOptions("swin3d_x"))


@pytest.mark.parametrize(
    ("model", "frames", "expected"), [("mvit_v2_s", 8, "16"), ("mvit_v2_s", 32, "16"), ("s3d", 13, "at least 14")]
)
def test_a_number_of_frames_that_the_network_cannot_read_is_an_error(model: str, frames: int, expected: str) -> None:
    with pytest.raises(UserError, match=f"frames: {frames}, but {model} reads {expected} frames"):
        torchvision_video.check_num_frames(TorchvisionOptions(model), frames)
    torchvision_video.check_num_frames(TorchvisionOptions(model), 16)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("swin3d_b/KINETICS400_V1", "weights for swin3d_b, but torchvision.model is swin3d_t"),
        ("swin3d_t/KINETICS_V1", "torchvision has no such weights; did you mean 'KINETICS400_V1'"),
    ],
)
def test_unknown_weights_are_an_error(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        torchvision_video.find_published(TorchvisionOptions("swin3d_t"), name)


@pytest.mark.parametrize("model", torchvision_video.ARCHITECTURES)
def test_every_published_file_states_its_digest(model: str) -> None:
    for tag in get_model_weights(model).__members__:
        published = torchvision_video.find_published(TorchvisionOptions(model), f"{model}/{tag}")
        assert published.integrity is not None
        assert published.integrity.removeprefix("sha256-prefix:") in published.address
