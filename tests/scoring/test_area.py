"""The three rules for average precision against a calculation by hand."""

import numpy as np
import pytest

from clip_ae.scoring.area import compute_eleven_point_ap, compute_interpolated_ap, compute_noninterpolated_ap

# Two of four ground truths are detected: at rank 2 (precision 1/2, recall 1/4) and at rank 3 (2/3, 1/2).
PRECISION, RECALL, GAIN = np.array([1 / 2, 2 / 3]), np.array([1 / 4, 1 / 2]), np.array([1 / 4, 1 / 4])


def test_interpolated_ap_uses_the_best_later_precision() -> None:
    assert compute_interpolated_ap(PRECISION, RECALL, GAIN) == pytest.approx((2 / 3 + 2 / 3) / 4)


def test_noninterpolated_ap_is_the_mean_precision_at_the_ground_truths() -> None:
    assert compute_noninterpolated_ap(PRECISION, RECALL, GAIN) == pytest.approx((1 / 2 + 2 / 3) / 4)


def test_eleven_point_ap_averages_the_points_up_to_the_highest_recall() -> None:
    """Recall 0, 0.1, ... 0.5: six of eleven points have precision 2/3, the others 0."""
    assert compute_eleven_point_ap(PRECISION, RECALL, GAIN) == pytest.approx(6 / 11 * 2 / 3)


@pytest.mark.parametrize("rule", [compute_interpolated_ap, compute_noninterpolated_ap, compute_eleven_point_ap])
def test_without_hits_ap_is_zero(rule) -> None:
    assert rule(np.zeros((3, 0)), np.zeros((3, 0)), np.zeros((3, 0))).tolist() == [0, 0, 0]
