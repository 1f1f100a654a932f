import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clip_ae.core.tiou import tiou
from clip_ae.proposals.overlap_index import OverlapIndex

LENGTH = st.one_of(st.just(0.0), st.floats(1e-6, 1e6))
SEGMENTS = st.lists(st.tuples(st.floats(0, 1e5), LENGTH), max_size=20)


@given(SEGMENTS, st.floats(0, 1e5), LENGTH)
def test_every_segment_that_overlaps_is_found_once(drawn, start, length):
    segments = np.array([(a, a + n) for a, n in drawn], np.float64).reshape(-1, 2)
    found = OverlapIndex(segments).find(start, start + length).tolist()
    overlap = tiou(segments[:, 0], segments[:, 1], start, start + length)
    # A smaller overlap changes no score: its square is below the precision of a number.
    assert {k for k, value in enumerate(overlap) if value > 1e-9} <= set(found)
    assert len(set(found)) == len(found)


def test_few_others_are_found():
    start = np.arange(10_000.0)
    segments = np.concatenate([np.stack([start, start + 0.5], axis=1), [[0.0, 10_000.0]]])
    assert set(OverlapIndex(segments).find(500.1, 500.3)) == {500, 10_000}
