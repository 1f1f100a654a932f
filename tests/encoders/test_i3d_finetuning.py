"""An I3D split into trunk and blocks is the same network, and only the convolutions of the blocks are trained."""

import pytest
import torch

from clip_ae.core.config.feature_adapters import I3dFinetuning
from clip_ae.core.config.schema import I3dOptions
from clip_ae.encoders.networks import i3d
from clip_ae.encoders.networks.i3d_finetuning import TunedBlocks, compute_trunk_shape
from clip_ae.encoders.networks.i3d_inference import inference_network
from clip_ae.encoders.networks.state_dict import load_tensors
from tests.encoders.random_networks import random_i3d

OPTIONS = I3dOptions(3, 0.125, 36, 36, classes=5)
pytestmark = pytest.mark.usefixtures("one_thread")


def build_blocks(tuning):
    network = load_tensors(i3d.build(OPTIONS), random_i3d(OPTIONS).tensors, "file")
    return network, TunedBlocks(network, compute_trunk_shape(OPTIONS, tuning.blocks, 16), tuning)


def random_clips(count=2):
    return torch.rand(count, 3, 16, 36, 36, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("count", range(1, 10))
@torch.inference_mode()
def test_trunk_and_blocks_equal_the_whole_network(count):
    network, blocks = build_blocks(I3dFinetuning(blocks=count))
    fast_network = inference_network(OPTIONS, random_i3d(OPTIONS).tensors, "file")
    trunk = fast_network.forward_trunk(random_clips(), count)
    torch.testing.assert_close(blocks(trunk), network.extract_features(random_clips()), rtol=1e-4, atol=1e-5)
    assert trunk.shape[1] == torch.Size(compute_trunk_shape(OPTIONS, count, 16)).numel()


def test_at_published_size_a_snippet_s_trunk_takes_163_kb_for_two_blocks_and_less_than_its_frames_for_seven():
    def kilobytes(blocks):
        return 2 * torch.Size(compute_trunk_shape(I3dOptions(), blocks, 16)).numel() / 1000

    assert kilobytes(2) == pytest.approx(163, abs=1)
    assert max(kilobytes(n) for n in range(1, 8)) < 16 * 224 * 224 * 3 / 1000


def features_and_gradients(tuning):
    network, blocks = build_blocks(tuning)
    features = blocks(network.forward_trunk(random_clips(3), tuning.blocks).detach())
    (features**2).sum().backward()
    return features.detach(), {name: p.grad for name, p in network.named_parameters() if p.grad is not None}


def test_activation_checkpointing_gives_the_same_gradients():
    features, once = features_and_gradients(I3dFinetuning(blocks=3))
    again, twice = features_and_gradients(I3dFinetuning(blocks=3, activation_checkpointing=True))
    assert torch.equal(features, again)
    assert once.keys() == twice.keys()
    assert all(torch.equal(once[name], twice[name]) for name in once)


def test_only_the_convolutions_of_the_blocks_have_gradients():
    _, grads = features_and_gradients(I3dFinetuning(blocks=2))
    assert {name.split(".")[0] for name in grads} == {"Mixed_5b", "Mixed_5c"}
    assert len(grads) == 12
    assert all(name.endswith("conv3d.weight") for name in grads)


def test_bf16_features_are_close_to_fp32():
    exact, _ = features_and_gradients(I3dFinetuning(blocks=2))
    fast, grads = features_and_gradients(I3dFinetuning(blocks=2, precision="bf16"))
    assert fast.dtype == torch.float32
    assert 0 < float((fast - exact).abs().max()) < 0.05 * float(exact.abs().max())
    assert all(grad.dtype == torch.float32 for grad in grads.values())
