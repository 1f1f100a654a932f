"""Sampled frames of the test videos: which of them are inside actions, and how detections score them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from clip_ae.core.errors import UserError
from clip_ae.scoring.average_precision import group_by_label
from clip_ae.scoring.eval_input import EvalInput
from clip_ae.scoring.frame_protocols import FrameProtocol
from clip_ae.scoring.segments import Bools, Floats, Segments

# Score of a frame that no detection covers: below every detection, also where scores are negative.
UNCOVERED = -np.inf


@dataclass(frozen=True)
class SampledFrames:
    """times [videos, frames] in seconds; by class, which frames are inside its actions [videos, frames].

    Classes without such a frame are not in positive_masks.
    """

    times: Floats
    positive_masks: Mapping[int, Bools]


def sample_frames(eval_input: EvalInput, protocol: FrameProtocol) -> SampledFrames:
    """The frames that a protocol samples; UserError if a duration is unknown or no frame is inside an action."""
    _refuse_unknown_durations(eval_input)
    times = sample_times(eval_input.durations, protocol.frames_per_video)
    truth = eval_input.ground_truth
    masks = {c: score_frames(times, truth.take(rows)) > UNCOVERED for c, rows in group_by_label(truth.label)}
    positive_masks = {c: mask for c, mask in masks.items() if mask.any()}
    if not positive_masks:
        raise UserError("annotations: no sampled frame is inside an action; leave --frame-protocol out")
    return SampledFrames(times, positive_masks)


def sample_times(durations: Floats, frames_per_video: int) -> Floats:
    """Times [videos, frames]: equally spaced, the first at 0; none is at the end of the video."""
    times: Floats = np.arange(frames_per_video) / frames_per_video * durations[:, None]
    return times


def score_frames(times: Floats, segments: Segments) -> Floats:
    """For each frame [videos, frames] the highest score of the segments that cover it, ends included."""
    t = times[segments.video]
    rows, frames = np.nonzero((segments.start[:, None] <= t) & (t <= segments.stop[:, None]))
    scores = np.full(times.shape, UNCOVERED)
    np.maximum.at(scores, (segments.video[rows], frames), segments.score[rows])
    return scores


def _refuse_unknown_durations(eval_input: EvalInput) -> None:
    """Frames placed by the end of the last annotation or detection would differ between two results."""
    unknown = [i for i, d in zip(eval_input.videos, eval_input.durations, strict=True) if not d > 0]
    if unknown:
        raise UserError(
            f"annotations: video '{unknown[0]}' has no duration above 0, so its frames cannot be sampled "
            f'({len(unknown)} such videos); add "duration" in seconds, or leave --frame-protocol out'
        )
