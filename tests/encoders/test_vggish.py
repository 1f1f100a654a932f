"""VGGish: the published network's names, shapes and order of flattening."""

import torch

from clip_ae.core.config import VggishOptions
from clip_ae.encoders.networks import vggish
from clip_ae.encoders.networks.fit import tensors_of


def test_published_names_and_shapes():
    shapes = {name: tensor.shape for name, tensor in tensors_of(vggish.build(VggishOptions())).items()}
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


def test_maps_are_flattened_with_channels_last():
    network = vggish.build(VggishOptions(1 / 64)).eval()
    seen = []
    network.embeddings[0].register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    x = torch.rand(1, 1, 96, 64)
    network.embed(x)
    maps = network.features(x)[0]
    assert maps.shape == (8, 6, 4)
    assert all(seen[0][0, (row * 4 + column) * 8 + c] == maps[c, row, column]
               for c in range(8) for row in range(6) for column in range(4))  # fmt: skip


def test_the_embedding_keeps_its_sign_and_the_classifier_reads_its_relu():
    torch.manual_seed(0)
    network = vggish.build(VggishOptions(1 / 8, 7)).eval()
    x = torch.randn(4, 1, 96, 64)
    embedding = network.embed(x)
    assert embedding.shape == (4, 16)
    assert (embedding < 0).any()
    torch.testing.assert_close(network(x), network.classifier(embedding.clamp(min=0)))


def test_published_post_processing_is_left_out():
    assert set(vggish.convert({"features.0.bias": 1, "pproc.pca_means": 2})) == {"features.0.bias"}
