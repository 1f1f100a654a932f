"""VGGish: published names, shapes and order of flattening; the post-processing of the AudioSet release."""

from typing import Any

import numpy as np
import pytest
import torch

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.schema import VggishOptions, VggishPcaOptions
from clip_ae.core.config.streams import VggishEncoder
from clip_ae.core.errors import UserError
from clip_ae.core.types import NetworkWeights
from clip_ae.encoders.networks import vggish, vggish_pca
from clip_ae.encoders.networks.state_dict import get_tensors, load_tensors
from clip_ae.encoders.streams import vggish as audio


def test_tensors_have_the_published_names_and_shapes():
    shapes = {name: tensor.shape for name, tensor in get_tensors(vggish.build(VggishOptions())).items()}
    weights = {name.removesuffix(".weight"): shape for name, shape in shapes.items() if name.endswith("weight")}
    assert weights == {
        "features.0": (64, 1, 3, 3),
        "features.3": (128, 64, 3, 3),
        "features.6": (256, 128, 3, 3),
        "features.8": (256, 256, 3, 3),
        "features.11": (512, 256, 3, 3),
        "features.13": (512, 512, 3, 3),
        "embeddings.0": (4096, 512 * 6 * 4),
        "embeddings.2": (4096, 4096),
        "embeddings.4": (128, 4096),
    }
    assert shapes.keys() == {f"{name}.{kind}" for name in weights for kind in ("weight", "bias")}


def test_maps_are_flattened_with_channels_last_as_published():
    network = vggish.build(VggishOptions(1 / 64)).eval()
    layer_inputs = []
    network.embeddings[0].register_forward_hook(lambda module, inputs, output: layer_inputs.append(inputs[0]))
    x = torch.rand(1, 1, 96, 64)
    network.embed(x)
    maps = network.features(x)[0]
    assert maps.shape == (8, 6, 4)
    assert all(layer_inputs[0][0, (row * 4 + means_as_column) * 8 + c] == maps[c, row, means_as_column]
               for c in range(8) for row in range(6) for means_as_column in range(4))  # fmt: skip


def test_the_embedding_is_before_the_relu_and_the_classifier_after_it():
    torch.manual_seed(0)
    network = vggish.build(VggishOptions(1 / 8, 7)).eval()
    x = torch.randn(4, 1, 96, 64)
    embedding = network.embed(x)
    assert embedding.shape == (4, 16)
    assert (embedding < 0).any()
    torch.testing.assert_close(network(x), network.classifier(embedding.clamp(min=0)))


def test_a_network_without_classes_has_no_logits():
    with pytest.raises(ValueError, match=r"vggish\.classes is 0"):
        vggish.build(VggishOptions(1 / 64))(torch.zeros(1, 1, 96, 64))


def test_post_processing_in_published_weights_is_ignored():
    assert set(vggish.convert_state_dict({"features.0.bias": 1, "pproc.pca_means": 2}, VggishOptions())) == {
        "features.0.bias"
    }


def published_pca(dim: int) -> dict[str, Any]:
    """Random parameters in the form of the published file: float64 numpy arrays, with means of both signs."""
    rng = np.random.default_rng(0)
    return {"pca_eigen_vectors": rng.normal(0, 2, (dim, dim)), "pca_means": rng.normal(0, 0.5, dim)}


def compute_exact_values(file: dict[str, Any], embeddings: np.ndarray) -> np.ndarray:
    """AudioSet's post-processing in float64, element by element, before truncation to bytes."""
    values = np.zeros(embeddings.shape)
    for row, embedding in enumerate(embeddings):
        for element, axis in enumerate(file["pca_eigen_vectors"]):
            whitened = sum(axis * (embedding.astype(np.float64) - file["pca_means"].ravel()))
            values[row, element] = 255 * (min(max(whitened, -2.0), 2.0) + 2) / 4
    return values


def assert_bytes_equal(values: np.ndarray, quantised: np.ndarray) -> None:
    """The bytes are the truncated values, up to 0.001: float32 may round to the other side of a whole number."""
    assert np.array_equal(quantised, quantised.astype(np.uint8))
    assert (values - quantised > -1e-3).all()
    assert (values - quantised < 1 + 1e-3).all()
    assert {0, 255} < set(quantised.ravel())


def to_tensors(file: dict[str, Any]) -> dict[str, np.ndarray]:
    """Tensors as the weights stage converts them from a file."""
    return {
        name: np.asarray(value.float())
        for name, value in vggish_pca.convert_state_dict(file, VggishPcaOptions()).items()
    }


@pytest.mark.parametrize("means_as_column", [False, True])
def test_pca_and_quantisation_equal_the_float64_reference(means_as_column):
    file, embeddings = published_pca(128), np.random.default_rng(1).normal(0, 0.3, (20, 128)).astype(np.float32)
    if means_as_column:
        file["pca_means"] = file["pca_means"][:, None]
    module = load_tensors(vggish_pca.build(VggishPcaOptions()), to_tensors(file), "pca")
    assert_bytes_equal(compute_exact_values(file, embeddings), module(torch.from_numpy(embeddings)).numpy())


def features(encoder: VggishEncoder, patches: np.ndarray, dim: int = 16) -> np.ndarray:
    """Features of a network with fixed random weights."""
    torch.manual_seed(0)
    options = VggishOptions(0.125)
    network = vggish.build(options)
    network.embeddings[-1].bias.data.normal_()
    networks = [NetworkWeights({"vggish": to_plain_data(options)}, get_tensors(network))]
    if encoder.pca:
        networks.append(NetworkWeights({"vggish_pca": {"dim": dim}}, to_tensors(published_pca(dim))))
    return audio.build_stream(encoder, networks, "cpu").encode(patches)


def test_the_stream_applies_relu_and_pca():
    patches = np.random.default_rng(2).normal(size=(5, 1, 96, 64)).astype(np.float32)
    raw = features(VggishEncoder(), patches)
    assert (raw < 0).any()
    rectified = np.maximum(raw, 0)
    np.testing.assert_array_equal(features(VggishEncoder(relu=True), patches), rectified)
    for relu, embeddings in ((False, raw), (True, rectified)):
        quantised = features(VggishEncoder(relu=relu, pca="pca"), patches)
        assert_bytes_equal(compute_exact_values(published_pca(16), embeddings), quantised)


def test_a_pca_of_another_length_is_an_error():
    with pytest.raises(UserError, match=r"weights\.pca\.vggish_pca\.dim: 128, .* 16 numbers"):
        features(VggishEncoder(pca="pca"), np.zeros((1, 1, 96, 64), np.float32), dim=128)


def test_the_stream_reads_the_published_patch_length():
    torch.manual_seed(0)
    options = VggishOptions(1 / 64)
    stream = audio.build_stream(
        VggishEncoder(), [NetworkWeights({"vggish": to_plain_data(options)}, get_tensors(vggish.build(options)))], "cpu"
    )
    wave = np.random.default_rng(0).uniform(-1, 1, 15600).astype(np.float32)
    prepared = stream.prepare(wave)
    assert (prepared.shape, prepared.dtype) == ((1, 96, 64), np.float32)
    assert not np.shares_memory(prepared, wave)
    assert stream.encode(prepared[None]).shape == (1, stream.dim)
