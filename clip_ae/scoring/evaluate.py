"""From detections to mAP: under every mapping of clusters to classes, with intervals, beside what chance would give."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from clip_ae.core.config.dataclass_config import to_canonical_json
from clip_ae.core.config.schema import Evaluation
from clip_ae.core.errors import UserError, suggest_name
from clip_ae.core.provenance import digest
from clip_ae.core.tiou_ranges import parse_tiou_ranges
from clip_ae.core.types import Annotation, Detection, Label
from clip_ae.scoring.average_precision import MatchedDetections, average_over_classes, compute_average_precision, match
from clip_ae.scoring.bootstrap import bootstrap_map
from clip_ae.scoring.bootstrap_io import Metrics, bootstrap_summary
from clip_ae.scoring.mapping import CLUSTER_MAPPINGS, apply_mapping
from clip_ae.scoring.segments import Floats, Ints, Segments, make_segments

CHANCE_SEED = 0


@dataclass(frozen=True)
class EvalInput:
    """Everything by number: detections carry clusters, ground truth carries classes.

    Where the run was told the classes, clusters are classes and need no mapping. Ambiguous segments have no class.
    """

    classes: list[str]
    clusters: list[str]
    labels_are_classes: bool
    videos: list[str]
    ground_truth: Segments
    detections: Segments
    ambiguous: Segments
    contingency: Ints


def build_eval_input(
    test: Mapping[str, Annotation],
    train: Mapping[str, Annotation],
    labels: Sequence[Label],
    detections: Sequence[Detection],
    *,
    labels_are_classes: bool = False,
) -> EvalInput:
    """Detections on videos outside the test set, or of a cluster without videos, are left out.

    Without labels to name clusters, detections carry classes.
    """
    classes = sorted(collect_labels([*test.values(), *train.values()]))
    names = sorted({label.label for label in labels}) or classes
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
    unclear = [(place[v], 0, *span, 1.0) for v in videos for span in test[v].ambiguous]
    return EvalInput(
        classes,
        names,
        labels_are_classes or not labels,
        videos,
        make_segments(truth),
        make_segments(found),
        make_segments(unclear),
        counts,
    )


def collect_labels(annotations: Iterable[Annotation]) -> set[str]:
    return {i.label for a in annotations for i in a.instances}


def refuse_unknown_labels(path: Path | str, detections: Sequence[Detection], known_labels: Iterable[str]) -> None:
    """Where detections carry classes, each must be one that some video of the ground truth shows."""
    classes = set(known_labels)
    for label in sorted({d.label for d in detections} - classes):
        hint = (
            "; clusters need names: evaluate takes --labels, diagnose --scores"
            if label.startswith("cluster-")
            else suggest_name(label, classes)
        )
        raise UserError(f"{path}: label '{label}' is no class of the ground truth{hint}")


def score_classes(eval_input: EvalInput, settings: Evaluation) -> dict[str, Any]:
    """The figures of map.json that need no clusters."""
    eval_input = round_to_grid(eval_input, settings.round_to_grid)
    return _scored(eval_input, _judged(eval_input, eval_input.detections, _identity(eval_input), settings), settings)


def score_chance(eval_input: EvalInput, settings: Evaluation) -> dict[str, Any]:
    """What detections that carry classes give when every video's classes are permuted."""
    eval_input = round_to_grid(eval_input, settings.round_to_grid)
    return _chance(eval_input, _identity(eval_input), settings)


def score_clusters(eval_input: EvalInput, settings: Evaluation) -> dict[str, Any]:
    """All figures of map.json: the headline mapping's at the top, every mapping's below."""
    eval_input = round_to_grid(eval_input, settings.round_to_grid)
    weights = {
        name: _identity(eval_input) if eval_input.labels_are_classes else rule(eval_input.contingency)
        for name, rule in CLUSTER_MAPPINGS.items()
    }
    judged = {name: _judged(eval_input, eval_input.detections, w, settings) for name, w in weights.items()}
    return {
        **_scored(eval_input, judged[settings.cluster_mapping], settings),
        "mapping": {
            "headline": settings.cluster_mapping,
            "contingency": _table(eval_input, eval_input.contingency),
            **{n: _mapped(eval_input, judged[n], weights[n], settings) for n in CLUSTER_MAPPINGS},
        },
        "chance": {
            **_chance(eval_input, weights[settings.cluster_mapping], settings),
            "shuffles": settings.chance_permutations,
        },
    }


def _scored(problem: EvalInput, judged: MatchedDetections, settings: Evaluation) -> dict[str, Any]:
    ap = compute_average_precision(judged, len(problem.classes))
    means = _means(ap, problem.ground_truth, settings)
    return {
        **means,
        "per_class": _per_class(problem, ap, settings),
        **(_bootstrapped(problem, judged, settings, means) if settings.bootstrap_samples else {}),
    }


