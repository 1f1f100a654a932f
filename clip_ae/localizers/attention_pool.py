"""Descriptor of later rounds: snippets count as much as the previous round's model attends to them.

Each stream is pooled with its own attention, a_t / sum a, as in TCAM; there the attention is a softmax
over time. Here it keeps the form in which the head pools videos itself (a sigmoid's value, normalised).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.types import Streams
from clip_ae.localizers.checkpoint import restore
from clip_ae.localizers.inference import output

Weights = dict[str, dict[str, NDArray[np.float64]]]


def weights(streams: Streams, tensors: Mapping[str, NDArray[Any]], known: Mapping[str, Any], device: str) -> Weights:
    head = restore(tensors, known, device)
    found: Weights = {name: {} for name in streams}
    for video_id in next(iter(streams.values())):
        for name, attention in output(head, streams, video_id, device).attention.items():
            found[name][video_id] = _normalised(attention[0].cpu().numpy().astype(np.float64))
    return found


def _normalised(attention: NDArray[np.float64]) -> NDArray[np.float64]:
    total = float(attention.sum())
    return attention / total if total > 0 else attention
