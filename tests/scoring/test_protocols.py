"""Protocols beside the loops that their rules are, and what sets them apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clip_ae.core.config.schema import Evaluation
from clip_ae.scoring.average_precision import NO_SEGMENTS, compute_average_precision, match
from clip_ae.scoring.protocols import PROTOCOLS
from clip_ae.scoring.segments import make_segments
from tests.scoring.plain_thumos14 import kit

THRESHOLDS = (0.1, 0.3, 0.5, 0.7)
ROW = st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 12), st.integers(0, 8))
SPAN = st.tuples(st.integers(0, 2), st.integers(0, 12), st.integers(0, 4))


def ap(protocol, truth, detections, ambiguous=(), thresholds=THRESHOLDS, classes=3):
    unclear = make_segments([(v, 0, a, b, 1.0) for v, a, b in ambiguous]) if ambiguous else NO_SEGMENTS
    judged = match(
        make_segments([(*t, 1.0) for t in truth]), make_segments(list(detections)), thresholds, protocol, unclear
    )
    return compute_average_precision(judged, classes)


def test_the_config_lists_every_protocol():
    from typing import get_type_hints

    from clip_ae.core.config.schema import ProtocolName

    assert set(ProtocolName.__args__) == set(PROTOCOLS)
    assert get_type_hints(Evaluation)["protocol"] == ProtocolName


@pytest.mark.parametrize(("protocol", "eleven"), [("thumos14-2014", True), ("thumos14-2015", False)])
@settings(max_examples=200, deadline=None)
@given(
    st.lists(ROW, min_size=1, max_size=8),
    st.lists(st.tuples(ROW, st.integers(0, 40)), max_size=20, unique_by=lambda d: d[1]),
    st.lists(SPAN, max_size=3),
)
def test_thumos14_protocols_equal_the_reference_loops(protocol, eleven, truth, detections, ambiguous):
    truth = [(v, c, a, a + n) for v, c, a, n in truth]
    detections = [(v, c, a, a + n, s / 40) for (v, c, a, n), s in detections]
    ambiguous = [(v, a, a + n) for v, a, n in ambiguous]
    expected = [[kit(truth, detections, ambiguous, t, c, eleven) for c in range(3)] for t in THRESHOLDS]
    found = ap(protocol, truth, detections, ambiguous)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_thumos14_matches_by_tiou_and_activitynet_by_score():
    truth = [(0, 0, 0, 10)]
    worse_but_nearer = [(0, 0, 0, 6, 0.9), (0, 0, 0, 10, 0.5)]
    assert ap("activitynet", truth, worse_but_nearer, thresholds=(0.5,))[0, 0] == 1.0
    assert ap("thumos14-2015", truth, worse_but_nearer, thresholds=(0.5,))[0, 0] == 0.5


def test_thumos14_needs_more_than_the_threshold():
    half = [(0, 0, 0, 4, 0.9)]
    assert ap("activitynet", [(0, 0, 0, 8)], half, thresholds=(0.5,))[0, 0] == 1.0
    assert ap("thumos14-2014", [(0, 0, 0, 8)], half, thresholds=(0.5,))[0, 0] == 0.0


def test_only_thumos14_ignores_false_positives_at_ambiguous_segments():
    truth, detections = [(0, 0, 0, 10)], [(0, 0, 20, 30, 0.9), (0, 0, 0, 10, 0.5)]
    for protocol, expected in (("activitynet", 0.5), ("non-interpolated", 0.5), ("thumos14-2015", 1.0)):
        assert ap(protocol, truth, detections, [(0, 29, 40)], (0.5,))[0, 0] == expected
    # In another video, or merely touching, they forgive nothing.
    for span in ((1, 29, 40), (0, 30, 40)):
        assert ap("thumos14-2015", truth, detections, [span], (0.5,))[0, 0] == 0.5


def test_without_interpolation_each_hit_has_its_own_precision():
    truth = [(0, 0, 0, 10), (0, 0, 20, 30)]
    detections = [(0, 0, 50, 60, 0.9), (0, 0, 0, 10, 0.8), (0, 0, 20, 30, 0.7)]
    assert ap("activitynet", truth, detections, thresholds=(0.5,))[0, 0] == pytest.approx(2 / 3)
    assert ap("non-interpolated", truth, detections, thresholds=(0.5,))[0, 0] == pytest.approx((1 / 2 + 2 / 3) / 2)
