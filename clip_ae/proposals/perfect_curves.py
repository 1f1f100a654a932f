"""Perfect curves: the share of each snippet that is an action. Bounds and tests use them; no method can."""

from collections.abc import Sequence

import numpy as np

from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Instance
from clip_ae.proposals.segments import Floats


def compute_action_shares(
    instances: Sequence[Instance], labels: Sequence[str], num_snippets: int, grid: SnippetGrid
) -> Floats:
    """[T, C]: the share of each snippet that is an action of the class; of overlapping actions the larger share."""
    starts = np.array([grid.start(k) for k in range(num_snippets)])
    columns = {label: c for c, label in enumerate(labels)}
    shares = np.zeros((num_snippets, len(labels)))
    for action in instances:
        overlap = np.minimum(starts + grid.snippet_s, action.stop) - np.maximum(starts, action.start)
        column = shares[:, columns[action.label]]
        np.maximum(column, overlap.clip(0) / grid.snippet_s, out=column)
    return shares
