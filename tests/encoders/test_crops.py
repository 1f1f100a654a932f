"""Crops and the choice of frames."""

import numpy as np
import pytest
import torch

from clip_ae.encoders import crops


@pytest.mark.parametrize("make", [np.asarray, torch.from_numpy])
def test_centre_crop(make):
    frames = np.arange(6 * 9).reshape(1, 6, 9, 1)
    assert crops.centre_crop(make(frames), 4)[0, :, :, 0].tolist() == frames[0, 1:5, 2:6, 0].tolist()
    with pytest.raises(ValueError, match="6x9 are smaller"):
        crops.centre_crop(make(frames), 7)


@pytest.mark.parametrize(("count", "chosen"), [(4, [2, 6, 10, 14]), (1, [8]), (2, [4, 12]), (16, list(range(16)))])
def test_evenly_placed(count, chosen):
    assert crops.sample_frames(np.arange(16), count).tolist() == chosen


def test_grey_is_luma():
    colours = np.uint8([[[[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]]]])
    assert crops.convert_to_grey(colours).ravel().tolist() == [76, 150, 29, 9]
