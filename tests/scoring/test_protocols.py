"""Protocols against reference loops, and the differences between protocols."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clip_ae.core.config.schema import Evaluation
from clip_ae.scoring.average_precision import NO_SEGMENTS, compute_average_precision, match
from clip_ae.scoring.protocols import PROTOCOLS
from clip_ae.scoring.segments import make_segments
from tests.scoring.reference_thumos14 import compute_kit_ap

THRESHOLDS = (0.1, 0.3, 0.5, 0.7)
ROW = st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 12), st.integers(0, 8))
SPAN = st.tuples(st.integers(0, 2), st.integers(0, 12), st.integers(0, 4))


def ap(protocol, truth, detections, ambiguous=(), thresholds=THRESHOLDS, classes=3):
    ambiguous_segments = make_segments([(v, 0, a, b, 1.0) for v, a, b in ambiguous]) if ambiguous else NO_SEGMENTS
    matches = match(
        make_segments([(*t, 1.0) for t in truth]),
        make_segments(list(detections)),
        thresholds,
        protocol,
        ambiguous_segments,
    )
    return compute_average_precision(matches, classes)


def test_the_config_lists_every_protocol():
    from typing import get_type_hints

    from clip_ae.core.config.schema import ProtocolName

    assert set(ProtocolName.__args__) == set(PROTOCOLS)
    assert get_type_hints(Evaluation)["protocol"] == ProtocolName


@pytest.mark.parametrize(("protocol", "eleven_point"), [("thumos14-2014", True), ("thumos14-2015", False)])
@settings(max_examples=200)
@given(
    st.lists(ROW, min_size=1, max_size=8),
    st.lists(st.tuples(ROW, st.integers(0, 40)), max_size=20, unique_by=lambda d: d[1]),
    st.lists(SPAN, max_size=3),
)
def test_thumos14_protocols_equal_the_reference_loops(protocol, eleven_point, truth, detections, ambiguous):
    truth = [(v, c, a, a + n) for v, c, a, n in truth]
    detections = [(v, c, a, a + n, s / 40) for (v, c, a, n), s in detections]
    ambiguous = [(v, a, a + n) for v, a, n in ambiguous]
    expected = [
        [compute_kit_ap(truth, detections, ambiguous, t, c, eleven_point) for c in range(3)] for t in THRESHOLDS
    ]
    result = ap(protocol, truth, detections, ambiguous)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-12)


def test_thumos14_matches_by_tiou_and_activitynet_by_score():
    truth = [(0, 0, 0, 10)]
    detections = [(0, 0, 0, 6, 0.9), (0, 0, 0, 10, 0.5)]
    assert ap("activitynet", truth, detections, thresholds=(0.5,))[0, 0] == 1.0
    assert ap("thumos14-2015", truth, detections, thresholds=(0.5,))[0, 0] == 0.5


def test_thumos14_needs_more_than_the_threshold():
    half = [(0, 0, 0, 4, 0.9)]
    assert ap("activitynet", [(0, 0, 0, 8)], half, thresholds=(0.5,))[0, 0] == 1.0
    assert ap("thumos14-2014", [(0, 0, 0, 8)], half, thresholds=(0.5,))[0, 0] == 0.0


def test_only_thumos14_ignores_false_positives_at_ambiguous_segments():
    truth, detections = [(0, 0, 0, 10)], [(0, 0, 20, 30, 0.9), (0, 0, 0, 10, 0.5)]
    for protocol, expected in (("activitynet", 0.5), ("non-interpolated", 0.5), ("thumos14-2015", 1.0)):
        assert ap(protocol, truth, detections, [(0, 29, 40)], (0.5,))[0, 0] == expected
    # A span in another video, or one that only touches the detection, does not count.
    for span in ((1, 29, 40), (0, 30, 40)):
        assert ap("thumos14-2015", truth, detections, [span], (0.5,))[0, 0] == 0.5


def test_without_interpolation_each_hit_has_its_own_precision():
    truth = [(0, 0, 0, 10), (0, 0, 20, 30)]
    detections = [(0, 0, 50, 60, 0.9), (0, 0, 0, 10, 0.8), (0, 0, 20, 30, 0.7)]
    assert ap("activitynet", truth, detections, thresholds=(0.5,))[0, 0] == pytest.approx(2 / 3)
    assert ap("non-interpolated", truth, detections, thresholds=(0.5,))[0, 0] == pytest.approx((1 / 2 + 2 / 3) / 2)
