"""The width of the moving mean on generated curves whose best width is known."""

import numpy as np
import pytest

from clip_ae.proposals.moving_mean import moving_mean
from clip_ae.proposals.smoothing_width import WIDTHS, compute_covariance, find_smoothing_width


def draw_signals(rng, mean_length=20, num_videos=40, num_snippets=400):
    """Curves that are 0 or 1; in every snippet the value may change, so lengths have a geometric distribution."""
    return [
        (np.cumsum(rng.random((num_snippets, 1)) < 1 / mean_length, axis=0) % 2).astype(float)
        for _ in range(num_videos)
    ]


def find_width(*streams):
    return find_smoothing_width({str(n): curves for n, curves in enumerate(streams)})


def correlate(curves, signals, width):
    """Correlation of smoothed curves with their signals."""
    smooth = np.concatenate([moving_mean(c - c.mean(), width) for c in curves])
    return np.corrcoef(smooth[:, 0], np.concatenate([s - s.mean() for s in signals])[:, 0])[0, 1]


def with_lasting_errors(signals, rng, sd, mean_length=6):
    """Errors that change slowly: a first-order autoregression."""
    keep, curves = 1 - 1 / mean_length, []
    for signal in signals:
        errors = rng.normal(size=signal.shape)
        for t in range(1, len(errors)):
            errors[t] = keep * errors[t - 1] + np.sqrt(1 - keep**2) * errors[t]
        curves.append(signal + sd * errors)
    return curves


def with_errors(signals, rng, sd):
    return [s + sd * rng.normal(size=s.shape) for s in signals]


@pytest.mark.parametrize("mean_length", [5, 20, 60])
def test_curves_without_errors_are_not_smoothed(mean_length):
    signals = draw_signals(np.random.default_rng(0), mean_length)
    assert find_width(signals) == find_width(signals, signals) == 1


@pytest.mark.parametrize("sd", [0.3, 1.0, 2.0])
@pytest.mark.parametrize("mean_length", [6, 20, 60])
def test_the_width_is_nearly_as_good_as_the_best_one(mean_length, sd):
    rng = np.random.default_rng(1)
    signals = draw_signals(rng, mean_length)
    curves = with_errors(signals, rng, sd)

    best = max(correlate(curves, signals, width) for width in WIDTHS)
    assert correlate(curves, signals, find_width(curves)) > best - 0.02


@pytest.mark.parametrize("sd", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("mean_length", [20, 60])
def test_two_streams_show_errors_that_last(mean_length, sd):
    rng = np.random.default_rng(5)
    signals = draw_signals(rng, mean_length)
    first, second = (with_lasting_errors(signals, rng, sd) for _ in range(2))
    fused = [(a + b) / 2 for a, b in zip(first, second, strict=True)]
    best = max(correlate(fused, signals, width) for width in WIDTHS)
    assert correlate(fused, signals, find_width(first, second)) > best - 0.02
    # One curve alone cannot tell them from signal.
    assert find_width(fused) == 1


def test_three_streams_need_less_than_two():
    """The mean of more streams has smaller errors."""
    rng = np.random.default_rng(6)
    signals = draw_signals(rng, 60)
    streams = [with_lasting_errors(signals, rng, 2.0) for _ in range(3)]
    assert 1 < find_width(*streams) <= find_width(*streams[:2])


def test_streams_that_vary_against_each_other_are_not_smoothed():
    curves = with_errors([np.zeros((400, 1))] * 40, np.random.default_rng(7), 1.0)
    assert find_width(curves, [-c for c in curves]) == 1


def test_more_errors_need_a_wider_window():
    rng = np.random.default_rng(2)
    signals = draw_signals(rng)
    widths = [find_width(with_errors(signals, rng, sd)) for sd in (0.0, 0.3, 1.0, 3.0)]
    assert widths == sorted(widths)
    assert widths[0] < widths[-1]


def test_the_scale_of_curves_does_not_matter():
    rng = np.random.default_rng(3)
    curves = with_errors(draw_signals(rng), rng, 0.5)
    assert find_width([1e-4 * c + 0.7 for c in curves]) == find_width(curves) > 1


@pytest.mark.parametrize(
    "curves",
    [np.zeros((50, 2)), np.full((50, 1), 0.4), np.ones((1, 1)), np.array([[0.1], [0.9]])],
    ids=["zeros", "constant", "one snippet", "two snippets"],
)
def test_curves_without_variation_or_length_are_not_smoothed(curves):
    assert find_width([curves]) == find_width([curves], [curves]) == 1


def test_covariance_equals_its_definition():
    rng = np.random.default_rng(4)
    firsts, seconds = ([rng.random((2, 1)), rng.random((6, 2))] for _ in range(2))
    for lag, found in enumerate(compute_covariance(firsts, seconds, 7)):
        products = [
            (one[t, k] - one[:, k].mean()) * (other[t + lag, k] - other[:, k].mean())
            for a, b in zip(firsts, seconds, strict=True)
            for one, other in ((a, b), (b, a))
            for k in range(a.shape[1])
            for t in range(len(a) - lag)
        ]
        np.testing.assert_allclose(found, np.mean(products) if products else 0.0, atol=1e-15)
