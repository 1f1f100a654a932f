"""Per-frame AP by loops over frames: slow, and independent of clip_ae."""

from collections.abc import Sequence
from itertools import pairwise, permutations
from statistics import fmean

# (video, start, stop[, score]) of one class.
Row = Sequence[float]
# (score, whether it is positive).
Frame = tuple[float, bool]
FRAMES = 25


def list_frames(durations: Sequence[float], truth: Sequence[Row], detections: Sequence[Row]) -> list[Frame]:
    """Every frame of every video."""
    frames = []
    for video, duration in enumerate(durations):
        for k in range(FRAMES):
            time = k / FRAMES * duration
            scores = [d[3] for d in detections if d[0] == video and d[1] <= time <= d[2]]
            positive = any(t[0] == video and t[1] <= time <= t[2] for t in truth)
            frames.append((max(scores, default=-float("inf")), positive))
    return frames


def compute_ordered_ap(is_positive: Sequence[bool]) -> float:
    """Mean precision at each positive frame, of frames in this order."""
    hits, precisions = 0, []
    for rank, positive in enumerate(is_positive, 1):
        if positive:
            hits += 1
            precisions.append(hits / rank)
    return fmean(precisions)


def compute_expected_ap(frames: Sequence[Frame]) -> float:
    """Mean precision at each positive frame, by the probability of each number of hits among frames with one score."""
    total = 0.0
    for score, positive in frames:
        if not positive:
            continue
        better = [f for f in frames if f[0] > score]
        tied = [f for f in frames if f[0] == score]
        n, p, hits = len(tied), sum(f[1] for f in tied), sum(f[1] for f in better)
        # This positive frame is at each rank of the tie with the same probability, 1 / n.
        for place in range(n):
            others = place * (p - 1) / (n - 1) if n > 1 else 0.0
            total += (hits + 1 + others) / (len(better) + place + 1) / n
    return total / sum(f[1] for f in frames)


def compute_enumerated_ap(frames: Sequence[Frame]) -> float:
    """Mean AP over every order of the frames that has falling scores; for a few frames only."""
    orders = [order for order in permutations(frames) if all(a[0] >= b[0] for a, b in pairwise(order))]
    return fmean(compute_ordered_ap([f[1] for f in order]) for order in orders)
