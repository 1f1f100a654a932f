"""Ridge regression against a direct solution in float64, its cross-validation, and its place in training."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from clip_ae.core.config.methods import LocalizerConfig
from clip_ae.core.config.streams import StreamRoles
from clip_ae.core.config.training import Training
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Label, VideoFeatures
from clip_ae.localizers import ridge
from clip_ae.localizers.feature_table import FeatureTable
from clip_ae.localizers.inference import predict_video
from clip_ae.localizers.targets import TargetBuilder
from clip_ae.localizers.trainer import Trainer, create_learner, train_localizer

ROLES = StreamRoles(("a", "b"))
DIMS = {"a": 4, "b": 3}
GRID = SnippetGrid(fps=1, frames=1, stride=1)


def draw_rows(seed: int, videos: int, dim: int = 5, classes: int = 2) -> list[tuple[Tensor, Tensor]]:
    rng = torch.Generator().manual_seed(seed)
    truth = torch.randn(dim, classes, generator=rng, dtype=torch.float64)
    rows = []
    for k in range(videos):
        x = torch.randn(3 + k % 4, dim, generator=rng, dtype=torch.float64) + 1
        rows.append((x, x @ truth + 0.5 * torch.randn(len(x), classes, generator=rng, dtype=torch.float64)))
    return rows


def repeat_evenly(rows: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """All rows, each as often as gives every video the same number of them: 60 is a multiple of 3, 4, 5 and 6."""
    x, y = zip(*((a.repeat(60 // len(a), 1), b.repeat(60 // len(b), 1)) for a, b in rows), strict=True)
    return torch.cat(x), torch.cat(y)


def solve_directly(x: Tensor, y: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
    """Least squares with the penalty as extra rows, on centred data."""
    mean_x, mean_y, n = x.mean(dim=0), y.mean(dim=0), len(x)
    centred = x - mean_x
    strength = penalty * (centred.square().sum() / n / x.shape[1])
    stacked = torch.cat([centred, (strength * n).sqrt() * torch.eye(x.shape[1], dtype=x.dtype)])
    target = torch.cat([y - mean_y, torch.zeros(x.shape[1], y.shape[1], dtype=x.dtype)])
    weights = torch.linalg.lstsq(stacked, target).solution
    return weights, mean_y - mean_x @ weights


@pytest.mark.parametrize("penalty", [1e-3, 0.1, 10.0])
def test_the_weights_are_those_of_a_direct_solution(penalty: float) -> None:
    rows = draw_rows(0, 7)
    x, y = repeat_evenly(rows)
    weights, bias = ridge.solve(ridge.sum_moments(ridge.sum_folds(iter(rows))), penalty)
    expected, expected_bias = solve_directly(x, y, penalty)
    torch.testing.assert_close(weights, expected)
    torch.testing.assert_close(bias, expected_bias)


def test_the_penalty_has_the_smallest_error_on_videos_left_out() -> None:
    rows = draw_rows(1, 11)
    errors = []
    for penalty in ridge.PENALTIES:
        error = 0.0
        for fold in range(ridge.NUM_FOLDS):
            train = [row for k, row in enumerate(rows) if k % ridge.NUM_FOLDS != fold]
            weights, bias = solve_directly(*repeat_evenly(train), penalty)
            left_out = [row for k, row in enumerate(rows) if k % ridge.NUM_FOLDS == fold]
            error += sum(float((a @ weights + bias - b).square().sum()) / len(a) for a, b in left_out)
        errors.append(error / len(rows))
    penalty, error = ridge.choose_penalty(ridge.sum_folds(iter(rows)))
    assert penalty == ridge.PENALTIES[int(np.argmin(errors))]
    assert error == pytest.approx(min(errors))


@settings(max_examples=25)
@given(seed=st.integers(0, 1000), videos=st.integers(1, 9))
def test_moments_add_up_and_centring_needs_no_rows(seed: int, videos: int) -> None:
    rows = draw_rows(seed, videos)
    moments = ridge.sum_moments(ridge.sum_folds(iter(rows)))
    x, y = repeat_evenly(rows)
    assert moments.count == videos
    torch.testing.assert_close(moments.xx, x.T @ x / 60)
    mean_x, mean_y = x.mean(dim=0), y.mean(dim=0)
    centred = moments.centred(mean_x, mean_y)
    torch.testing.assert_close(centred.xx, (x - mean_x).T @ (x - mean_x) / 60)
    torch.testing.assert_close(centred.xy, (x - mean_x).T @ (y - mean_y) / 60)
    torch.testing.assert_close(centred.yy, (y - mean_y).square().sum(dim=0) / 60)


def test_a_video_without_rows_is_left_out() -> None:
    rows = draw_rows(3, 6)
    empty = (torch.zeros(0, 5, dtype=torch.float64), torch.zeros(0, 2, dtype=torch.float64))
    for a, b in zip(ridge.sum_folds(iter(rows)), ridge.sum_folds(iter([empty, *rows])), strict=True):
        assert torch.equal(a.xx, b.xx)


def create_trainer(*, with_extents: bool = False) -> Trainer:
    """Six videos of two classes; the class is in the first value of stream a, in the first half of a video only."""
    rng = np.random.default_rng(0)
    times = np.arange(8.0)
    streams: dict[str, dict[str, VideoFeatures]] = {"a": {}, "b": {}}
    for number in range(6):
        for name, dim in DIMS.items():
            feature = rng.normal(0, 0.1, (8, dim))
            if name == "a":
                feature[:4, 0] += 1 if number % 2 else -1
            coverage = np.ones(8, np.float32)
            video = VideoFeatures(f"v{number}", times, times + 1, coverage, feature.astype(np.float16))
            streams[name][video.video_id] = video
    streams["b"]["v0"].coverage[7] = 0
    labels = [Label(f"v{n}", n % 2, "xy"[n % 2], ((0.0, 4.0),) if with_extents else ()) for n in range(6)]
    config = LocalizerConfig(method="ridge", roles=ROLES, dims=DIMS, labels=("x", "y"), width=4, num_videos=6)
    table = FeatureTable(streams, "cpu")
    targets = TargetBuilder(labels, table.video_ids, 2, GRID if with_extents else None)
    return Trainer(create_learner(config, 50, 0), table, targets, Training(steps=50), {}, 0, "cpu")


def test_training_is_one_step_and_finds_the_class_of_every_video() -> None:
    trainer = create_trainer()
    lines = train_localizer(trainer)
    assert [line["step"] for line in lines] == [1]
    assert lines[0]["diagnostics"]["penalty"] in ridge.PENALTIES
    for number in range(6):
        prediction = predict_video(
            trainer.learner.final_localizer.eval(), trainer.feature_table, f"v{number}", stream_weights={}
        )
        assert prediction.scores.argmax() == number % 2
        assert ((prediction.activation >= 0) & (prediction.activation <= 1)).all()
        activation = prediction.activation[:, number % 2]
        assert activation[:4].min() > activation[4:7].max()


def test_with_extents_snippets_outside_actions_have_no_label() -> None:
    trainer = create_trainer(with_extents=True)
    train_localizer(trainer)
    prediction = predict_video(trainer.learner.final_localizer.eval(), trainer.feature_table, "v1", stream_weights={})
    without = create_trainer()
    train_localizer(without)
    weak = predict_video(without.learner.final_localizer.eval(), without.feature_table, "v1", stream_weights={})
    assert prediction.activation[4:, 1].mean() < weak.activation[4:, 1].mean() - 0.1


def test_snippets_that_a_stream_lacks_are_not_fitted() -> None:
    trainer = create_trainer()
    learner = trainer.learner
    assert isinstance(learner, ridge.RidgeLearner)
    rows: Iterator[tuple[Tensor, Tensor]] = learner._rows_by_video(trainer.feature_table, trainer.target_builder)
    assert [len(x) for x, _ in rows] == [7, 8, 8, 8, 8, 8]


def test_one_video_and_constant_features_give_finite_weights() -> None:
    x, y = torch.ones(4, 3, dtype=torch.float64), torch.tensor([[1.0, 0.0]] * 4, dtype=torch.float64)
    folds = ridge.sum_folds(iter([(x, y)]))
    weights, bias = ridge.solve(ridge.sum_moments(folds), ridge.choose_penalty(folds)[0])
    assert torch.isfinite(weights).all()
    torch.testing.assert_close(x @ weights + bias, y)
