"""How wide a moving mean suits the errors of curves, from the curves alone.

A curve is taken as signal plus errors. s(k) and e(k) are their autocovariances at lag k. The mean over w snippets then
has the correlation r(w) with the signal in the middle, over k and l in the w snippets:
    r(w)^2 = (mean_k s(k))^2 / (s(0) mean_kl (s(k - l) + e(k - l)))

A model with a branch for each stream has several curves of one signal, with errors of their own: s is the
cross-covariance of two streams, and e what is left of the autocovariance of the streams' mean. So errors may last.

With one curve, errors are taken as independent in each snippet: s(k) is the curve's autocovariance for k > 0, continued
at lag 0 as s(0) = s(1)^2 / s(2), and e(0) is the rest. Errors that last longer look like signal then, so the width is
rather too small than too large.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from clip_ae.proposals.segments import Floats

# Widths to compare, in snippets.
WIDTHS = (1, 3, 5, 7, 9, 13, 17, 25, 33, 49, 65)
# Rounding errors of constant curves are smaller, and curves between 0 and 1 that show anything vary more.
MIN_VARIANCE = 1e-20


def find_smoothing_width(streams: Mapping[str, Sequence[Floats]]) -> int:
    """The width in snippets with the highest correlation; 1 if the curves [T, C] of the videos show no errors.

    `streams` has the curves of the same videos by each stream, or those of the one branch of a model.
    """
    signal, error = _compare_streams(list(streams.values())) if len(streams) > 1 else _split_curve(*streams.values())
    return WIDTHS[int(np.argmax([_correlate_with_signal(width, signal, error) for width in WIDTHS]))]


def compute_covariance(first: Iterable[Floats], second: Iterable[Floats], max_lag: int) -> Floats:
    """Of two curves of each video [T, C], at lags 0 to max_lag in either direction, less the mean of each curve.

    0 where no video is long enough.
    """
    sums, counts = np.zeros(max_lag + 1), np.zeros(max_lag + 1)
    for a, b in zip(first, second, strict=True):
        x, y = a - a.mean(axis=0), b - b.mean(axis=0)
        for lag in range(min(max_lag, len(x) - 1) + 1):
            early, late = slice(len(x) - lag), slice(lag, None)
            sums[lag] += ((x[early] * y[late]).sum() + (y[early] * x[late]).sum()) / 2
            counts[lag] += x[late].size
    return sums / np.maximum(counts, 1)


def _compare_streams(streams: Sequence[Sequence[Floats]]) -> tuple[Floats, Floats]:
    """s and e of the mean of several streams' curves; no signal if the streams do not vary together."""
    pairs = itertools.combinations(streams, 2)
    signal = np.mean([compute_covariance(a, b, max(WIDTHS)) for a, b in pairs], axis=0)
    fused = [np.mean(curves, axis=0) for curves in zip(*streams, strict=True)]
    error = compute_covariance(fused, fused, max(WIDTHS)) - signal
    return signal.clip(min=0) * (signal[0] > 0), error.clip(min=0)


def _split_curve(curves: Sequence[Floats]) -> tuple[Floats, Floats]:
    """s and e of one curve of each video."""
    total = compute_covariance(curves, curves, max(WIDTHS))
    error = np.zeros_like(total)
    error[0] = _error_variance(total)
    return total - error, error


def _error_variance(covariance: Floats) -> float:
    """0 to the whole variance. Without any correlation of neighbours all of it is error."""
    total, first, second = covariance[:3]
    if first <= 0:
        return float(total)
    continued = first**2 / second if second > 0 else total
    return float(max(total - continued, 0.0))


def _correlate_with_signal(width: int, signal: Floats, error: Floats) -> float:
    """r(width), without the constant factor s(0)."""
    offsets = np.arange(width) - width // 2
    covariance = signal[abs(offsets)].mean()
    variance = (signal + error)[abs(offsets[:, None] - offsets)].mean()
    return float(covariance / np.sqrt(variance)) if variance > MIN_VARIANCE else 0.0
