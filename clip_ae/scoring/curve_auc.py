"""AUC of curves: the probability that a curve is higher in a snippet inside an action than in one outside.

The AUC of one video is the area under the ROC curve, with equal values counted half:
    AUC = mean over pairs (i inside, o outside) of [v_i > v_o] + [v_i = v_o] / 2
It is 1 if every snippet inside is higher, and 0.5 by chance. It does not depend on any threshold.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Annotation, VideoCurves
from clip_ae.scoring.segments import Bools, Floats

Spans = Sequence[tuple[float, float]]
# Weight of each class by cluster, as in map.json.
ClusterWeights = Mapping[str, Mapping[str, float]]


def compute_roc_auc(inside: Floats, outside: Floats) -> float:
    """Probability that a value of `inside` is above a value of `outside`; equal values count half."""
    ranked = np.sort(outside)
    below, not_above = (np.searchsorted(ranked, inside, side) for side in ("left", "right"))
    return float((below + not_above).mean() / (2 * len(outside)))


def mask_snippets(spans: Spans, num_snippets: int, grid: SnippetGrid) -> Bools:
    """Mask [num_snippets]: true where a snippet's centre is inside a span; a span has its start, but not its stop."""
    centres = np.array([grid.centre(k) for k in range(num_snippets)])
    mask = np.zeros(num_snippets, np.bool_)
    for start, stop in spans:
        mask |= (start <= centres) & (centres < stop)
    return mask


def measure_attention(
    curves: Mapping[str, VideoCurves], test: Mapping[str, Annotation], grid: SnippetGrid
) -> dict[str, Any]:
    """Mean AUC of attention over the videos that have snippets inside and outside of actions; None without any."""
    values = [
        _compute_video_auc(curves[i].attention, _list_spans(test[i]), test[i].ambiguous, grid)
        for i in sorted(curves.keys() & test.keys())
    ]
    return {"auc": _average(values), "videos": _count(values)}


def measure_activation(
    curves: Mapping[str, VideoCurves],
    test: Mapping[str, Annotation],
    grid: SnippetGrid,
    cluster_weights: ClusterWeights | None = None,
) -> dict[str, Any]:
    """Mean AUC of the activation of the true classes over pairs of a video and one of its classes.

    Inside is inside an action of the class. The activation of a class is the highest of its clusters, each times the
    class weight; without cluster_weights the labels of curves are classes. `pairs_without_curve` counts the pairs
    whose class was not among those that localize selected for the video: they have no activation and no AUC.
    """
    values: list[float | None] = []
    without_curve = 0
    for i in sorted(curves.keys() & test.keys()):
        for name in sorted({instance.label for instance in test[i].instances}):
            curve = _get_class_curve(curves[i], name, cluster_weights)
            if curve is None:
                without_curve += 1
            else:
                values.append(_compute_video_auc(curve, _list_spans(test[i], name), test[i].ambiguous, grid))
    return {"auc": _average(values), "pairs": _count(values), "pairs_without_curve": without_curve}


def _compute_video_auc(
    curve: Sequence[float] | Floats, spans: Spans, ambiguous: Spans, grid: SnippetGrid
) -> float | None:
    """AUC of one curve; None if all its snippets are inside, or none is. Ambiguous snippets are not outside."""
    values = np.asarray(curve, np.float64)
    inside_mask = mask_snippets(spans, len(values), grid)
    outside_mask = ~inside_mask & ~mask_snippets(ambiguous, len(values), grid)
    if not inside_mask.any() or not outside_mask.any():
        return None
    return compute_roc_auc(values[inside_mask], values[outside_mask])


def _get_class_curve(curves: VideoCurves, name: str, cluster_weights: ClusterWeights | None) -> Floats | None:
    """The activation of a class; None if the curves have none of its labels."""
    weights = (
        {name: 1.0}
        if cluster_weights is None
        else {cluster: classes[name] for cluster, classes in cluster_weights.items() if name in classes}
    )
    activations = [
        weight * np.asarray(curves.activation[label]) for label, weight in weights.items() if label in curves.activation
    ]
    return np.max(activations, axis=0) if activations else None


def _list_spans(annotation: Annotation, name: str | None = None) -> list[tuple[float, float]]:
    """Start and stop of the actions of a class, or of all classes."""
    return [(i.start, i.stop) for i in annotation.instances if name in (None, i.label)]


def _average(values: Iterable[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return float(np.mean(present)) if present else None


def _count(values: Iterable[float | None]) -> int:
    return sum(value is not None for value in values)
