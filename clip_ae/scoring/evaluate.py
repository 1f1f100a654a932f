"""From detections under cluster labels to mAP under every mapping, beside what chance would give."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clip_ae.core.averages import averaged
from clip_ae.core.config import Evaluation
from clip_ae.core.types import Annotation, Detection, Label
from clip_ae.scoring.average_precision import Floats, Ints, Segments, average_precision, mean_over_classes
from clip_ae.scoring.mapping import MAPPINGS, apply

CHANCE_SEED = 0


@dataclass(frozen=True)
class Problem:
    """Everything by number: detections carry clusters, ground truth carries classes.

    Where the run was told the classes, clusters are classes and need no mapping.
    """

    classes: list[str]
    clusters: list[str]
    told: bool
    videos: list[str]
    truth: Segments
    detections: Segments
    counts: Ints


def pose(
    test: Mapping[str, Annotation],
    train: Mapping[str, Annotation],
    labels: Sequence[Label],
    detections: Sequence[Detection],
    *,
    told: bool = False,
) -> Problem:
    """Detections on videos outside the test set, or of a cluster without videos, are left out."""
    classes = sorted({i.label for a in (*test.values(), *train.values()) for i in a.instances})
    names = sorted({label.label for label in labels})
    videos = sorted(test)
    place, row, column = _places(videos), _places(names), _places(classes)
    counts = np.zeros((len(names), len(classes)), np.int64)
    for label in labels:
        for name in {i.label for i in train[label.video_id].instances} if label.video_id in train else ():
            counts[row[label.label], column[name]] += 1
    truth = [(place[v], column[i.label], i.start, i.stop, 1.0) for v in videos for i in test[v].instances]
    found = [
        (place[d.video_id], row[d.label], d.start, d.stop, d.score)
        for d in detections
        if d.video_id in place and d.label in row
    ]
    return Problem(classes, names, told, videos, _segments(truth), _segments(found), counts)


def score(problem: Problem, settings: Evaluation) -> dict[str, Any]:
    """The figures of map.json: the headline mapping's at the top, every mapping's below."""
    weights = {name: _identity(problem) if problem.told else rule(problem.counts) for name, rule in MAPPINGS.items()}
    ap = {name: _ap(problem, problem.detections, w, settings) for name, w in weights.items()}
    return {
        **_means(problem, ap[settings.mapping], settings),
        "per_class": _per_class(problem, ap[settings.mapping], settings),
        "mapping": {
            "headline": settings.mapping,
            "contingency": _table(problem, problem.counts),
            **{n: {**_means(problem, ap[n], settings), "weights": _table(problem, weights[n])} for n in MAPPINGS},
        },
        "chance": {**_chance(problem, weights[settings.mapping], settings), "shuffles": settings.shuffles},
    }


def _identity(problem: Problem) -> Floats:
    return np.array([[float(own == name) for name in problem.classes] for own in problem.clusters])


def main_class(annotation: Annotation) -> str:
    """The class with the most instances; of ties the first by name."""
    counts = Counter(i.label for i in annotation.instances)
    return min(counts, key=lambda label: (-counts[label], label))


def _ap(problem: Problem, detections: Segments, weights: Floats, settings: Evaluation) -> Floats:
    return average_precision(problem.truth, apply(weights, detections), settings.tiou, len(problem.classes))


def _chance(problem: Problem, weights: Floats, settings: Evaluation) -> dict[str, Any]:
    """Mean over random relabellings: segments and scores stay, every video's clusters swap names on their own.

    What is left is what the segments and the number of clusters give by themselves.
    """
    rng = np.random.default_rng(CHANCE_SEED)
    d = problem.detections
    names = np.tile(np.arange(len(problem.clusters)), (len(problem.videos), 1))
    total = np.zeros((len(settings.tiou), len(problem.classes)))
    for _ in range(settings.shuffles):
        label = rng.permuted(names, axis=1)[d.video, d.label]
        total += _ap(problem, Segments(d.video, label, d.start, d.stop, d.score), weights, settings)
    return _means(problem, total / settings.shuffles, settings)


def _means(problem: Problem, ap: Floats, settings: Evaluation) -> dict[str, dict[str, float]]:
    by_tiou = dict(zip(settings.tiou, mean_over_classes(ap, problem.truth).tolist(), strict=True))
    return {
        "mAP": {f"{t:g}": value for t, value in by_tiou.items()},
        "average": {
            text: float(np.mean([by_tiou[t] for t in averaged(text, settings.tiou)])) for text in settings.averages
        },
    }


def _per_class(problem: Problem, ap: Floats, settings: Evaluation) -> dict[str, dict[str, float]]:
    scored = np.unique(problem.truth.label)
    return {
        problem.classes[c]: {f"{t:g}": float(value) for t, value in zip(settings.tiou, ap[:, c], strict=True)}
        for c in scored
    }


def _table(problem: Problem, values: Ints | Floats) -> dict[str, dict[str, float]]:
    """The entries that are not 0, by cluster and class."""
    return {
        cluster: {name: value for name, value in zip(problem.classes, row, strict=True) if value}
        for cluster, row in zip(problem.clusters, values.tolist(), strict=True)
    }


def _places(names: Sequence[str]) -> dict[str, int]:
    return {name: i for i, name in enumerate(names)}


def _segments(rows: Sequence[tuple[int, int, float, float, float]]) -> Segments:
    video, label, start, stop, score = np.asarray(rows, np.float64).reshape(-1, 5).T
    return Segments(video.astype(np.int64), label.astype(np.int64), start, stop, score)
