import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clip_ae.proposals.moving_mean import moving_mean

CURVES = arrays(np.float64, st.tuples(st.integers(1, 30), st.integers(1, 3)), elements=st.floats(0, 1))


@given(CURVES, st.floats(0, 80))
def test_the_mean_equals_its_definition(curves, width):
    """Each snippet is an interval of length 1; a window covers `width` around the snippet's middle."""
    smooth = moving_mean(curves, width)
    half = max(width, 1) / 2
    for t in range(len(curves)):
        edges = np.arange(len(curves) + 1) - t - 0.5
        overlap = np.clip(np.minimum(edges[1:], half) - np.maximum(edges[:-1], -half), 0, None)
        np.testing.assert_allclose(smooth[t], overlap @ curves / overlap.sum(), atol=1e-9)


@given(CURVES, st.floats(0, 80))
def test_a_class_does_not_change_the_curve_of_another(curves, width):
    alone = moving_mean(curves[:, 0], width)
    np.testing.assert_allclose(moving_mean(curves, width)[:, 0], alone, atol=1e-12)


@pytest.mark.parametrize("width", [0, 0.5, 1])
def test_windows_up_to_a_snippet_change_nothing(width):
    curve = np.array([0.0, 1.0, 0.0])
    assert moving_mean(curve, width) is curve


def test_a_window_longer_than_the_video_makes_the_curve_constant():
    np.testing.assert_allclose(moving_mean(np.array([0.0, 0.0, 0.9]), 100), 0.3)