def _mapped(problem: EvalInput, judged: MatchedDetections, weights: Floats, settings: Evaluation) -> dict[str, Any]:
    """One mapping's scores, and into how many detections it turned those that there are."""
    ap = compute_average_precision(judged, len(problem.classes))
    return {
        **_means(ap, problem.ground_truth, settings),
        "weights": _table(problem, weights),
        "detections": len(judged.detections),
    }


def _bootstrapped(
    problem: EvalInput, judged: MatchedDetections, settings: Evaluation, means: Metrics
) -> dict[str, Any]:
    """Intervals of every mAP, and the replicates behind them, which `compare` pairs with another file's."""
    replicates = bootstrap_map(judged, len(problem.classes), settings.bootstrap_samples, len(problem.videos))
    by_tiou = dict(zip(settings.tiou, replicates.T, strict=True))
    draws = {
        "mAP": {f"{t:g}": values for t, values in by_tiou.items()},
        "average": {name: np.mean([by_tiou[t] for t in inside], axis=0) for name, inside in _ranges(settings).items()},
    }
    rounded = f", rounded to {settings.round_to_grid:g} s" if settings.round_to_grid else ""
    return bootstrap_summary(
        means, draws, ground_truth_digest=_truth_digest(problem), protocol=f"{settings.protocol}{rounded}"
    )


def _truth_digest(problem: EvalInput) -> str:
    """What is scored against: replicates of two files can be paired where it is the same."""
    return digest(
        to_canonical_json([problem.videos, problem.classes, _rows(problem.ground_truth), _rows(problem.ambiguous)])
    )


def _rows(some: Segments) -> list[tuple[Any, ...]]:
    return sorted(zip(*(column.tolist() for column in (some.video, some.label, some.start, some.stop)), strict=True))


def round_to_grid(eval_input: EvalInput, step: float | None) -> EvalInput:
    """Ends of ground truth and detections at the nearest multiples, as some codes of the field score."""
    if step is None:
        return eval_input
    truth, detections, ambiguous = (
        replace(s, start=np.round(s.start / step) * step, stop=np.round(s.stop / step) * step)
        for s in (eval_input.ground_truth, eval_input.detections, eval_input.ambiguous)
    )
    return replace(eval_input, ground_truth=truth, detections=detections, ambiguous=ambiguous)


def _identity(problem: EvalInput) -> Floats:
    return np.array([[float(own == name) for name in problem.classes] for own in problem.clusters])


def find_main_class(annotation: Annotation) -> str:
    """The class with the most instances; of ties the first by name."""
    counts = Counter(i.label for i in annotation.instances)
    return min(counts, key=lambda label: (-counts[label], label))


def _judged(problem: EvalInput, detections: Segments, weights: Floats, settings: Evaluation) -> MatchedDetections:
    mapped = apply_mapping(weights, detections)
    return match(problem.ground_truth, mapped, settings.tiou, settings.protocol, problem.ambiguous)


def _chance(problem: EvalInput, weights: Floats, settings: Evaluation) -> dict[str, Any]:
    """Mean over random relabellings: segments and scores stay, every video's clusters swap names on their own.

    What is left is what the segments and the number of clusters give by themselves.
    """
    rng = np.random.default_rng(CHANCE_SEED)
    d = problem.detections
    names = np.tile(np.arange(len(problem.clusters)), (len(problem.videos), 1))
    total = np.zeros((len(settings.tiou), len(problem.classes)))
    for _ in range(settings.chance_permutations):
        label = rng.permuted(names, axis=1)[d.video, d.label]
        shuffled = Segments(d.video, label, d.start, d.stop, d.score)
        total += compute_average_precision(_judged(problem, shuffled, weights, settings), len(problem.classes))
    return _means(total / settings.chance_permutations, problem.ground_truth, settings)


def _means(ap: Floats, truth: Segments, settings: Evaluation) -> dict[str, dict[str, float]]:
    by_tiou = dict(zip(settings.tiou, average_over_classes(ap, truth).tolist(), strict=True))
    return {
        "mAP": {f"{t:g}": value for t, value in by_tiou.items()},
        "average": {name: float(np.mean([by_tiou[t] for t in inside])) for name, inside in _ranges(settings).items()},
    }


def _ranges(settings: Evaluation) -> dict[str, tuple[float, ...]]:
    return parse_tiou_ranges(settings.tiou_ranges, settings.tiou)


def _per_class(problem: EvalInput, ap: Floats, settings: Evaluation) -> dict[str, dict[str, float]]:
    scored = np.unique(problem.ground_truth.label)
    return {
        problem.classes[c]: {f"{t:g}": float(value) for t, value in zip(settings.tiou, ap[:, c], strict=True)}
        for c in scored
    }


def _table(problem: EvalInput, values: Ints | Floats) -> dict[str, dict[str, float]]:
    """The entries that are not 0, by cluster and class."""
    return {
        cluster: {name: value for name, value in zip(problem.classes, row, strict=True) if value}
        for cluster, row in zip(problem.clusters, values.tolist(), strict=True)
    }


def _places(names: Sequence[str]) -> dict[str, int]:
    return {name: i for i, name in enumerate(names)}
