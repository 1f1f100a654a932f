"""Seconds and snippets: the only place where an index becomes a time.

t = 0 is the first video timestamp. Frame j is the one displayed at j / fps. Snippet k
covers frames k * stride ... k * stride + frames - 1.
"""

import math
from collections.abc import Sequence
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

    def count_overlapping(self, offsets: Sequence[int] = ()) -> int:
        """Number of windows that share a frame: each has the snippet's frames and those at `offsets`."""
        first, last = self.window_span(offsets)
        return math.ceil((last + 1 - first) / self.stride)

    def window_span(self, offsets: Sequence[int]) -> tuple[int, int]:
        """First and last frame of a window, counted from the snippet's first frame."""
        return min((0, *offsets)), max((self.frames - 1, *offsets))


@dataclass(frozen=True)
class FrameSampling:
    """The grid's frames that a stream reads for each snippet: all of the snippet's, or some of a window.

    num_frames: frames spread evenly over the window; None: every frame of the snippet.
    window_s: seconds; length of the window, centred on the snippet; None: the snippet.
    lookahead: frames after the snippet, read in addition to every frame of it.
    """

    num_frames: int | None = None
    window_s: float | None = None
    lookahead: int = 0

    def offsets(self, grid: SnippetGrid) -> tuple[int, ...]:
        """The frames in order, counted from the snippet's first frame; frames before it are negative."""
        if self.num_frames is None:
            return tuple(range(grid.frames + self.lookahead))
        length = grid.frames if self.window_s is None else max(1, round(self.window_s * grid.fps))
        start = (grid.frames - length) // 2
        # From the middle of each of num_frames equal parts: 2, 6, 10, 14 of 16.
        return tuple(start + (2 * i + 1) * length // (2 * self.num_frames) for i in range(self.num_frames))


# Every frame of the snippet and no other.
SNIPPET_FRAMES = FrameSampling()
