"""The evaluator at ActivityNet's size, beside loops over detections, and with twice as many of them.

python -m benchmarks.scoring       one core
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.measure import tell
from clip_ae.scoring.average_precision import compute_average_precision, match
from clip_ae.scoring.bootstrap import bootstrap_map
from clip_ae.scoring.segments import Floats, Segments

VIDEOS, CLASSES, EACH = 2383, 100, 200
THRESHOLDS = tuple(k / 100 for k in range(50, 100, 5))


def main() -> None:
    truth, detections = world(EACH)
    # The first call loads what numpy loads late.
    scored(*world(1))
    seconds, ap = timed(lambda: scored(truth, detections))
    tell(f"{len(detections)} detections, {len(THRESHOLDS)} tIoU, {CLASSES} classes", seconds, "s", 2)
    for words, rows, labels, goal in (("table rows, as ActivityNet's", True, 1, 50.0), ("arrays", False, 5, None)):
        some = detections.take(np.flatnonzero(detections.label < labels))
        slow, expected = timed(lambda k=labels, r=rows, d=some: looped(truth, d, k, rows=r))
        assert np.allclose(ap[:, :labels], expected, atol=1e-12), "the loop says otherwise"
        tell(f"   times the rate of a loop over {words}", slow / len(some) * len(detections) / seconds, "", goal)
    twice = world(2 * EACH)
    tell("   with twice as many detections: times as long", timed(lambda: scored(*twice))[0] / seconds, "")
    judged = match(truth, detections, THRESHOLDS)
    tell("   intervals from 1000 draws", timed(lambda: bootstrap_map(judged, CLASSES, 1000, VIDEOS))[0], "s")


def world(each: int) -> tuple[Segments, Segments]:
    """Ground truth of 1.5 instances a video, and `each` detections a video, most near an instance of some class."""
    rng = np.random.default_rng(0)
    instances = round(1.5 * VIDEOS)
    start = rng.uniform(0, 100, instances)
    length = rng.lognormal(3.4, 1, instances)
    kinds = rng.integers(0, VIDEOS, instances), rng.integers(0, CLASSES, instances)
    truth = Segments(*kinds, start, start + length, np.ones(instances))
    near = truth.take(rng.integers(0, instances, each * VIDEOS))
    moved = near.start + rng.normal(0, 0.2, len(near)) * (near.stop - near.start)
    ends = moved + (near.stop - near.start) * rng.lognormal(0, 0.3, len(near))
    # A third says another class.
    label = np.where(rng.random(len(near)) < 1 / 3, rng.integers(0, CLASSES, len(near)), near.label)
    return truth, Segments(near.video, label, moved, ends, rng.random(len(near)))


def scored(truth: Segments, detections: Segments) -> Floats:
    return compute_average_precision(match(truth, detections, THRESHOLDS), CLASSES)


def looped(truth: Segments, detections: Segments, labels: int, *, rows: bool) -> Floats:
    return np.stack([loop(truth, detections, label, rows=rows) for label in range(labels)], axis=1)


def loop(truth: Segments, detections: Segments, label: int, *, rows: bool) -> Floats:
    """A class: one detection after the other against its video's truths, as arrays or as rows of a table."""
    mine = detections.take(np.flatnonzero(detections.label == label)).sort_by_score()
    others = truth.take(np.flatnonzero(truth.label == label))
    of_video = tables(others) if rows else arrays(others)
    listed = table(mine).iterrows() if rows else enumerate(zip(mine.video, mine.start, mine.stop, strict=True))
    taken: set[tuple[int, int]] = set()
    hit = np.zeros((len(THRESHOLDS), len(mine)))
    for i, (video, start, stop) in listed:
        known = of_video(int(video))
        if known is None:
            continue
        places, begins, ends = known
        overlaps = overlap(start, stop, begins, ends)
        nearest = overlaps.argsort()[::-1]
        for t, threshold in enumerate(THRESHOLDS):
            for k in nearest:
                if overlaps[k] < threshold:
                    break
                if (t, places[k]) not in taken:
                    taken.add((t, places[k]))
                    hit[t, i] = 1
                    break
    precision = np.cumsum(hit, axis=1) / np.arange(1, len(mine) + 1)
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    area: Floats = (hit * best).sum(axis=1) / len(others)
    return area


def arrays(others: Segments) -> Callable[[int], Any]:
    """Looked up once a video: the leanest that a loop can be."""
    places = {int(video): np.flatnonzero(others.video == video) for video in others.video}
    known = {video: (rows, others.start[rows], others.stop[rows]) for video, rows in places.items()}
    return known.get


def tables(others: Segments) -> Callable[[int], Any]:
    """Looked up in a table for every detection, as ActivityNet's evaluator does."""
    groups = table(others).groupby("video")

    def of_video(video: int) -> Any:
        try:
            found = groups.get_group(video).reset_index()
        except KeyError:
            return None
        return found["index"].to_numpy(), found["start"].to_numpy(), found["stop"].to_numpy()

    return of_video


def table(some: Segments) -> Any:
    import pandas as pd

    return pd.DataFrame({"video": some.video, "start": some.start, "stop": some.stop})


def overlap(start: float, stop: float, other_start: Floats, other_stop: Floats) -> Floats:
    shared = (np.minimum(stop, other_stop) - np.maximum(start, other_start)).clip(0)
    share: Floats = shared / ((stop - start) + (other_stop - other_start) - shared)
    return share


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


if __name__ == "__main__":
    main()
