"""Average precision of frames, once or for bootstrap draws of videos.

Many frames have equal scores: one detection covers several frames, and most frames have no detection. AP must not
depend on the order of the videos, so it is the expected AP over all orders of frames with equal scores.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from clip_ae.scoring.bootstrap import MAX_CHUNK_WEIGHTS, draw_videos
from clip_ae.scoring.frames import SampledFrames, score_frames
from clip_ae.scoring.segments import Bools, Floats, Ints, Segments


@dataclass(frozen=True)
class ClassFrames:
    """The frames of one class; a tie is all frames with one score, and only ties with a positive frame are numbered.

    bin [videos, frames]: 2 i + 1 for a frame of tie i, the best tie first; 2 i for a frame ranked between the ties
    i - 1 and i.
    """

    bin: Ints
    positive_mask: Bools
    num_ties: int

    def count_ranked(self) -> tuple[Floats, Floats]:
        """Frames of each video up to each bin [videos, 2 ties], and its positive frames up to each tie [videos, ties].

        Floats, because they are factors of a matrix product; they are whole numbers.
        """
        in_bin = _count_by_video(self.bin, np.ones_like(self.positive_mask), 2 * self.num_ties + 1)
        positive_in_tie = _count_by_video(self.bin // 2, self.positive_mask, self.num_ties)
        return np.cumsum(in_bin[:, :-1], axis=1), np.cumsum(positive_in_tie, axis=1)


@dataclass(frozen=True)
class RankedFrames:
    """The frames of every class that has a positive frame, by class."""

    by_class: Mapping[int, ClassFrames]

    def count_positives(self, video_counts: Ints) -> Ints:
        """Number of positive frames [draws, classes]."""
        by_video = np.stack([frames.positive_mask.sum(axis=1) for frames in self.by_class.values()], axis=1)
        counts: Ints = video_counts @ by_video
        return counts


def rank_frames(sampled: SampledFrames, detections: Segments) -> RankedFrames:
    """Rank the sampled frames of each class by the detections of this class."""
    return RankedFrames(
        {
            label: _rank_class(
                score_frames(sampled.times, detections.take(np.flatnonzero(detections.label == label))), mask
            )
            for label, mask in sampled.positive_masks.items()
        }
    )


def compute_frame_ap(ranked: RankedFrames, video_counts: Ints) -> Floats:
    """AP [draws, classes] in the order of by_class; video_counts [draws, videos]: how often each video counts.

    A class without a positive frame in a draw has AP 0; leave it out of means.
    """
    weights = video_counts.astype(np.float64)
    ap: Floats = np.stack([_compute_class_ap(frames, weights) for frames in ranked.by_class.values()], axis=1)
    return ap


def bootstrap_frame_map(ranked: RankedFrames, num_draws: int, num_videos: int) -> Floats:
    """mAP [draws], each over the classes that have a positive frame in the drawn videos; other draws are left out."""
    video_counts = draw_videos(num_draws, num_videos)
    max_bins = 2 * max(frames.num_ties for frames in ranked.by_class.values())
    chunks = np.array_split(video_counts, max(1, -(-num_draws * max_bins // MAX_CHUNK_WEIGHTS)))
    ap = np.concatenate([compute_frame_ap(ranked, chunk) for chunk in chunks])
    present_mask = ranked.count_positives(video_counts) > 0
    num_present = present_mask.sum(axis=1)
    drawn = num_present > 0
    mean_ap: Floats = (ap * present_mask).sum(axis=1)[drawn] / num_present[drawn]
    return mean_ap


def _rank_class(scores: Floats, positive_mask: Bools) -> ClassFrames:
    """Number the ties of one class; both arrays are [videos, frames]."""
    tied_scores = np.unique(-scores[positive_mask])
    # A score between two ties is on the same side of both; a score of a tie is counted once more on its right.
    bins = np.searchsorted(tied_scores, -scores, "left") + np.searchsorted(tied_scores, -scores, "right")
    return ClassFrames(bins, positive_mask, len(tied_scores))


def _count_by_video(values: Ints, mask: Bools, num_values: int) -> Floats:
    """How often each video has each value from 0 to num_values - 1 where the mask is true [videos, values]."""
    cell = values + num_values * np.arange(len(values))[:, None]
    counts = np.bincount(cell[mask], minlength=len(values) * num_values).reshape(-1, num_values)
    whole_numbers: Floats = counts.astype(np.float64)
    return whole_numbers


def _compute_class_ap(frames: ClassFrames, weights: Floats) -> Floats:
    """AP [draws] of one class; weights [draws, videos]."""
    frames_up_to, positives_up_to = frames.count_ranked()
    ranks = weights @ frames_up_to
    hits = weights @ positives_up_to
    precisions = _sum_expected_precisions(ranks[:, ::2], ranks[:, 1::2], hits)
    ap: Floats = precisions.sum(axis=1) / np.maximum(hits[:, -1], 1)
    return ap


def _sum_expected_precisions(before: Floats, after: Floats, hits: Floats) -> Floats:
    """Expected sum of the precisions at the positive frames of each tie, which are in random order; all [draws, ties].

    before and after count the frames before a tie and after it; hits counts the positive frames after it.
    A tie of n frames, p of them positive, follows N frames, P of them positive. Its rank i is positive with
    probability p / n, and then (i - 1) (p - 1) / (n - 1) positive frames are expected before it in the tie. The
    precision there is (P + 1 + this) / (N + i), and the sum of 1 / (N + i) is a difference of harmonic numbers.
    """
    n, p = after - before, np.diff(hits, axis=1, prepend=0)
    slope = np.where(n > 1, (p - 1) / np.maximum(n - 1, 1), 0.0)
    harmonic = np.append(0.0, np.cumsum(1 / np.arange(1, after.max() + 1)))
    inverse_ranks = harmonic[after.astype(np.int64)] - harmonic[before.astype(np.int64)]
    at_positive_ranks = slope * n + (hits - p + 1 - slope * (before + 1)) * inverse_ranks
    expected: Floats = p / np.maximum(n, 1) * at_positive_ranks
    return expected
