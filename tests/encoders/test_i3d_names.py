"""DeepMind's Flax layout gives the same network as PyTorch's; tensors that do not match are errors."""

import pytest
import torch

from clip_ae.core.config.schema import I3dOptions
from clip_ae.core.errors import RefusedInput
from clip_ae.encoders.networks import i3d
from clip_ae.encoders.networks.state_dict import load_tensors

OPTIONS = I3dOptions(3, 0.125, classes=5)
UNITS = {
    "b0": "Branch_0/Conv3d_0a_1x1",
    "b1a": "Branch_1/Conv3d_0a_1x1",
    "b1b": "Branch_1/Conv3d_0b_3x3",
    "b2a": "Branch_2/Conv3d_0a_1x1",
    "b2b": "Branch_2/Conv3d_0b_3x3",
    "b3b": "Branch_3/Conv3d_0b_1x1",
    "logits": "Logits/Conv3d_0c_1x1",
}


@pytest.fixture
def network():
    """A network whose BatchNorms have shifts but no scales, as DeepMind's."""
    torch.manual_seed(0)
    network = i3d.build(OPTIONS).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.bias.data.normal_()
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return network


def to_flax(network):
    """The state dict in Flax's layout: kernels [D, H, W, in, out], statistics [1, 1, 1, 1, n]."""
    state = {}
    for name, module in network.named_modules():
        unit = "/".join(UNITS.get(part, part) for part in name.split(".")[:-1])
        if isinstance(module, torch.nn.Conv3d):
            state[f"params/{unit}/Conv_0/kernel"] = module.weight.detach().permute(2, 3, 4, 1, 0)
            if module.bias is not None:
                state[f"params/{unit}/Conv_0/bias"] = module.bias.detach()
        if isinstance(module, torch.nn.BatchNorm3d):
            state[f"params/{unit}/BatchNorm_0/bias"] = module.bias.detach()
            state[f"batch_stats/{unit}/BatchNorm_0/mean"] = module.running_mean.view(1, 1, 1, 1, -1)
            state[f"batch_stats/{unit}/BatchNorm_0/var"] = module.running_var.view(1, 1, 1, 1, -1)
    return state


def load_flax(state):
    tensors = {name: tensor.numpy() for name, tensor in i3d.convert_state_dict(state, I3dOptions()).items()}
    return load_tensors(i3d.build(OPTIONS), tensors, "file")


def test_flax_weights_give_the_same_network(network):
    state = to_flax(network)
    assert len(state) == 230
    assert "params/Mixed_4c/Branch_2/Conv3d_0b_3x3/Conv_0/kernel" in state
    x = torch.randn(1, 3, 16, 32, 32)
    assert torch.equal(network(x), load_flax(state)(x))


def test_a_scale_in_the_file_is_used(network):
    network.Mixed_3c.b2a.bn.weight.data.fill_(2.5)
    scale = network.Mixed_3c.b2a.bn.weight.detach()
    other = load_flax(to_flax(network) | {"params/Mixed_3c/Branch_2/Conv3d_0a_1x1/BatchNorm_0/scale": scale})
    x = torch.randn(1, 3, 16, 32, 32)
    assert torch.equal(network(x), other(x))


@pytest.mark.parametrize(
    "name",
    ["params/Mixed_3b/Branch_0/Conv3d_0a_1x1/Conv_1/kernel", "params/Mixed_3d/Branch_0/Conv3d_0a_1x1/Conv_0/bias", "x"],
)
def test_an_unknown_tensor_is_an_error(network, name):
    with pytest.raises(RefusedInput, match=r"file: tensor (params/|x|Mixed_3d).* is none of the configured network's"):
        load_flax(to_flax(network) | {name: torch.zeros(3)})


@pytest.mark.parametrize("leaf", ["Conv_0/kernel", "BatchNorm_0/bias", "BatchNorm_0/mean"])
def test_a_missing_tensor_is_an_error(network, leaf):
    state = to_flax(network)
    for collection in ("params", "batch_stats"):
        state.pop(f"{collection}/Mixed_5c/Branch_3/Conv3d_0b_1x1/{leaf}", None)
    with pytest.raises(RefusedInput, match=r"file: has no tensor Mixed_5c.b3b\."):
        load_flax(state)
