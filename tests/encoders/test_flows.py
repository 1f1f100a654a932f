"""All flow algorithms through their common interface: exact shifts, from each frame to the next, for any batch."""

import cv2
import numpy as np
import pytest
import torch

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.registry import FLOW_ALGORITHMS, load_module
from clip_ae.core.config.schema import RaftOptions
from clip_ae.core.types import NetworkWeights
from clip_ae.encoders.networks import raft
from clip_ae.encoders.networks.state_dict import get_tensors

ALGORITHMS = sorted(FLOW_ALGORITHMS)
# RAFT needs published weights, which are not available here; test_raft.py tests it with random ones.
EXACT = [name for name in ALGORITHMS if name != "raft"]


def build_flow(name: str):
    networks = []
    if name == "raft":
        torch.manual_seed(0)
        options = RaftOptions("small")
        networks = [NetworkWeights({"raft": to_plain_data(options)}, get_tensors(raft.build(options)))]
    return load_module(FLOW_ALGORITHMS[name]).build("cpu", *networks)


def texture(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(96, 120))
    smooth = cv2.GaussianBlur(noise, (0, 0), 2)
    return np.uint8(255 * (smooth - smooth.min()) / np.ptp(smooth))


def video(*positions: tuple[int, int], seed: int = 0) -> torch.Tensor:
    """Frames uint8 [n, 64, 85, 3] of a grey texture, shifted to each position."""
    frames = [texture(seed)[16 - y : 80 - y, 16 - x : 101 - x] for x, y in positions]
    return torch.from_numpy(np.repeat(np.stack(frames)[..., None], 3, axis=-1))


@pytest.mark.parametrize("name", EXACT)
@torch.inference_mode()
def test_exact_shifts_from_each_frame_to_the_next(name):
    """Flow is (x, y) from each frame to the next, for each video of the batch."""
    flow = build_flow(name)(torch.stack([video((0, 0), (1, 0), (1, -2)), video((3, 2), (3, 2), (0, 0), seed=1)]))
    assert flow.shape == (2, 2, 64, 85, 2)
    assert flow.dtype == torch.float32
    inside = flow[:, :, 8:-8, 8:-8]
    expected = torch.tensor([[[1.0, 0], [0, -2]], [[0, 0], [-3, -2]]])
    torch.testing.assert_close(inside.flatten(2, 3).median(dim=2).values, expected, rtol=0, atol=0.05)
    assert (inside - expected[:, :, None, None]).abs().mean(dim=(2, 3, 4)).max() < 0.1


@pytest.mark.parametrize("name", ALGORITHMS)
@torch.inference_mode()
def test_flow_does_not_depend_on_earlier_calls_or_the_batch(name):
    """Earlier calls do not change it; other videos of the batch may change the last bits of a sum."""
    flow = build_flow(name)
    window = video((0, 0), (2, 1), (4, 3))[None]
    once = flow(window)
    in_batch = flow(torch.cat([video((3, 0), (0, 0), (3, 0), seed=5)[None], window]))
    assert torch.equal(flow(window), once)
    torch.testing.assert_close(in_batch[1:], once, rtol=0, atol=1e-4)
    assert once.shape == (1, 2, 64, 85, 2)


@pytest.mark.parametrize("name", EXACT)
@torch.inference_mode()
def test_colours_are_converted_to_luma(name):
    frames = video((0, 0), (2, 0))[None]
    coloured = torch.stack([frames[..., 0], 255 - frames[..., 1], frames[..., 2] // 2], dim=-1)
    luma = (coloured.float() @ torch.tensor([0.299, 0.587, 0.114])).round().to(torch.uint8)
    grey = luma[..., None].expand_as(coloured).contiguous()
    flow = build_flow(name)
    torch.testing.assert_close(flow(coloured), flow(grey), rtol=0, atol=1e-4)
