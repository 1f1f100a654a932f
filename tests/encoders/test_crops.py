"""Crops and grey."""

import numpy as np
import pytest
import torch
from torchvision.transforms.functional import center_crop

from clip_ae.encoders import crops


@pytest.mark.parametrize("convert", [np.asarray, torch.from_numpy])
def test_centre_crop(convert):
    frames = np.arange(6 * 9).reshape(1, 6, 9, 1)
    assert crops.centre_crop(convert(frames), 4)[0, :, :, 0].tolist() == frames[0, 1:5, 2:6, 0].tolist()
    with pytest.raises(ValueError, match="6x9 are smaller"):
        crops.centre_crop(convert(frames), 7)


def test_grey_is_bt601_luma():
    colours = np.uint8([[[[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]]]])
    assert crops.convert_to_grey(colours).ravel().tolist() == [76, 150, 29, 9]


@pytest.mark.parametrize("size", [(8, 8), (8, 13), (9, 16), (11, 11), (13, 8)])
def test_the_rounded_centre_crop_is_that_of_torchvision(size):
    """A half pixel is rounded to the even neighbour."""
    frames = np.random.default_rng(0).integers(0, 256, (2, *size, 3), np.uint8)
    for crop in range(1, min(size) + 1):
        expected = center_crop(torch.from_numpy(frames).permute(0, 3, 1, 2), [crop]).permute(0, 2, 3, 1)
        assert np.array_equal(crops.centre_crop_rounded(frames, crop), expected)
    with pytest.raises(ValueError, match="are smaller than the crop of 99"):
        crops.centre_crop_rounded(frames, 99)
