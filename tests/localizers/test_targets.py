"""Labels and extents of the rows that a step happened to draw."""

import numpy as np
import torch

from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Label
from clip_ae.localizers.batch import Batch
from clip_ae.localizers.targets import TargetBuilder

GRID = SnippetGrid()
# The second label acts from 2.0 to 4.0 s: the middles of rows 3 (2.24 s), 4 and 5 (3.52 s).
LABELS = [Label("a", 0, "x"), Label("b", 0, "x"), Label("b", 2, "z", ((2.0, 4.0),))]


def test_extents_are_those_of_the_rows_drawn():
    batch = Batch(("b", "a"), {"rgb": torch.zeros(2, 4, 1)}, {"rgb": torch.ones(2, 4, dtype=torch.bool)})
    rows = {"b": np.array([0, 3, 5, 9]), "a": np.array([3, 4])}
    truth = TargetBuilder(LABELS, ("a", "b"), 3, GRID).build_targets(batch, rows)
    assert truth.labels.tolist() == [[1, 0, 1], [1, 0, 0]]
    assert truth.video_indices.tolist() == [1, 0]
    assert truth.snippet_labels is not None
    assert truth.snippet_labels[0].tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 1], [0, 0, 0]]
    assert not truth.snippet_labels[1].any()


def test_without_a_grid_nothing_says_where():
    batch = Batch(("b",), {"rgb": torch.zeros(1, 4, 1)}, {"rgb": torch.ones(1, 4, dtype=torch.bool)})
    assert TargetBuilder(LABELS, ("a", "b"), 3).build_targets(batch, {"b": np.arange(4)}).snippet_labels is None
