"""Per-frame AP: which frames are positive, ties, the bootstrap, and slow references."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clip_ae.core.errors import UserError
from clip_ae.core.types import Annotation, Detection, Instance
from clip_ae.scoring.bootstrap import draw_videos
from clip_ae.scoring.eval_input import build_eval_input
from clip_ae.scoring.frame_ap import RankedFrames, bootstrap_frame_map, compute_frame_ap, rank_frames
from clip_ae.scoring.frame_protocols import FRAME_PROTOCOLS, FrameProtocol
from clip_ae.scoring.frames import UNCOVERED, sample_frames, sample_times, score_frames
from clip_ae.scoring.segments import make_segments
from tests.scoring.reference_frame_ap import compute_enumerated_ap, compute_expected_ap, list_frames

CHARADES = FRAME_PROTOCOLS["charades"]


def rank(durations, truth, detections, protocol=CHARADES):
    """Rows (video, label, start, stop[, score])."""
    test = {
        f"v{v:04d}": Annotation("test", tuple(Instance(f"c{c:03d}", a, b) for w, c, a, b in truth if w == v), duration)
        for v, duration in enumerate(durations)
    }
    found = [Detection(f"v{v:04d}", f"c{c:03d}", score, a, b) for v, c, a, b, score in detections]
    # With names of one length, and every class in the training video, the index of a class is its number.
    train = {"t": Annotation("train", tuple(Instance(f"c{c:03d}", 0, 1) for c in range(157)))}
    eval_input = build_eval_input(test, train, [], found)
    return rank_frames(sample_frames(eval_input, protocol), eval_input.detections)


def ap(ranked: RankedFrames, num_videos: int) -> dict[int, float]:
    values = compute_frame_ap(ranked, np.ones((1, num_videos), np.int64))[0]
    return dict(zip(ranked.by_class, values.tolist(), strict=True))


def test_1_frame_k_is_at_k_25ths_of_the_duration():
    times = sample_times(np.array([25.0, 10.0]), 25)
    assert times[0].tolist() == pytest.approx(list(range(25)))
    assert times[1, -1] == pytest.approx(9.6)


def test_2_a_frame_at_an_end_of_a_segment_is_inside():
    scores = score_frames(sample_times(np.array([25.0]), 25), make_segments([(0, 0, 3.0, 5.0, 1.0)]))
    assert np.flatnonzero(scores[0] > UNCOVERED).tolist() == [3, 4, 5]


def test_3_a_segment_without_length_covers_a_frame_only_at_its_very_second():
    times = sample_times(np.array([25.0]), 25)
    assert (score_frames(times, make_segments([(0, 0, 4.0, 4.0, 1.0)])) > UNCOVERED).sum() == 1
    assert not (score_frames(times, make_segments([(0, 0, 4.5, 4.5, 1.0)])) > UNCOVERED).any()


def test_4_the_best_detection_over_a_frame_gives_its_score():
    rows = [(0, 0, 0, 10, 0.2), (0, 0, 5, 20, 0.7), (0, 0, 6, 7, 0.1)]
    scores = score_frames(sample_times(np.array([25.0]), 25), make_segments(rows))
    assert [scores[0, k] for k in (4, 5, 6, 20, 21)] == [0.2, 0.7, 0.7, 0.7, UNCOVERED]


def test_5_exact_detections_have_ap_1_whatever_the_sign_of_their_scores():
    for score in (0.9, 0.0, -3.0):
        assert ap(rank([25.0], [(0, 0, 3, 8)], [(0, 0, 3, 8, score)]), 1)[0] == pytest.approx(1.0)


def test_6_without_detections_ap_is_that_of_a_random_order():
    no_detection = ap(rank([25.0, 30.0], [(0, 0, 3, 8)], []), 2)[0]
    constant = ap(rank([25.0, 30.0], [(0, 0, 3, 8)], [(v, 0, 0, 30, 0.5) for v in (0, 1)]), 2)[0]
    assert no_detection == pytest.approx(constant)
    rng = np.random.default_rng(0)
    truth = np.arange(50) < 6
    ordered = [(np.cumsum(o := rng.permutation(truth)) / np.arange(1, 51))[o].mean() for _ in range(20_000)]
    assert no_detection == pytest.approx(np.mean(ordered), abs=0.003)


def test_7_a_class_without_a_positive_frame_is_left_out():
    truth = [(0, 0, 3, 8), (0, 1, 4.2, 4.8), (0, 2, 4.5, 4.5)]
    assert list(ap(rank([25.0], truth, [(0, 1, 0, 25, 0.9), (0, 3, 0, 25, 0.9)]), 1)) == [0]


def test_8_a_video_of_the_class_without_detections_ranks_last():
    truth = [(0, 0, 0, 25), (1, 0, 0, 0)]
    # 25 hits at the first 25 ranks; the last is at a random one of the 25 other ranks.
    expected = (25 + np.mean(26 / np.arange(26, 51))) / 26
    assert ap(rank([25.0, 25.0], truth, [(0, 0, 0, 25, 0.9)]), 2)[0] == pytest.approx(expected)


@pytest.mark.parametrize("duration", [None, 0.0, -1.0])
def test_9_a_video_without_a_duration_is_refused(duration):
    with pytest.raises(UserError, match=r"video 'v0001' has no duration above 0.*\(1 such videos\)"):
        rank([25.0, duration], [(0, 0, 3, 8)], [])


def test_10_annotations_between_all_frames_are_refused():
    with pytest.raises(UserError, match="no sampled frame is inside an action"):
        rank([25.0], [(0, 0, 3.2, 3.8)], [])


@st.composite
def datasets(draw):
    """Few videos; times on a coarse grid, so that many fall on a frame; few different scores, so that many tie."""
    durations = draw(st.lists(st.sampled_from([5.0, 7.3, 25.0, 60.0]), min_size=1, max_size=4))
    grid = st.integers(0, 60).map(lambda n: n / 2)

    def row(*more):
        spans = st.tuples(grid, grid).map(sorted)
        return st.tuples(st.integers(0, len(durations) - 1), st.integers(0, 1), spans, *more)

    truth = draw(st.lists(row(), min_size=1, max_size=6))
    detections = draw(st.lists(row(st.sampled_from([-0.5, 0.0, 0.25, 0.5, 1.0])), max_size=12))
    return durations, [(v, c, *s) for v, c, s in truth], [(v, c, *s, x) for v, c, s, x in detections]


@given(datasets())
@settings(max_examples=150)
def test_every_class_agrees_with_loops_over_frames(dataset):
    durations, truth, detections = dataset
    try:
        result = ap(rank(durations, truth, detections), len(durations))
    except UserError:
        result = {}
    for c in (0, 1):
        truth_of_class, detections_of_class = (
            [(r[0], *r[2:]) for r in rows if r[1] == c] for rows in (truth, detections)
        )
        frames = list_frames(durations, truth_of_class, detections_of_class)
        assert (c in result) == any(positive for _, positive in frames)
        if c in result:
            assert result[c] == pytest.approx(compute_expected_ap(frames), rel=1e-9)


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.5, 0.9]), st.booleans()), min_size=1, max_size=6))
@settings(max_examples=60)
def test_ap_is_the_mean_over_all_orders_of_tied_frames(frames):
    """Each video has one frame, so that a few frames can be put into every order."""
    if not any(positive for _, positive in frames):
        return
    truth = [(v, 0, 0.0, 1.0) for v, (_, positive) in enumerate(frames) if positive]
    detections = [(v, 0, 0.0, 1.0, score) for v, (score, _) in enumerate(frames)]
    ranked = rank([1.0] * len(frames), truth, detections, FrameProtocol(1, ""))
    assert ap(ranked, len(frames))[0] == pytest.approx(compute_enumerated_ap(frames), rel=1e-12)


@given(datasets(), st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_the_order_of_detections_never_matters(dataset, random):
    durations, truth, detections = dataset
    shuffled = random.sample(detections, len(detections))
    try:
        first = ap(rank(durations, truth, detections), len(durations))
    except UserError:
        return
    assert ap(rank(durations, truth, shuffled), len(durations)) == first


@given(datasets())
@settings(max_examples=40)
def test_a_draw_scores_as_the_drawn_videos_copied(dataset):
    durations, truth, detections = dataset
    counts = draw_videos(6, len(durations))
    try:
        ranked = rank(durations, truth, detections)
    except UserError:
        return
    ap_by_draw = compute_frame_ap(ranked, counts)
    for draw, row in zip(counts, ap_by_draw, strict=True):
        copies = [v for v, count in enumerate(draw) for _ in range(count)]
        copied = [
            [(w, *r[1:]) for w, v in enumerate(copies) for r in rows if r[0] == v] for rows in (truth, detections)
        ]
        try:
            expected = ap(rank([durations[v] for v in copies], *copied), len(copies))
        except UserError:
            expected = {}
        assert row.tolist() == pytest.approx([expected.get(c, 0.0) for c in ranked.by_class], abs=1e-12)


def test_draws_without_a_positive_frame_are_left_out():
    ranked = rank([25.0] * 3, [(0, 0, 3, 8)], [(0, 0, 3, 8, 0.9)])
    draws = bootstrap_frame_map(ranked, 100, 3)
    assert len(draws) == int((draw_videos(100, 3)[:, 0] > 0).sum())
    assert draws == pytest.approx(1.0)


def test_random_scores_of_all_frames_give_the_share_of_positive_frames():
    rng = np.random.default_rng(0)
    starts = rng.uniform(0, 24, (200, 4))
    truth = [(v, c, starts[v, c], starts[v, c] + 6) for v in range(200) for c in range(4) if rng.random() < 0.3]
    seconds = np.arange(25) / 25 * 30
    detections = [(v, c, t, t, rng.random()) for v in range(200) for c in range(4) for t in seconds]
    ranked = rank([30.0] * 200, truth, detections)
    share = ranked.count_positives(np.ones((1, 200), np.int64))[0] / 5000
    assert list(ap(ranked, 200).values()) == pytest.approx(share.tolist(), rel=0.15)


def test_a_dataset_as_large_as_charades_takes_seconds():
    """434 videos, 157 classes, 100,000 detections: 1 s on two free cores; the limit allows for busy ones."""
    rng = np.random.default_rng(0)
    durations, starts = rng.uniform(10, 60, 434), rng.uniform(0, 20, (434, 7))
    truth = [(v, int(c), s, s + 8) for v in range(434) for c, s in zip(rng.choice(157, 7), starts[v], strict=True)]
    rows = zip(*(rng.integers(n, size=100_000) for n in (434, 157, 50)), rng.random(100_000), strict=True)
    detections = [(int(v), int(c), float(s), float(s + 10), float(x)) for v, c, s, x in rows]
    started = time.perf_counter()
    bootstrap_frame_map(rank(durations.tolist(), truth, detections), 1000, 434)
    assert time.perf_counter() - started < 20
