"""Perfect curves on the simulated worlds: what segments and scoring lose by themselves."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clip_ae.core.config.schema import Config
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Annotation, Instance
from clip_ae.data.annotations import read_annotations
from clip_ae.pipeline.perfect_curves import VideoLength, detect_from_annotations
from clip_ae.proposals.perfect_curves import compute_action_shares
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
    return compute_action_shares(annotation.instances, labels, GRID.count_snippets(annotation.duration), GRID)


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
    videos = [VideoLength(i, GRID.count_snippets(a.duration), a.duration) for i, a in test.items()]
    detections = detect_from_annotations(test, videos, data.localization, GRID)
    scores = score_map(build_eval_input(test, {}, [], detections), replace(data.evaluation, bootstrap_samples=0))
    assert scores["average"][data.evaluation.tiou_ranges[-1]] >= 0.94
    others = [s[:, s.max(axis=0) > 0] for i, s in shares.items() if i not in test]
    assert find_smoothing_width({"": others}) == 1


def test_shares_of_snippets_that_are_partly_an_action() -> None:
    """Ends within a snippet, two overlapping actions of one class, an action outside the video, another class."""
    instances = (
        Instance("a", 0.5 * GRID.stride_s, 1.25 * GRID.stride_s),
        Instance("a", 1.0 * GRID.stride_s, 1.75 * GRID.stride_s),
        Instance("b", 2.0 * GRID.stride_s, 9.0 * GRID.stride_s),
        Instance("b", 20.0, 30.0),
    )
    shares = compute_action_shares(instances, ["a", "b"], 4, GRID)
    assert np.allclose(shares, [[0.5, 0], [0.75, 0], [0, 1], [0, 1]])
