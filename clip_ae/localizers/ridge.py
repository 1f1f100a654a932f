"""The closed form of ridge regression, with lambda by cross-validation over videos.

With the mean of features and labels subtracted, W = (X^T X / n + lambda I)^-1 X^T Y / n. lambda is a factor on the mean
eigenvalue of X^T X / n; the one with the smallest squared error on videos left out is taken. Each video counts the
same, however many snippets it has: otherwise the class of a few long videos is found everywhere.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from clip_ae.core.config.methods import LocalizerConfig
from clip_ae.localizers.batch import common_mask
from clip_ae.localizers.feature_table import FeatureTable
from clip_ae.localizers.learner import Learner
from clip_ae.localizers.localizer import Localizer
from clip_ae.localizers.shared_branch import BRANCH
from clip_ae.localizers.targets import TargetBuilder

NUM_FOLDS = 5
PENALTIES = tuple(10.0 ** (exponent / 2) for exponent in range(-8, 5))


@dataclass(frozen=True)
class Moments:
    """Sums over videos of the means of their rows x [D], y [C], in float64: 1, x, y, x x^T, x y^T, and y^2 by class."""

    count: Tensor
    x: Tensor
    y: Tensor
    xx: Tensor
    xy: Tensor
    yy: Tensor

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))

    def centred(self, mean_x: Tensor, mean_y: Tensor) -> "Moments":
        """The sums of the same rows with these means subtracted."""
        outer_xx = torch.outer(self.x, mean_x)
        outer_xy = torch.outer(self.x, mean_y) + torch.outer(mean_x, self.y)
        return Moments(
            self.count,
            self.x - self.count * mean_x,
            self.y - self.count * mean_y,
            self.xx - outer_xx - outer_xx.T + self.count * torch.outer(mean_x, mean_x),
            self.xy - outer_xy + self.count * torch.outer(mean_x, mean_y),
            self.yy - 2 * self.y * mean_y + self.count * mean_y.square(),
        )


class RidgeLearner(Learner):
    """A learner that is fitted at once."""

    def fit(self, table: FeatureTable, target_builder: TargetBuilder) -> dict[str, float]:
        """Set the weights of the classifier. Returns the factor of lambda and the error on videos left out."""
        folds = sum_folds(self._rows_by_video(table, target_builder))
        penalty, error = choose_penalty(folds)
        weights, bias = solve(sum_moments(folds), penalty)
        classifier = cast(nn.Linear, self.localizer.head.branches[BRANCH].classifier)
        with torch.no_grad():
            classifier.weight.copy_(weights.T)
            classifier.bias.copy_(bias)
        return {"penalty": penalty, "squared_error": error}

    def _rows_by_video(self, table: FeatureTable, target_builder: TargetBuilder) -> Iterator[tuple[Tensor, Tensor]]:
        """Features [T, D] and labels [T, C] of the real snippets of each video."""
        names = self.localizer.cbp_streams
        for video_id in table.video_ids:
            rows = np.arange(table.lengths[video_id])
            # A very long video is not cut into parts: each video counts the same.
            batch = self.localizer.prepare_batch(table.batch([video_id], {video_id: rows}))
            targets = target_builder.build_targets(batch, {video_id: rows})
            mask = common_mask(batch.masks, names)[0]
            x = torch.cat([batch.features[name][0] for name in names], dim=-1)[mask].double()
            labels = targets.labels[:, None] if targets.snippet_labels is None else targets.snippet_labels
            yield x, labels[0].expand(len(mask), -1)[mask].double()


def sum_folds(rows_by_video: Iterator[tuple[Tensor, Tensor]]) -> list[Moments]:
    """The moments of every fold: video k is in fold k modulo NUM_FOLDS. A video without rows is left out."""
    folds: list[Moments] = []
    for k, (x, y) in enumerate((x, y) for x, y in rows_by_video if len(x)):
        count = torch.ones((), dtype=torch.float64, device=x.device)
        moments = Moments(
            count, x.mean(dim=0), y.mean(dim=0), x.T @ x / len(x), x.T @ y / len(x), y.square().mean(dim=0)
        )
        if k < NUM_FOLDS:
            folds.append(moments)
        else:
            folds[k % NUM_FOLDS] += moments
    return folds


def sum_moments(folds: list[Moments]) -> Moments:
    total = folds[0]
    for moments in folds[1:]:
        total = total + moments
    return total


def choose_penalty(folds: list[Moments]) -> tuple[float, float]:
    """The factor of lambda with the smallest mean squared error on the fold left out, and that error.

    With one fold there is nothing to leave out: the middle factor.
    """
    if len(folds) < 2:
        return PENALTIES[len(PENALTIES) // 2], float("nan")
    errors = torch.zeros(len(PENALTIES), dtype=torch.float64)
    for k, held_out in enumerate(folds):
        errors += _held_out_errors(sum_moments([*folds[:k], *folds[k + 1 :]]), held_out)
    best = int(errors.argmin())
    return PENALTIES[best], float(errors[best] / sum_moments(folds).count)


def solve(moments: Moments, penalty: float) -> tuple[Tensor, Tensor]:
    """W [D, C] and b [C]."""
    mean_x, mean_y = moments.x / moments.count, moments.y / moments.count
    centred = moments.centred(mean_x, mean_y)
    gram = centred.xx / moments.count
    # A floor, because features that are all equal have no variance.
    strength = (penalty * gram.diagonal().mean()).clamp(min=1e-12)
    identity = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    weights = torch.linalg.solve(gram + strength * identity, centred.xy / moments.count)
    return weights, mean_y - mean_x @ weights


def _held_out_errors(train: Moments, held_out: Moments) -> Tensor:
    """The mean squared error of each video left out, summed, for each of PENALTIES.

    In the eigenvectors of the Gram matrix, one decomposition gives the weights of all penalties.
    """
    mean_x, mean_y = train.x / train.count, train.y / train.count
    fitted, test = train.centred(mean_x, mean_y), held_out.centred(mean_x, mean_y)
    values, vectors = torch.linalg.eigh(fitted.xx / train.count)
    projected = vectors.T @ (fitted.xy / train.count)
    test_xx, test_xy = vectors.T @ test.xx @ vectors, vectors.T @ test.xy
    errors = []
    for penalty in PENALTIES:
        weights = projected / (values + penalty * values.mean()).clamp(min=1e-12)[:, None]
        errors.append((test.yy.sum() - 2 * (weights * test_xy).sum() + (weights * (test_xx @ weights)).sum()).cpu())
    return torch.stack(errors)


def build(localizer: Localizer, config: LocalizerConfig, steps: int) -> RidgeLearner:
    return RidgeLearner(localizer, steps)
