"""AP of each video equals the AP of scoring the video alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clip_ae.scoring.average_precision import average_over_classes, compute_average_precision, match
from clip_ae.scoring.by_video import compute_ap_by_video
from clip_ae.scoring.segments import make_segments

THRESHOLDS, CLASSES, VIDEOS = (0.3, 0.5), 3, 4
ROW = st.tuples(st.integers(0, VIDEOS - 1), st.integers(0, CLASSES - 1), st.integers(0, 12), st.integers(1, 8))


def score_alone(truth, detections, video):
    truth, detections = ([row for row in rows if row[0] == video] for rows in (truth, detections))
    if not truth:
        return np.nan
    truth = make_segments(truth)
    ap = compute_average_precision(match(truth, make_segments(detections), THRESHOLDS), CLASSES)
    return average_over_classes(ap, truth).mean()


@settings(max_examples=200)
@given(
    st.lists(ROW, min_size=1, max_size=8),
    st.lists(st.tuples(ROW, st.integers(0, 30)), max_size=20, unique_by=lambda d: d[1]),
)
def test_ap_of_each_video_equals_scoring_it_alone(truth, scored):
    truth = [(v, c, a, a + n, 1.0) for v, c, a, n in truth]
    detections = [(v, c, a, a + n, s / 30) for (v, c, a, n), s in scored]
    matches = match(make_segments(truth), make_segments(detections), THRESHOLDS)
    expected = [score_alone(truth, detections, v) for v in range(VIDEOS)]
    np.testing.assert_allclose(compute_ap_by_video(matches, CLASSES, VIDEOS), expected, atol=1e-12)


def test_false_detections_of_other_videos_do_not_count():
    truth = [(0, 0, 0, 10, 1.0), (1, 0, 0, 10, 1.0)]
    matches = match(
        make_segments(truth), make_segments([(1, 0, 50, 60, 0.9), (0, 0, 0, 10, 0.5), (1, 0, 0, 10, 0.4)]), (0.5,)
    )
    assert compute_ap_by_video(matches, 1, 2).tolist() == pytest.approx([1.0, 0.5])
