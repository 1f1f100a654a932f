"""The width of the moving mean on generated curves whose best width is known."""

import numpy as np
import pytest

from clip_ae.proposals.moving_mean import moving_mean
from clip_ae.proposals.smoothing_width import WIDTHS, compute_autocovariance, find_smoothing_width


def draw_signals(rng, mean_length=20, num_videos=40, num_snippets=400):
    """Curves that are 0 or 1; in every snippet the value may change, so lengths have a geometric distribution."""
    return [
        (np.cumsum(rng.random((num_snippets, 1)) < 1 / mean_length, axis=0) % 2).astype(float)
        for _ in range(num_videos)
    ]


def with_errors(signals, rng, sd):
    return [s + sd * rng.normal(size=s.shape) for s in signals]


@pytest.mark.parametrize("mean_length", [5, 20, 60])
def test_curves_without_errors_are_not_smoothed(mean_length):
    assert find_smoothing_width(draw_signals(np.random.default_rng(0), mean_length)) == 1


@pytest.mark.parametrize("sd", [0.3, 1.0, 2.0])
@pytest.mark.parametrize("mean_length", [6, 20, 60])
def test_the_width_is_nearly_as_good_as_the_best_one(mean_length, sd):
    rng = np.random.default_rng(1)
    signals = draw_signals(rng, mean_length)
    curves = with_errors(signals, rng, sd)

    def correlate(width):
        smooth = np.concatenate([moving_mean(c - c.mean(), width) for c in curves])
        return np.corrcoef(smooth[:, 0], np.concatenate([s - s.mean() for s in signals])[:, 0])[0, 1]

    assert correlate(find_smoothing_width(curves)) > max(map(correlate, WIDTHS)) - 0.02


def test_more_errors_need_a_wider_window():
    rng = np.random.default_rng(2)
    signals = draw_signals(rng)
    widths = [find_smoothing_width(with_errors(signals, rng, sd)) for sd in (0.0, 0.3, 1.0, 3.0)]
    assert widths == sorted(widths)
    assert widths[0] < widths[-1]


def test_the_scale_of_curves_does_not_matter():
    rng = np.random.default_rng(3)
    curves = with_errors(draw_signals(rng), rng, 0.5)
    assert find_smoothing_width([1e-4 * c + 0.7 for c in curves]) == find_smoothing_width(curves) > 1


@pytest.mark.parametrize(
    "curves",
    [np.zeros((50, 2)), np.full((50, 1), 0.4), np.ones((1, 1)), np.array([[0.1], [0.9]])],
    ids=["zeros", "constant", "one snippet", "two snippets"],
)
def test_curves_without_variation_or_length_are_not_smoothed(curves):
    assert find_smoothing_width([curves]) == 1


def test_autocovariance_equals_its_definition():
    rng = np.random.default_rng(4)
    short, long = rng.random((2, 1)), rng.random((6, 2))
    for lag, found in enumerate(compute_autocovariance([short, long], 7)):
        products = [
            (c[t, k] - c[:, k].mean()) * (c[t + lag, k] - c[:, k].mean())
            for c in (short, long)
            for k in range(c.shape[1])
            for t in range(len(c) - lag)
        ]
        np.testing.assert_allclose(found, np.mean(products) if products else 0.0)
