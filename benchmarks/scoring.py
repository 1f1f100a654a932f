"""Speed of the evaluator at ActivityNet's size, of loops over detections, and with twice as many detections.

python -m benchmarks.scoring       one core
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.measure import measure_seconds_and_result, print_result
from clip_ae.scoring.average_precision import compute_average_precision, match
from clip_ae.scoring.bootstrap import bootstrap_map
from clip_ae.scoring.segments import Floats, Segments

VIDEOS, CLASSES, PER_VIDEO = 2383, 100, 200
THRESHOLDS = tuple(k / 100 for k in range(50, 100, 5))


def main() -> None:
    truth, detections = generate_segments(PER_VIDEO)
    # The first call also loads parts of numpy.
    compute_ap(*generate_segments(1))
    seconds, ap = measure_seconds_and_result(lambda: compute_ap(truth, detections))
    print_result(f"{len(detections)} detections, {len(THRESHOLDS)} tIoU, {CLASSES} classes", seconds, "s", goal=2)
    for rows_text, rows, labels, goal in (("table rows, as ActivityNet's", True, 1, 50.0), ("arrays", False, 5, None)):
        segments = detections.take(np.flatnonzero(detections.label < labels))
        loop_seconds, expected = measure_seconds_and_result(
            lambda k=labels, r=rows, d=segments: loop_over_classes(truth, d, k, rows=r)
        )
        if not np.allclose(ap[:, :labels], expected, atol=1e-12):
            raise SystemExit("the evaluator and the loop differ")
        print_result(
            f"   speed-up over a loop over {rows_text}",
            loop_seconds / len(segments) * len(detections) / seconds,
            "",
            goal=goal,
        )
    doubled = generate_segments(2 * PER_VIDEO)
    print_result(
        "   factor of the time with twice as many detections",
        measure_seconds_and_result(lambda: compute_ap(*doubled))[0] / seconds,
        "",
    )
    matched = match(truth, detections, THRESHOLDS)
    print_result(
        "   intervals from 1000 draws",
        measure_seconds_and_result(lambda: bootstrap_map(matched, CLASSES, 1000, VIDEOS))[0],
        "s",
    )


def generate_segments(per_video: int) -> tuple[Segments, Segments]:
    """Ground truth with 1.5 instances per video, and `per_video` detections per video near instances."""
    rng = np.random.default_rng(0)
    instances = round(1.5 * VIDEOS)
    start = rng.uniform(0, 100, instances)
    length = rng.lognormal(3.4, 1, instances)
    videos_and_labels = rng.integers(0, VIDEOS, instances), rng.integers(0, CLASSES, instances)
    truth = Segments(*videos_and_labels, start, start + length, np.ones(instances))
    near_instances = truth.take(rng.integers(0, instances, per_video * VIDEOS))
    starts = near_instances.start + rng.normal(0, 0.2, len(near_instances)) * (
        near_instances.stop - near_instances.start
    )
    stops = starts + (near_instances.stop - near_instances.start) * rng.lognormal(0, 0.3, len(near_instances))
    # A third of the detections has a random class.
    label = np.where(
        rng.random(len(near_instances)) < 1 / 3, rng.integers(0, CLASSES, len(near_instances)), near_instances.label
    )
    return truth, Segments(near_instances.video, label, starts, stops, rng.random(len(near_instances)))


def compute_ap(truth: Segments, detections: Segments) -> Floats:
    return compute_average_precision(match(truth, detections, THRESHOLDS), CLASSES)


def loop_over_classes(truth: Segments, detections: Segments, labels: int, *, rows: bool) -> Floats:
    return np.stack([loop_over_detections(truth, detections, label, rows=rows) for label in range(labels)], axis=1)


def loop_over_detections(truth: Segments, detections: Segments, label: int, *, rows: bool) -> Floats:
    """Average precision of a class [tIoU], by a loop over detections, as arrays or as rows of a table."""
    class_detections = detections.take(np.flatnonzero(detections.label == label)).sort_by_score()
    instances_of_class = truth.take(np.flatnonzero(truth.label == label))
    find_instances = index_table(instances_of_class) if rows else index_arrays(instances_of_class)
    rows_of_class = (
        to_table(class_detections).iterrows()
        if rows
        else enumerate(zip(class_detections.video, class_detections.start, class_detections.stop, strict=True))
    )
    matched_pairs: set[tuple[int, int]] = set()
    hit = np.zeros((len(THRESHOLDS), len(class_detections)))
    for i, (video, start, stop) in rows_of_class:
        candidates = find_instances(int(video))
        if candidates is None:
            continue
        indices, candidate_starts, candidate_stops = candidates
        tious = compute_tiou(start, stop, candidate_starts, candidate_stops)
        by_tiou = tious.argsort()[::-1]
        for t, threshold in enumerate(THRESHOLDS):
            for k in by_tiou:
                if tious[k] < threshold:
                    break
                if (t, indices[k]) not in matched_pairs:
                    matched_pairs.add((t, indices[k]))
                    hit[t, i] = 1
                    break
    precision = np.cumsum(hit, axis=1) / np.arange(1, len(class_detections) + 1)
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    area: Floats = (hit * best).sum(axis=1) / len(instances_of_class)
    return area


def index_arrays(instances_of_class: Segments) -> Callable[[int], Any]:
    """Instances by video, looked up once per video: the fastest loop."""
    indices = {int(video): np.flatnonzero(instances_of_class.video == video) for video in instances_of_class.video}
    candidates = {
        video: (rows, instances_of_class.start[rows], instances_of_class.stop[rows]) for video, rows in indices.items()
    }
    return candidates.get


def index_table(instances_of_class: Segments) -> Callable[[int], Any]:
    """Instances by video, looked up in a table for each detection, as in ActivityNet's evaluator."""
    groups = to_table(instances_of_class).groupby("video")

    def find_instances(video: int) -> Any:
        try:
            group = groups.get_group(video).reset_index()
        except KeyError:
            return None
        return group["index"].to_numpy(), group["start"].to_numpy(), group["stop"].to_numpy()

    return find_instances


def to_table(segments: Segments) -> Any:
    import pandas as pd

    return pd.DataFrame({"video": segments.video, "start": segments.start, "stop": segments.stop})


def compute_tiou(start: float, stop: float, other_start: Floats, other_stop: Floats) -> Floats:
    shared = (np.minimum(stop, other_stop) - np.maximum(start, other_start)).clip(0)
    tiou: Floats = shared / ((stop - start) + (other_stop - other_start) - shared)
    return tiou


if __name__ == "__main__":
    main()
