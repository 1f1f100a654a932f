"""Paired differences against a calculation by hand."""

import pytest

from clip_ae.scoring.paired import MeanEstimate, compare_paired


def test_three_seeds_by_hand() -> None:
    """Differences 1, 2, 3: mean 2, sd 1; t of 2 degrees of freedom is 4.3027, and 4.3027 / sqrt(3) = 2.4841."""
    difference = compare_paired({0: 11.0, 1: 22.0, 2: 33.0}, {0: 10.0, 1: 20.0, 2: 30.0})
    assert (difference.mean, difference.sd, difference.num_values) == (pytest.approx(2), pytest.approx(1), 3)
    assert difference.interval == (pytest.approx(2 - 2.4841, abs=1e-4), pytest.approx(2 + 2.4841, abs=1e-4))


def test_two_seeds_by_hand() -> None:
    """Differences -1, 1: sd sqrt(2); t of 1 degree of freedom is 12.7062, and 12.7062 * sqrt(2) / sqrt(2) is itself."""
    difference = compare_paired({0: 1.0, 1: 3.0}, {0: 2.0, 1: 2.0})
    assert difference.interval == (pytest.approx(-12.7062, abs=1e-4), pytest.approx(12.7062, abs=1e-4))


def test_seeds_are_paired_by_name_and_only_common_ones_count() -> None:
    difference = compare_paired({0: 1.0, 1: 5.0, 7: 99.0}, {1: 3.0, 0: 0.0, 8: -99.0})
    assert (difference.mean, difference.num_values) == (pytest.approx(1.5), 2)


def test_one_seed_has_no_interval() -> None:
    assert compare_paired({0: 3.0}, {0: 1.0}) == MeanEstimate(2.0, None, None, 1)
