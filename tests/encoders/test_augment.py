"""Augmentation keeps clips such as extraction could read."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clip_ae.encoders.log_mel import compute_log_mel
from clip_ae.encoders.pretraining import augment


class FixedRng:
    """A generator that draws the same value each time, as a share of the range."""

    def __init__(self, value: float) -> None:
        self.value = value

    def random(self) -> float:
        return self.value

    def uniform(self, low: float, high: float) -> float:
        return low + self.value * (high - low)


def test_a_reversed_flow_cancels_the_flow():
    """A point that follows all flows and then the reversed ones returns to its start."""
    steps = np.random.default_rng(0).normal(size=(16, 1, 1, 2))
    reversed_steps = augment.random_reverse_flow(steps, FixedRng(0.0))
    assert np.allclose(np.cumsum(np.concatenate([steps, reversed_steps]), axis=0)[-1], 0)
    assert np.array_equal(reversed_steps[0], -steps[-1])
    assert augment.random_reverse_flow(steps, FixedRng(0.9)) is steps


@given(st.floats(0, 1), st.integers(0, 99))
def test_a_gain_on_the_patch_equals_a_gain_on_the_wave(value, seed):
    wave = np.random.default_rng(seed).normal(0, 0.1, 15360).astype(np.float32)
    gain = np.float32(FixedRng(value).uniform(0.4, 1.6))
    assert augment.random_gain(compute_log_mel(wave), FixedRng(value)) == pytest.approx(
        compute_log_mel(gain * wave), abs=1e-3
    )


@given(st.integers(0, 999), st.integers(0, 30), st.integers(0, 30))
def test_crops_stay_inside_the_frame_and_near_its_centre(seed, more_height, more_width):
    size = 8
    rows, columns = np.mgrid[: size + more_height, : size + more_width]
    frames = np.stack([rows, columns], axis=-1)[None]
    crop = augment.random_crop(frames, size, np.random.default_rng(seed))
    assert crop.shape == (1, size, size, 2)
    for first, slack in zip(crop[0, 0, 0], (more_height, more_width), strict=True):
        assert abs(first - slack // 2) <= augment.MAX_CROP_SHIFT
