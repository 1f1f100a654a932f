"""An I3D cut in two is the same network, and of its blocks only the convolutions learn."""

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


def blocks_of(tuning):
    network = load_tensors(i3d.build(OPTIONS), random_i3d(OPTIONS).tensors, "there")
    return network, TunedBlocks(network, compute_trunk_shape(OPTIONS, tuning.blocks, 16), tuning)


def clips(count=2):
    return torch.rand(count, 3, 16, 36, 36, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("count", range(1, 10))
@torch.inference_mode()
def test_what_was_kept_and_the_blocks_after_it_are_the_whole_network(count):
    network, blocks = blocks_of(I3dFinetuning(blocks=count))
    quick = inference_network(OPTIONS, random_i3d(OPTIONS).tensors, "there")
    kept = quick.forward_trunk(clips(), count)
    torch.testing.assert_close(blocks(kept), network.extract_features(clips()), rtol=1e-4, atol=1e-5)
    assert kept.shape[1] == torch.Size(compute_trunk_shape(OPTIONS, count, 16)).numel()


def test_at_published_size_a_snippet_takes_160_kb_for_two_blocks_and_less_than_its_frames_for_seven():
    def kilobytes(blocks):
        return 2 * torch.Size(compute_trunk_shape(I3dOptions(), blocks, 16)).numel() / 1000

    assert kilobytes(2) == pytest.approx(163, abs=1)
    assert max(kilobytes(n) for n in range(1, 8)) < 16 * 224 * 224 * 3 / 1000


def gradients(tuning):
    network, blocks = blocks_of(tuning)
    features = blocks(network.forward_trunk(clips(3), tuning.blocks).detach())
    (features**2).sum().backward()
    return features.detach(), {name: p.grad for name, p in network.named_parameters() if p.grad is not None}


def test_working_twice_gives_the_same_gradients():
    features, once = gradients(I3dFinetuning(blocks=3))
    again, twice = gradients(I3dFinetuning(blocks=3, activation_checkpointing=True))
    assert torch.equal(features, again)
    assert once.keys() == twice.keys()
    assert all(torch.equal(once[name], twice[name]) for name in once)


def test_only_the_convolutions_of_the_blocks_learn():
    _, found = gradients(I3dFinetuning(blocks=2))
    assert {name.split(".")[0] for name in found} == {"Mixed_5b", "Mixed_5c"}
    assert len(found) == 12
    assert all(name.endswith("conv3d.weight") for name in found)


def test_bf16_is_near():
    exact, _ = gradients(I3dFinetuning(blocks=2))
    fast, found = gradients(I3dFinetuning(blocks=2, precision="bf16"))
    assert fast.dtype == torch.float32
    assert 0 < float((fast - exact).abs().max()) < 0.05 * float(exact.abs().max())
    assert all(grad.dtype == torch.float32 for grad in found.values())
