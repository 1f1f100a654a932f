"""How wide a moving mean suits the errors of curves, from the curves alone.

A curve is taken as signal plus errors that are independent in each snippet. The signal's autocovariance s(k) is that
of the curve for lags k > 0; at lag 0 it is continued: s(0) = s(1)^2 / s(2). The rest of the curve's variance is the
variance e of the errors. The mean over w snippets then has the correlation r(w) with the signal in the middle:
    r(w)^2 = (mean_k s(k))^2 / (s(0) (mean_kl s(k - l) + e / w)),   k and l over the w snippets.
Errors that last longer than one snippet look like signal, so the width is rather too small than too large.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from clip_ae.proposals.segments import Floats

# Widths to compare, in snippets.
WIDTHS = (1, 3, 5, 7, 9, 13, 17, 25, 33, 49, 65)
# Rounding errors of constant curves are smaller, and curves between 0 and 1 that show anything vary more.
MIN_VARIANCE = 1e-20


def find_smoothing_width(curves: Sequence[Floats]) -> int:
    """The width in snippets with the highest correlation; 1 if the curves [T, C] show no errors."""
    covariance = compute_autocovariance(curves, max(WIDTHS))
    if covariance[0] < MIN_VARIANCE:
        return 1
    error = _error_variance(covariance)
    signal = np.concatenate([[covariance[0] - error], covariance[1:]])
    return WIDTHS[int(np.argmax([_correlate_with_signal(width, signal, error) for width in WIDTHS]))]


def compute_autocovariance(curves: Iterable[Floats], max_lag: int) -> Floats:
    """Of lags 0 to max_lag, over all curves [T, C], less the mean of each curve; 0 where no video is long enough."""
    sums, counts = np.zeros(max_lag + 1), np.zeros(max_lag + 1)
    for values in curves:
        centred = values - values.mean(axis=0)
        for lag in range(min(max_lag, len(values) - 1) + 1):
            product = centred[: len(values) - lag] * centred[lag:]
            sums[lag] += product.sum()
            counts[lag] += product.size
    return sums / np.maximum(counts, 1)


def _error_variance(covariance: Floats) -> float:
    """0 to the whole variance. Without any correlation of neighbours all of it is error."""
    total, first, second = covariance[:3]
    if first <= 0:
        return float(total)
    continued = first**2 / second if second > 0 else total
    return float(max(total - continued, 0.0))


def _correlate_with_signal(width: int, signal: Floats, error: float) -> float:
    """r(width), without the constant factor s(0)."""
    offsets = np.arange(width) - width // 2
    covariance = signal[abs(offsets)].mean()
    variance = signal[abs(offsets[:, None] - offsets)].mean() + error / width
    return float(covariance / np.sqrt(variance)) if variance > 0 else 0.0
