"""RAFT flow: frames of any size, independence of the batch, and the same numbers as torchvision."""

import pytest
import torch
import torchvision

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.schema import RaftOptions
from clip_ae.core.errors import RefusedInput
from clip_ae.core.types import NetworkWeights
from clip_ae.encoders.flows import raft as flow
from clip_ae.encoders.networks import raft
from clip_ae.encoders.networks.state_dict import get_tensors, load_tensors

OPTIONS = RaftOptions("small")


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return NetworkWeights({"raft": to_plain_data(OPTIONS), "name": "raft_weights"}, get_tensors(raft.build(OPTIONS)))


def frames(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (*shape, 3), dtype=torch.uint8, generator=generator)


@torch.inference_mode()
def test_flow_without_padding_equals_torchvision_s(network):
    direct = load_tensors(torchvision.models.optical_flow.raft_small(weights=None), network.tensors, "file")
    pictures = frames(1, 3, 128, 136)
    transforms = torchvision.models.optical_flow.Raft_Small_Weights.DEFAULT.transforms()
    first, second = transforms(pictures[0, :2].permute(0, 3, 1, 2), pictures[0, 1:].permute(0, 3, 1, 2))
    expected = direct(first, second)[-1].permute(0, 2, 3, 1)
    pair_flow = flow.build("cpu", network)(pictures)
    assert pair_flow.shape == (1, 2, 128, 136, 2)
    assert expected.abs().max() > 0.01
    torch.testing.assert_close(pair_flow[0], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [(40, 53), (131, 129), (30, 150)])
@torch.inference_mode()
def test_frames_of_any_size_are_padded_by_repeated_edges_and_flow_is_cropped(network, size):
    height, width = size
    pictures = frames(1, 2, *size)
    pair_flow = flow.build("cpu", network)(pictures)
    assert pair_flow.shape == (1, 1, height, width, 2)
    padded_size = [max(-(-side // 8) * 8, 128) for side in size]
    top, left = ((f - side) // 2 for f, side in zip(padded_size, size, strict=True))
    rows = (torch.arange(padded_size[0]) - top).clamp(0, height - 1)
    columns = (torch.arange(padded_size[1]) - left).clamp(0, width - 1)
    padded_flow = flow.build("cpu", network)(pictures[:, :, rows][:, :, :, columns])
    torch.testing.assert_close(
        pair_flow, padded_flow[:, :, top : top + height, left : left + width], rtol=1e-4, atol=1e-4
    )


@torch.inference_mode()
def test_flow_of_a_pair_does_not_depend_on_the_batch(network):
    one, two = frames(1, 2, 128, 128), frames(1, 2, 128, 128, seed=1)
    compute_flow = flow.build("cpu", network)
    torch.testing.assert_close(compute_flow(torch.cat([two, one]))[1:], compute_flow(one), rtol=0, atol=1e-4)
    assert (compute_flow(one) - compute_flow(two)).abs().max() > 1e-2


def test_weights_of_another_raft_are_an_error_with_the_weights_name(network):
    with pytest.raises(RefusedInput, match=r"^raft_weights: "):
        flow.build("cpu", NetworkWeights(network.metadata | {"raft": {"size": "large"}}, network.tensors))
