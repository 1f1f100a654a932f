"""Very long videos are processed in parts: memory, and the time of attention, would grow without a limit."""

from itertools import pairwise

# 3.5 hours of snippets of 0.64 s. Shorter videos are one part.
MAX_PART_ROWS = 20_000


def split_rows(length: int) -> list[slice]:
    """The rows of a video in parts of about equal length, each at most MAX_PART_ROWS rows."""
    count = max(1, -(-length // MAX_PART_ROWS))
    edges = [length * k // count for k in range(count + 1)]
    return [slice(first, last) for first, last in pairwise(edges)]
