"""Dense inverse search flow (Kroeger et al., ECCV 2016): a few milliseconds a pair, for a quick look."""

import numpy as np
from numpy.typing import NDArray

from clip_ae.encoders.flows.pairwise import apply_to_pairs
from clip_ae.encoders.normalize import FlowFunction

ON_DEVICE = False


def build(device: str, *, compile: bool = False) -> FlowFunction:
    """OpenCV knows neither GPUs nor translation."""
    return apply_to_pairs(compute_pair_flow)


def compute_pair_flow(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Pixels a frame, [H, W, 2] as (x, y), from the first grey image to the second."""
    import cv2

    # Its search runs in stripes, one a thread, and a patch looks at its neighbours within the stripe.
    cv2.setNumThreads(1)
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.asarray(search.calc(np.ascontiguousarray(first), np.ascontiguousarray(second), None), np.float32)
