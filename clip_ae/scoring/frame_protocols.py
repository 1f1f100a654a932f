"""Protocols that score sampled frames of videos instead of segments, by name."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FrameProtocol:
    """The number of frames sampled from each video, and the rules as map.json states them."""

    frames_per_video: int
    description: str


FRAME_PROTOCOLS = {
    "charades": FrameProtocol(
        25,
        "frame k of 25 is at k/25 of the video's duration, k = 0 to 24; a frame is positive if it is inside an action "
        "of the class, ends included; its score is the highest of the class's detections that cover it, and frames "
        "without a detection come last; AP is the mean precision at each positive frame, frames with equal scores in "
        "random order (the expected value); mean over the classes that have a positive frame",
    )
}
