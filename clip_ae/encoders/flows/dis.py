"""Dense inverse search flow (Kroeger et al., ECCV 2016): a few milliseconds per pair; less accurate than TV-L1."""

import numpy as np
from numpy.typing import NDArray

from clip_ae.encoders.flows.pairwise import apply_to_pairs
from clip_ae.encoders.normalize import FlowFunction

ON_DEVICE = False


def build(device: str, *, compile: bool = False) -> FlowFunction:
    """The flow function. OpenCV runs it on the CPU and uncompiled, whatever the arguments."""
    return apply_to_pairs(compute_pair_flow)


def compute_pair_flow(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Flow [H, W, 2] as (x, y) in pixels, from the first grey image [H, W] to the second."""
    import cv2

    # One thread: each thread searches a stripe of the image, and a patch uses neighbours within its stripe only.
    cv2.setNumThreads(1)
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.asarray(search.calc(np.ascontiguousarray(first), np.ascontiguousarray(second), None), np.float32)
