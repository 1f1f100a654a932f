"""Labels of videos and of the drawn snippets."""

import numpy as np
import torch

from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Label
from clip_ae.localizers.batch import Batch
from clip_ae.localizers.targets import TargetBuilder

GRID = SnippetGrid()
# Video b has label z from 2.0 to 4.0 s: the middles of snippets 3 (2.24 s), 4 and 5 (3.52 s) are inside.
LABELS = [Label("a", 0, "x"), Label("b", 0, "x"), Label("b", 2, "z", ((2.0, 4.0),))]


def test_snippet_labels_are_those_of_the_drawn_rows():
    batch = Batch(("b", "a"), {"rgb": torch.zeros(2, 4, 1)}, {"rgb": torch.ones(2, 4, dtype=torch.bool)})
    rows = {"b": np.array([0, 3, 5, 9]), "a": np.array([3, 4])}
    targets = TargetBuilder(LABELS, ("a", "b"), 3, GRID).build_targets(batch, rows)
    assert targets.labels.tolist() == [[1, 0, 1], [1, 0, 0]]
    assert targets.video_indices.tolist() == [1, 0]
    assert targets.snippet_labels is not None
    assert targets.snippet_labels[0].tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 1], [0, 0, 0]]
    assert not targets.snippet_labels[1].any()


def test_without_a_grid_there_are_no_snippet_labels():
    batch = Batch(("b",), {"rgb": torch.zeros(1, 4, 1)}, {"rgb": torch.ones(1, 4, dtype=torch.bool)})
    assert TargetBuilder(LABELS, ("a", "b"), 3).build_targets(batch, {"b": np.arange(4)}).snippet_labels is None
