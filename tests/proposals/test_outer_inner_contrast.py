import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from clip_ae.proposals.outer_inner_contrast import outer_inner_contrast


@st.composite
def curve_and_range(draw):
    curve = draw(arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 1)))
    first = draw(st.integers(0, len(curve) - 1))
    return curve, first, draw(st.integers(first + 1, len(curve)))


@given(curve_and_range(), st.sampled_from([0.0, 0.25, 1.0]))
def test_contrast_equals_its_definition(drawn, outer_margin):
    curve, first, end = drawn
    margin = int(np.ceil(outer_margin * (end - first)))
    outside = [*curve[max(0, first - margin) : first], *curve[end : end + margin]]
    is_whole = first == 0 and end == len(curve)
    expected = curve[first:end].mean() - (curve.min() if is_whole else np.mean(outside) if outside else 0)
    contrast = outer_inner_contrast(curve, np.array([[first, end]]), outer_margin)
    np.testing.assert_allclose(contrast, [expected], atol=1e-12)


def test_a_whole_video_is_compared_with_the_lowest_point_of_its_curve():
    """Its contrast is that of a segment around everything above the lowest point; of a flat curve it is 0."""
    whole = np.array([[0, 4]])
    np.testing.assert_allclose(outer_inner_contrast(np.full(4, 0.9), whole, 0.25), [0.0], atol=1e-12)
    np.testing.assert_allclose(outer_inner_contrast(np.array([0.2, 0.8, 0.8, 0.2]), whole, 0.25), [0.3], atol=1e-12)


def test_the_contrast_of_a_plateau_on_zero_is_its_height():
    curve = np.array([0, 0, 0.8, 0.8, 0.8, 0.8, 0, 0])
    np.testing.assert_allclose(outer_inner_contrast(curve, np.array([[2, 6], [3, 5]]), 0.25), [0.8, 0.0], atol=1e-12)
