"""What networks read: ranges, order of axes, rounding."""

import numpy as np
import torch

from clip_ae.encoders import normalize

EVERY = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16, 1).repeat(1, 1, 1, 1, 3)


def test_rgb_range_and_order():
    frames = torch.zeros(2, 5, 4, 7, 3, dtype=torch.uint8)
    frames[1, 3, 2, 6] = torch.tensor([255, 0, 51])
    found = normalize.normalize_rgb(frames)
    assert found.shape == (2, 3, 5, 4, 7)
    np.testing.assert_allclose(found[1, :, 3, 2, 6], (1, -1, -0.6), atol=1e-6)
    assert found[0].unique().tolist() == [-1]
    assert frames[1, 3, 2, 6].tolist() == [255, 0, 51], "the frames are no scratch paper"


def test_rgb_is_the_published_recipe_for_every_pixel():
    wanted = np.arange(256) / 255 * 2 - 1
    found = normalize.normalize_rgb(EVERY)[0, 0].flatten().numpy()
    assert np.abs(found - wanted).max() < 1e-7


def test_rgb_in_bf16_is_rounded_once():
    exact = normalize.normalize_rgb(EVERY)
    assert torch.equal(normalize.normalize_rgb(EVERY, torch.bfloat16), exact.to(torch.bfloat16))


def test_networks_find_their_channels_last_in_memory():
    assert normalize.normalize_rgb(EVERY.expand(2, 3, -1, -1, -1)).is_contiguous(memory_format=torch.channels_last_3d)


def test_flow_is_clipped_scaled_and_ordered():
    flow = torch.tensor([-30.0, -20, 5, 40]).view(1, 1, 1, 2, 2)
    found = normalize.normalize_flow(flow, 20)
    assert found.shape == (1, 2, 1, 1, 2)
    assert found[0, 0].flatten().tolist() == [-1, 0.25]
    assert found[0, 1].flatten().tolist() == [-1, 1]
    assert flow.flatten().tolist() == [-30, -20, 5, 40], "the flow is no scratch paper"


def test_clip_normalisation():
    frames = torch.zeros(2, 3, 4, 5, 3, dtype=torch.uint8)
    frames[1, 2, 3, 4] = 128
    mean, std = (0.5, 0.4, 0.3), (0.5, 0.25, 0.1)
    found = normalize.normalize_clip(frames, mean, std)
    assert found.shape == (6, 3, 4, 5)
    np.testing.assert_allclose(found[5, :, 3, 4], (128 / 255 - np.array(mean)) / std, atol=1e-6)
    np.testing.assert_allclose(found[0, :, 3, 4], -np.array(mean) / std, atol=1e-6)
