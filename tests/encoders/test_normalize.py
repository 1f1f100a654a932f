"""Network inputs: ranges, order of axes, rounding."""

import numpy as np
import torch

from clip_ae.encoders import normalize

ALL_VALUES = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16, 1).repeat(1, 1, 1, 1, 3)


def test_rgb_range_and_axis_order():
    frames = torch.zeros(2, 5, 4, 7, 3, dtype=torch.uint8)
    frames[1, 3, 2, 6] = torch.tensor([255, 0, 51])
    output = normalize.normalize_rgb(frames)
    assert output.shape == (2, 3, 5, 4, 7)
    np.testing.assert_allclose(output[1, :, 3, 2, 6], (1, -1, -0.6), atol=1e-6)
    assert output[0].unique().tolist() == [-1]
    assert frames[1, 3, 2, 6].tolist() == [255, 0, 51], "the input frames must not change"


def test_rgb_equals_the_published_scaling_for_all_pixel_values():
    expected = np.arange(256) / 255 * 2 - 1
    output = normalize.normalize_rgb(ALL_VALUES)[0, 0].flatten().numpy()
    assert np.abs(output - expected).max() < 1e-7


def test_rgb_in_bf16_is_rounded_once():
    exact = normalize.normalize_rgb(ALL_VALUES)
    assert torch.equal(normalize.normalize_rgb(ALL_VALUES, torch.bfloat16), exact.to(torch.bfloat16))


def test_inputs_are_channels_last_in_memory():
    assert normalize.normalize_rgb(ALL_VALUES.expand(2, 3, -1, -1, -1)).is_contiguous(
        memory_format=torch.channels_last_3d
    )


def test_flow_is_clipped_scaled_and_in_axis_order():
    flow = torch.tensor([-30.0, -20, 5, 40]).view(1, 1, 1, 2, 2)
    output = normalize.normalize_flow(flow, 20)
    assert output.shape == (1, 2, 1, 1, 2)
    assert output[0, 0].flatten().tolist() == [-1, 0.25]
    assert output[0, 1].flatten().tolist() == [-1, 1]
    assert flow.flatten().tolist() == [-30, -20, 5, 40], "the input flow must not change"


def test_clip_input_is_normalised_by_mean_and_std():
    frames = torch.zeros(2, 3, 4, 5, 3, dtype=torch.uint8)
    frames[1, 2, 3, 4] = 128
    mean, std = (0.5, 0.4, 0.3), (0.5, 0.25, 0.1)
    output = normalize.normalize_images(frames, mean, std)
    assert output.shape == (6, 3, 4, 5)
    np.testing.assert_allclose(output[5, :, 3, 4], (128 / 255 - np.array(mean)) / std, atol=1e-6)
    np.testing.assert_allclose(output[0, :, 3, 4], -np.array(mean) / std, atol=1e-6)
