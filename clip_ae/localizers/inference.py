"""A trained head's curves of one video, at native length: no sampling, no neighbours in the batch."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from clip_ae.core.types import Streams
from clip_ae.localizers.batch import whole
from clip_ae.localizers.head import Head, HeadOutput


@dataclass(frozen=True)
class VideoCurves:
    """attention [T], activation [T, C], scores [C]; a snippet without material has attention 0."""

    attention: NDArray[np.float64]
    activation: NDArray[np.float64]
    scores: NDArray[np.float64]


@torch.inference_mode()
def output(head: Head, streams: Streams, video_id: str, device: str) -> HeadOutput:
    batch = whole(streams, video_id).to(device)
    result: HeadOutput = head(batch.features, batch.mask)
    return result


def curves(head: Head, streams: Streams, video_id: str, *, rgb_weight: float, device: str) -> VideoCurves:
    fused = head.fuse(output(head, streams, video_id, device), rgb_weight)
    arrays = (t[0].cpu().numpy().astype(np.float64) for t in (fused.attention, fused.activation, fused.scores))
    return VideoCurves(*arrays)
