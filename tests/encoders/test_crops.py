"""Crops and grey."""

import numpy as np
import pytest
import torch

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
