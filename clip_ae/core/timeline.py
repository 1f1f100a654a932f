"""Seconds <-> snippets: the one place where an index becomes a second.

t = 0 is the first video timestamp. Frame j is the one displayed at j / fps. Snippet k
covers frames k * stride ... k * stride + frames - 1.
"""

import math
from dataclasses import dataclass

from clip_ae.core.config.dataclass_config import key

# Containers round timestamps to their time base; a frame that misses an edge by less is on it.
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
        """Seconds that a snippet covers."""
        return self.frames / self.fps

    def start(self, snippet: float) -> float:
        return snippet * self.stride_s

    def stop(self, snippet: float) -> float:
        return self.start(snippet) + self.snippet_s

    def centre(self, snippet: float) -> float:
        return self.start(snippet) + self.snippet_s / 2

    def snippet_at(self, seconds: float) -> float:
        """The fractional snippet that starts at a time; inverse of `start`."""
        return seconds / self.stride_s

    def frame_time(self, frame: int) -> float:
        return frame / self.fps

    def count_frames(self, duration: float) -> int:
        """Frames displayed within a duration: j counts while j / fps < duration."""
        return max(0, math.ceil((duration - TIMESTAMP_TOLERANCE_S) * self.fps))

    def count_snippets(self, duration: float) -> int:
        """Snippets of which at least half exists; a video always has one."""
        spare = self.count_frames(duration) - math.ceil(self.frames / 2)
        return max(1, spare // self.stride + 1)

    def count_frames_spanned(self, num_snippets: int) -> int:
        """Grid frames from the first to the last snippet's end."""
        return (num_snippets - 1) * self.stride + self.frames

    def count_overlapping(self, lookahead: int = 0) -> int:
        """Snippets that share a frame, each with so many frames more than its own."""
        return math.ceil((self.frames + lookahead) / self.stride)
