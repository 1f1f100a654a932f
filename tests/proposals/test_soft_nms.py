from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clip_ae.proposals import soft_nms as module
from clip_ae.proposals.soft_nms import soft_nms

SEGMENTS = st.lists(st.tuples(st.integers(0, 20), st.integers(1, 10), st.integers(1, 1000)), max_size=12)


def soft_nms_reference(segments, scores, sigma, min_score):
    """The published algorithm as a loop over pairs."""
    remaining = [(s, k) for k, s in enumerate(scores)]
    selected = []
    while remaining:
        score, best = max(remaining, key=lambda p: (p[0], -p[1]))
        if score < min_score:
            break
        selected.append((best, score))
        decayed = []
        for s, k in remaining:
            if k != best:
                (a, b), (c, d) = segments[best], segments[k]
                shared = max(0, min(b, d) - max(a, c))
                overlap = shared / ((b - a) + (d - c) - shared)
                decayed.append((s * np.exp(-(overlap**2) / sigma), k))
        remaining = decayed
    return selected


# With a sigma of 0.001 the decay of equal segments is 0.
@pytest.mark.parametrize("max_table", [0, 2000])
@given(SEGMENTS, st.sampled_from([0.001, 0.1, 0.3, 1.0]), st.sampled_from([0.0, 0.01]))
def test_soft_nms_equals_the_published_algorithm(max_table, drawn, sigma, min_score):
    segments = np.array([(a, a + n) for a, n, _ in drawn], np.float64).reshape(-1, 2)
    scores = np.array([s / 1000 for _, _, s in drawn])
    with patch.object(module, "MAX_TABLE", max_table):
        order, decayed = soft_nms(segments, scores, sigma, min_score)
    expected = soft_nms_reference(segments, scores, sigma, min_score)
    np.testing.assert_allclose(decayed, [s for _, s in expected], rtol=1e-12)
    assert order.tolist() == [k for k, _ in expected]


def test_adjacent_short_segments_do_not_overlap():
    order, decayed = soft_nms(np.array([[0.0, 0.5], [0.5, 1.0]]), np.array([0.9, 0.8]), 0.3, 0.0)
    assert order.tolist() == [0, 1]
    assert decayed.tolist() == [0.9, 0.8]


def test_a_copy_decays_and_low_scores_are_dropped():
    segments = np.array([[0.0, 2.0], [0.0, 2.0], [5.0, 6.0]])
    order, decayed = soft_nms(segments, np.array([0.9, 0.9, 0.0005]), 0.3, 0.001)
    assert order.tolist() == [0, 1]
    np.testing.assert_allclose(decayed, [0.9, 0.9 * np.exp(-1 / 0.3)])


def test_many_segments_of_all_lengths_give_the_same_bits_by_table_and_by_index():
    rng = np.random.default_rng(0)
    start = rng.uniform(0, 1000, 1500)
    segments = np.stack([start, start + 10 ** rng.uniform(-3, 3, 1500)], axis=1)
    segments[:50] = segments[50:100]
    segments[:20, 1] = segments[:20, 0]
    scores = rng.choice([0.2, 0.5, *rng.random(100)], 1500)
    by_table = soft_nms(segments, scores, 0.3, 0.01)
    with patch.object(module, "MAX_TABLE", 0):
        by_index = soft_nms(segments, scores, 0.3, 0.01)
    assert np.array_equal(by_index[0], by_table[0])
    assert np.array_equal(by_index[1], by_table[1])
