"""What a trained model's curves look like in its training videos: input of the choice of curves. No annotations."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.config.dataclass_config import parse_dataclass
from clip_ae.core.errors import UserError
from clip_ae.core.types import Label
from clip_ae.localizers.feature_table import FeatureTable
from clip_ae.localizers.inference import predict_branches
from clip_ae.localizers.localizer import Localizer
from clip_ae.proposals.curve_choice import CurveStatistics
from clip_ae.proposals.segments import Floats
from clip_ae.proposals.smoothing_width import find_smoothing_width


def measure_curves(localizer: Localizer, feature_table: FeatureTable, labels: Sequence[Label]) -> CurveStatistics:
    """Statistics of the curves of the training videos, for the classes that each video was trained with."""
    classes: dict[str, list[int]] = {}
    for label in labels:
        classes.setdefault(label.video_id, []).append(label.cluster)
    attention_shares, activation_shares = [], []
    activations: dict[str, list[Floats]] = {}
    for video_id in feature_table.video_ids:
        by_branch = predict_branches(localizer, feature_table, video_id)
        own = {name: branch.activation[:, classes[video_id]] for name, branch in by_branch.items()}
        attention_shares.append(effective_share(np.mean([branch.attention for branch in by_branch.values()], axis=0)))
        activation_shares.append(effective_share(np.mean(list(own.values()), axis=0)).mean())
        for name, activation in own.items():
            activations.setdefault(name, []).append(activation)
    return CurveStatistics(
        attention_share=float(np.mean(attention_shares)),
        activation_share=float(np.mean(activation_shares)),
        smoothing_snippets=find_smoothing_width(activations),
    )


def read_curve_statistics(metadata: Mapping[str, Any]) -> CurveStatistics:
    """The statistics in the metadata of a model file."""
    if "curve_statistics" not in metadata:
        raise UserError("the model is of an earlier version, which did not measure its curves; train it again")
    return parse_dataclass(CurveStatistics, metadata["curve_statistics"], "curve_statistics")


def effective_share(curves: Floats) -> NDArray[np.float64]:
    """(sum c)^2 / (T sum c^2) of curves [T] or [T, C], over T; 0 for curves of zeros."""
    squares = len(curves) * (curves**2).sum(axis=0)
    return np.asarray(curves.sum(axis=0) ** 2 / np.where(squares > 0, squares, 1.0))
