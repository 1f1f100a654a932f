"""Perfect curves on the simulated worlds: what segments and scoring lose by themselves."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clip_ae.core.config.schema import Config
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Annotation
from clip_ae.data.annotations import read_annotations
from clip_ae.proposals.localize import localize
from clip_ae.proposals.segments import Floats
from clip_ae.proposals.smoothing_width import find_smoothing_width
from clip_ae.scoring.eval_input import build_eval_input
from clip_ae.scoring.evaluate import score_map
from clip_ae.workflow.config_files import load_project_config
from clip_ae.worlds.simulated_events import build_annotations, plan_videos

ROOT = Path(__file__).resolve().parents[2]
GRID = SnippetGrid()


@pytest.fixture(scope="module")
def config() -> Config:
    return load_project_config(ROOT)


def action_shares(annotation: Annotation, labels: list[str]) -> Floats:
    """[T, C]: the share of each snippet that is an action of the class."""
    starts = np.array([GRID.start(k) for k in range(GRID.count_snippets(annotation.duration))])
    shares = np.zeros((len(starts), len(labels)))
    for action in annotation.instances:
        overlap = np.minimum(starts + GRID.snippet_s, action.stop) - np.maximum(starts, action.start)
        column = shares[:, labels.index(action.label)]
        np.maximum(column, overlap.clip(0) / GRID.snippet_s, out=column)
    return shares


@pytest.mark.parametrize("dataset", ["simulated", "simulated_activitynet"])
def test_perfect_curves_score_94_or_more_and_are_not_smoothed(config: Config, dataset: str, tmp_path: Path) -> None:
    data = config.datasets[dataset]
    assert data.simulate is not None
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(build_annotations(data.simulate, plan_videos(data.simulate))))
    annotations = read_annotations(path)
    labels = sorted({action.label for a in annotations.values() for action in a.instances})
    shares = {i: action_shares(a, labels) for i, a in annotations.items()}
    test = {i: a for i, a in annotations.items() if a.subset == data.test_subset}
    detections = [
        detection
        for i, a in test.items()
        for detection in localize(
            i, np.ones(len(shares[i])), shares[i], (shares[i].max(axis=0) > 0).astype(float),
            labels=labels, settings=data.localization, grid=GRID, duration=a.duration,
        )
    ]  # fmt: skip
    scores = score_map(build_eval_input(test, {}, [], detections), replace(data.evaluation, bootstrap_samples=0))
    assert scores["average"][data.evaluation.tiou_ranges[-1]] >= 0.94
    others = [s[:, s.max(axis=0) > 0] for i, s in shares.items() if i not in test]
    assert find_smoothing_width(others) == 1
