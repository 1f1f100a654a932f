"""Smoothing of curves along time."""

import math

import numpy as np

from clip_ae.proposals.segments import Floats


def moving_mean(curves: Floats, width: float) -> Floats:
    """The mean over `width` snippets around each snippet of curves [T] or [T, C]; at the ends, over those that exist.

    A window may contain a part of a snippet, which then has that weight: width 1 and less change nothing.
    """
    reach = math.ceil((width - 1) / 2)
    if reach <= 0:
        return curves
    kernel = np.clip((width + 1) / 2 - abs(np.arange(-reach, reach + 1)), 0.0, 1.0)
    num_snippets = len(curves)

    def convolve(curve: Floats) -> Floats:
        return np.convolve(curve, kernel)[reach : reach + num_snippets]

    sums: Floats = np.apply_along_axis(convolve, 0, curves)
    return (sums.T / convolve(np.ones(num_snippets))).T
