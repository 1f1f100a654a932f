"""What training varies is what extraction could have seen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clip_ae.encoders.log_mel import compute_log_mel
from clip_ae.encoders.pretraining import augment


class Coin:
    """An rng whose every flip comes up the same."""

    def __init__(self, side: float) -> None:
        self.side = side

    def random(self) -> float:
        return self.side

    def uniform(self, low: float, high: float) -> float:
        return low + self.side * (high - low)


def test_a_flow_backwards_undoes_the_flow():
    """A point carried along all flows and then along the reversed ones is back where it was."""
    steps = np.random.default_rng(0).normal(size=(16, 1, 1, 2))
    back = augment.random_reverse_flow(steps, Coin(0.0))
    assert np.allclose(np.cumsum(np.concatenate([steps, back]), axis=0)[-1], 0)
    assert np.array_equal(back[0], -steps[-1])
    assert augment.random_reverse_flow(steps, Coin(0.9)) is steps


@given(st.floats(0, 1), st.integers(0, 99))
def test_gain_on_the_patch_is_gain_on_the_wave(side, seed):
    wave = np.random.default_rng(seed).normal(0, 0.1, 15360).astype(np.float32)
    gain = np.float32(Coin(side).uniform(0.4, 1.6))
    assert augment.random_gain(compute_log_mel(wave), Coin(side)) == pytest.approx(
        compute_log_mel(gain * wave), abs=1e-3
    )


@given(st.integers(0, 999), st.integers(0, 30), st.integers(0, 30))
def test_crops_stay_inside_and_near_the_middle(seed, more_height, more_width):
    size = 8
    rows, columns = np.mgrid[: size + more_height, : size + more_width]
    frames = np.stack([rows, columns], axis=-1)[None]
    crop = augment.random_crop(frames, size, np.random.default_rng(seed))
    assert crop.shape == (1, size, size, 2)
    for first, slack in zip(crop[0, 0, 0], (more_height, more_width), strict=True):
        assert abs(first - slack // 2) <= augment.MAX_CROP_SHIFT
