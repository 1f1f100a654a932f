"""Crops, value ranges and the choice of frames."""

import numpy as np
import pytest

from clip_ae.encoders import pixels


def test_centre_crop():
    frames = np.arange(6 * 9).reshape(1, 6, 9, 1)
    assert pixels.centre_crop(frames, 4)[0, :, :, 0].tolist() == frames[0, 1:5, 2:6, 0].tolist()
    with pytest.raises(ValueError, match="6x9 are smaller"):
        pixels.centre_crop(frames, 7)


def test_rgb_range_and_order():
    frames = np.zeros((5, 2, 2, 3), np.uint8)
    frames[3, 0, 1] = (255, 0, 51)
    found = pixels.rgb_input(frames)
    assert found.shape == (3, 5, 2, 2)
    np.testing.assert_allclose(found[:, 3, 0, 1], (1, -1, -0.6), atol=1e-6)


def test_flow_is_clipped_and_scaled():
    flow = np.float32([-30, -20, 5, 40]).reshape(1, 1, 2, 2)
    assert pixels.flow_input(flow, 20).transpose(1, 2, 3, 0).ravel().tolist() == [-1, -1, 0.25, 1]


def test_clip_normalisation():
    frames = np.full((1, 2, 2, 3), 128, np.uint8)
    found = pixels.clip_input(frames, (0.5, 0.4, 0.3), (0.5, 0.25, 0.1))
    np.testing.assert_allclose(found[0, :, 0, 0], (128 / 255 - np.array([0.5, 0.4, 0.3])) / [0.5, 0.25, 0.1], atol=1e-6)


@pytest.mark.parametrize(("count", "chosen"), [(4, [2, 6, 10, 14]), (1, [8]), (2, [4, 12]), (16, list(range(16)))])
def test_evenly_placed(count, chosen):
    assert pixels.evenly_placed(np.arange(16), count).tolist() == chosen


def test_grey_is_luma():
    assert pixels.grey(np.uint8([[[[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]]]])).ravel().tolist() == [
        76,
        150,
        29,
        9,
    ]
