"""Flow finds an exact shift, the same whatever was computed before."""

import cv2
import numpy as np
import pytest

from clip_ae.core.tables import FLOWS, load
from clip_ae.encoders.pixels import flow_between

ALGORITHMS = sorted(FLOWS)


def texture(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(96, 120))
    smooth = cv2.GaussianBlur(noise, (0, 0), 2)
    return np.uint8(255 * (smooth - smooth.min()) / np.ptp(smooth))


def shifted(x: int, y: int, seed: int = 0) -> np.ndarray:
    return texture(seed)[16 - y : 80 - y, 16 - x : 101 - x]


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize(("x", "y"), [(0, 0), (1, 0), (0, -2), (3, 2)])
def test_an_exact_shift(name, x, y):
    flow = load(FLOWS[name]).flow(shifted(0, 0), shifted(x, y))
    assert flow.shape == (64, 85, 2)
    assert flow.dtype == np.float32
    inside = flow[8:-8, 8:-8]
    np.testing.assert_allclose(np.median(inside, axis=(0, 1)), (x, y), atol=0.05)
    assert np.abs(inside - (x, y)).mean() < 0.1


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_pair_has_one_flow(name):
    flow = load(FLOWS[name]).flow
    once = flow(shifted(0, 0), shifted(2, 1))
    flow(shifted(0, 0, 5), shifted(-3, 0, 5))
    assert flow(shifted(0, 0), shifted(2, 1)).tobytes() == once.tobytes()


def test_flow_runs_from_each_frame_to_its_next():
    frames = np.stack([np.repeat(shifted(x, 0)[..., None], 3, axis=-1) for x in (0, 1, 3)])
    found = flow_between(frames, load(FLOWS["dis"]).flow)
    np.testing.assert_allclose(np.median(found[..., 0], axis=(1, 2)), (1, 2), atol=0.05)
