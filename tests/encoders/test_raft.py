"""RAFT of any size: shapes, neighbours, and torchvision's own numbers."""

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
    return NetworkWeights({"raft": to_plain_data(OPTIONS), "name": "some_raft"}, get_tensors(raft.build(OPTIONS)))


def frames(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (*shape, 3), dtype=torch.uint8, generator=generator)


@torch.inference_mode()
def test_torchvision_s_own_numbers_where_nothing_is_padded(network):
    direct = load_tensors(torchvision.models.optical_flow.raft_small(weights=None), network.tensors, "there")
    pictures = frames(1, 3, 128, 136)
    transforms = torchvision.models.optical_flow.Raft_Small_Weights.DEFAULT.transforms()
    first, second = transforms(pictures[0, :2].permute(0, 3, 1, 2), pictures[0, 1:].permute(0, 3, 1, 2))
    wanted = direct(first, second)[-1].permute(0, 2, 3, 1)
    found = flow.build("cpu", network)(pictures)
    assert found.shape == (1, 2, 128, 136, 2)
    assert wanted.abs().max() > 0.01
    torch.testing.assert_close(found[0], wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [(40, 53), (131, 129), (30, 150)])
@torch.inference_mode()
def test_any_size_is_drawn_out_at_its_edges_and_cut_back(network, size):
    height, width = size
    pictures = frames(1, 2, *size)
    found = flow.build("cpu", network)(pictures)
    assert found.shape == (1, 1, height, width, 2)
    full = [max(-(-side // 8) * 8, 128) for side in size]
    top, left = ((f - side) // 2 for f, side in zip(full, size, strict=True))
    rows = (torch.arange(full[0]) - top).clamp(0, height - 1)
    columns = (torch.arange(full[1]) - left).clamp(0, width - 1)
    whole = flow.build("cpu", network)(pictures[:, :, rows][:, :, :, columns])
    torch.testing.assert_close(found, whole[:, :, top : top + height, left : left + width], rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_neighbours_do_not_change_a_pair(network):
    one, two = frames(1, 2, 128, 128), frames(1, 2, 128, 128, seed=1)
    of = flow.build("cpu", network)
    torch.testing.assert_close(of(torch.cat([two, one]))[1:], of(one), rtol=0, atol=1e-4)
    assert (of(one) - of(two)).abs().max() > 1e-2


def test_weights_of_another_raft_are_refused_by_name(network):
    with pytest.raises(RefusedInput, match=r"^some_raft: "):
        flow.build("cpu", NetworkWeights(network.metadata | {"raft": {"size": "large"}}, network.tensors))
