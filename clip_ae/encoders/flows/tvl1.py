"""TV-L1 flow (Zach et al. 2007) by OpenCV: the flow that the published I3D flow network was trained on."""

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

    # One thread: jobs share a machine as processes, and no sum may depend on the number of threads.
    cv2.setNumThreads(1)
    return np.asarray(cv2.optflow.DualTVL1OpticalFlow.create().calc(first, second, None), np.float32)
