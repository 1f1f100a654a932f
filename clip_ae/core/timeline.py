"""Seconds and snippets: the only place where an index becomes a time.

t = 0 is the first video timestamp. Frame j is the one displayed at j / fps. Snippet k
covers frames k * stride ... k * stride + frames - 1.
"""

import math
from dataclasses import dataclass

from clip_ae.core.config.dataclass_config import key

# Containers round timestamps to their time base: a frame this close to an edge counts as on it.
TIMESTAMP_TOLERANCE_S = 1e-4


@dataclass(frozen=True)
class SnippetGrid:
    """The snippet grid that all streams of a dataset share."""

    fps: float = key(25.0, "frames a second after resampling on the video's own timestamps", above=0)
    frames: int = key(16, "frames in a snippet", minimum=1)
    stride: int = key(16, "frames from one snippet's start to the next", minimum=1)

    @property
    def stride_s(self) -> float:
        """Seconds from one snippet's start to the next."""
        return self.stride / self.fps

    @property
    def snippet_s(self) -> float:
        """Length of a snippet in seconds."""
        return self.frames / self.fps

    def start(self, snippet: float) -> float:
        return snippet * self.stride_s

    def stop(self, snippet: float) -> float:
        return self.start(snippet) + self.snippet_s

    def centre(self, snippet: float) -> float:
        return self.start(snippet) + self.snippet_s / 2

    def frame_time(self, frame: int) -> float:
        return frame / self.fps

    def count_frames(self, duration: float) -> int:
        """Number of frames displayed within a duration: frame j counts if j / fps < duration."""
        return max(0, math.ceil((duration - TIMESTAMP_TOLERANCE_S) * self.fps))

    def count_snippets(self, duration: float) -> int:
        """Number of snippets of which at least half exists; at least 1."""
        spare = self.count_frames(duration) - math.ceil(self.frames / 2)
        return max(1, spare // self.stride + 1)

    def count_frames_spanned(self, num_snippets: int) -> int:
        """Number of grid frames from the first snippet's start to the last one's end."""
        return (num_snippets - 1) * self.stride + self.frames

    def count_overlapping(self, lookahead: int = 0) -> int:
        """Number of snippets that share a frame, when each is longer by some frames."""
        return math.ceil((self.frames + lookahead) / self.stride)
