"""Score detections by mAP: under each mapping of clusters to classes, with bootstrap intervals and the chance level."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from clip_ae.core.config.dataclass_config import to_canonical_json
from clip_ae.core.config.schema import Evaluation
from clip_ae.core.provenance import digest
from clip_ae.core.tiou_ranges import parse_tiou_ranges
from clip_ae.scoring.average_precision import MatchedDetections, average_over_classes, compute_average_precision, match
from clip_ae.scoring.bootstrap import bootstrap_map
from clip_ae.scoring.bootstrap_io import Metrics, bootstrap_summary
from clip_ae.scoring.eval_input import EvalInput, round_times
from clip_ae.scoring.frame_scores import compute_frame_class_ap, draw_frame_map, score_frame_map
from clip_ae.scoring.mapping import CLUSTER_MAPPINGS, apply_mapping
from clip_ae.scoring.segments import Floats, Ints, Segments

CHANCE_SEED = 0


def score_classes(eval_input: EvalInput, settings: Evaluation) -> dict[str, Any]:
    """The metrics of map.json that need no clusters."""
    eval_input = round_times(eval_input, settings.round_to_grid)
    matches = _match_mapped(eval_input, eval_input.detections, _build_identity(eval_input), settings)
    return _score_matches(eval_input, matches, settings)


def score_chance(eval_input: EvalInput, settings: Evaluation) -> dict[str, Any]:
    """Chance level of detections that carry classes: the classes are permuted in each video."""
    eval_input = round_times(eval_input, settings.round_to_grid)
    return _score_permuted(eval_input, _build_identity(eval_input), settings)


def score_clusters(eval_input: EvalInput, settings: Evaluation) -> dict[str, Any]:
    """All metrics of map.json: those of settings.cluster_mapping at the top, those of each mapping under `mapping`."""
    eval_input = round_times(eval_input, settings.round_to_grid)
    main_mapping = settings.cluster_mapping
    weights = {name: _weigh_classes(eval_input, name) for name in CLUSTER_MAPPINGS}
    # Matches take some 100 MB for a million detections: only those of one mapping are there at a time.
    main_weights = weights[main_mapping]
    return {
        **_score_matches(
            eval_input, _match_mapped(eval_input, eval_input.detections, main_weights, settings), settings
        ),
        "mapping": {
            "headline": main_mapping,
            "contingency": _build_nested_table(eval_input, eval_input.contingency),
            **{name: _score_mapping(eval_input, weights[name], settings) for name in CLUSTER_MAPPINGS},
        },
        "chance": {
            **_score_permuted(eval_input, main_weights, settings),
            "shuffles": settings.chance_permutations,
        },
    }


def score_map(eval_input: EvalInput, settings: Evaluation) -> dict[str, dict[str, float]]:
    """Only mAP and its averages, with classes as labels or under settings.cluster_mapping."""
    eval_input = round_times(eval_input, settings.round_to_grid)
    weights = _weigh_classes(eval_input, settings.cluster_mapping)
    matches = _match_mapped(eval_input, eval_input.detections, weights, settings)
    return _average_all(eval_input, matches, compute_average_precision(matches, len(eval_input.classes)), settings)


def _score_matches(eval_input: EvalInput, matches: MatchedDetections, settings: Evaluation) -> dict[str, Any]:
    """mAP, averages, AP of each class, and their bootstrap intervals if the settings ask for draws."""
    ap = compute_average_precision(matches, len(eval_input.classes))
    metrics = _average_all(eval_input, matches, ap, settings)
    frame_class_ap = compute_frame_class_ap(eval_input, matches.detections, settings)
    return {
        **metrics,
        "per_class": _list_class_ap(eval_input, ap, settings),
        **({"frame_AP": frame_class_ap} if frame_class_ap else {}),
        **(_bootstrap(eval_input, matches, settings, metrics) if settings.bootstrap_samples else {}),
    }


def _score_mapping(eval_input: EvalInput, weights: Floats, settings: Evaluation) -> dict[str, Any]:
    """The scores of one mapping, and the number of detections after it."""
    matches = _match_mapped(eval_input, eval_input.detections, weights, settings)
    ap = compute_average_precision(matches, len(eval_input.classes))
    return {
        **_average_all(eval_input, matches, ap, settings),
        "weights": _build_nested_table(eval_input, weights),
        "detections": len(matches.detections),
    }


def _bootstrap(
    eval_input: EvalInput, matches: MatchedDetections, settings: Evaluation, metrics: Metrics
) -> dict[str, Any]:
    """Interval of each mAP and average, and the draws, which `compare` pairs with those of another file."""
    map_draws = bootstrap_map(matches, len(eval_input.classes), settings.bootstrap_samples, len(eval_input.videos))
    by_tiou = dict(zip(settings.tiou, map_draws.T, strict=True))
    draws = {
        "mAP": {f"{t:g}": values for t, values in by_tiou.items()},
        "average": {
            name: np.mean([by_tiou[t] for t in thresholds], axis=0)
            for name, thresholds in _get_tiou_ranges(settings).items()
        },
        **draw_frame_map(eval_input, matches.detections, settings),
    }
    rounding = f", rounded to {settings.round_to_grid:g} s" if settings.round_to_grid else ""
    frames = f", {settings.frame_protocol} frames" if settings.frame_protocol else ""
    return bootstrap_summary(
        metrics,
        draws,
        ground_truth_digest=_compute_ground_truth_digest(eval_input, settings),
        protocol=f"{settings.protocol}{rounding}{frames}",
    )


def _compute_ground_truth_digest(eval_input: EvalInput, settings: Evaluation) -> str:
    """Digest of the videos, classes and segments of the test set; files with equal digests can be compared in pairs.

    Durations are in it only if frames are scored: segments do not depend on them.
    """
    rows = [_list_sorted_rows(segments) for segments in (eval_input.ground_truth, eval_input.ambiguous)]
    durations = [eval_input.durations.tolist()] if settings.frame_protocol else []
    return digest(to_canonical_json([eval_input.videos, eval_input.classes, *rows, *durations]))


def _list_sorted_rows(segments: Segments) -> list[tuple[Any, ...]]:
    columns = (segments.video, segments.label, segments.start, segments.stop)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


def _weigh_classes(eval_input: EvalInput, mapping: str) -> Floats:
    """Weights [clusters, classes] of a mapping; the identity if labels are classes."""
    if eval_input.labels_are_classes:
        return _build_identity(eval_input)
    return CLUSTER_MAPPINGS[mapping](eval_input.contingency)


def _build_identity(eval_input: EvalInput) -> Floats:
    """Weights [clusters, classes]: 1 where cluster and class have the same name."""
    return np.array([[float(cluster == name) for name in eval_input.classes] for cluster in eval_input.clusters])


def _match_mapped(
    eval_input: EvalInput, detections: Segments, weights: Floats, settings: Evaluation
) -> MatchedDetections:
    mapped = apply_mapping(weights, detections)
    return match(eval_input.ground_truth, mapped, settings.tiou, settings.protocol, eval_input.ambiguous)


def _score_permuted(eval_input: EvalInput, weights: Floats, settings: Evaluation) -> dict[str, Any]:
    """Chance level: mean over random permutations of the clusters, drawn for each video; segments and scores stay.

    It shows the score that the segments and the number of clusters alone give.
    """
    rng = np.random.default_rng(CHANCE_SEED)
    d = eval_input.detections
    clusters = np.tile(np.arange(len(eval_input.clusters)), (len(eval_input.videos), 1))
    total = np.zeros((len(settings.tiou), len(eval_input.classes)))
    frame_scores = []
    for _ in range(settings.chance_permutations):
        label = rng.permuted(clusters, axis=1)[d.video, d.label]
        permuted = Segments(d.video, label, d.start, d.stop, d.score)
        matches = _match_mapped(eval_input, permuted, weights, settings)
        total += compute_average_precision(matches, len(eval_input.classes))
        frame_scores.append(score_frame_map(eval_input, matches.detections, settings))
    return {
        **_average_scores(frame_scores),
        **_average_ap(total / settings.chance_permutations, eval_input.ground_truth, settings),
    }


def _average_scores(scores: Sequence[Metrics]) -> dict[str, dict[str, float]]:
    """Mean of each score, by kind and column."""
    return {
        kind: {c: float(np.mean([s[kind][c] for s in scores])) for c in columns} for kind, columns in scores[0].items()
    }


def _average_all(
    eval_input: EvalInput, matches: MatchedDetections, ap: Floats, settings: Evaluation
) -> dict[str, dict[str, float]]:
    """mAP of frames if the settings ask for it, mAP by tIoU, and its average over each range."""
    return {
        **score_frame_map(eval_input, matches.detections, settings),
        **_average_ap(ap, eval_input.ground_truth, settings),
    }


def _average_ap(ap: Floats, ground_truth: Segments, settings: Evaluation) -> dict[str, dict[str, float]]:
    """mAP by tIoU, and its average over each range of tIoU."""
    by_tiou = dict(zip(settings.tiou, average_over_classes(ap, ground_truth).tolist(), strict=True))
    return {
        "mAP": {f"{t:g}": value for t, value in by_tiou.items()},
        "average": {
            name: float(np.mean([by_tiou[t] for t in thresholds]))
            for name, thresholds in _get_tiou_ranges(settings).items()
        },
    }


def _get_tiou_ranges(settings: Evaluation) -> dict[str, tuple[float, ...]]:
    return parse_tiou_ranges(settings.tiou_ranges, settings.tiou)


def _list_class_ap(eval_input: EvalInput, ap: Floats, settings: Evaluation) -> dict[str, dict[str, float]]:
    """AP by class and tIoU, of the classes that occur in the ground truth."""
    return {
        eval_input.classes[c]: {f"{t:g}": float(value) for t, value in zip(settings.tiou, ap[:, c], strict=True)}
        for c in np.unique(eval_input.ground_truth.label)
    }


def _build_nested_table(eval_input: EvalInput, values: Ints | Floats) -> dict[str, dict[str, float]]:
    """The nonzero entries of values [clusters, classes], by cluster and class."""
    return {
        cluster: {name: value for name, value in zip(eval_input.classes, row, strict=True) if value}
        for cluster, row in zip(eval_input.clusters, values.tolist(), strict=True)
    }
