"""The snippets of videos that some spans contain, and the same spans within them.

For features that are too large to store for all snippets.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from clip_ae.core.types import VideoFeatures
from clip_ae.language.spans import Span

# Snippet indices by video id, in ascending order.
SnippetSubset = Mapping[str, Sequence[int]]


def collect_snippets(spans: Iterable[Span]) -> SnippetSubset:
    """All snippets of the spans."""
    snippets: dict[str, set[int]] = {}
    for span in spans:
        snippets.setdefault(span.video_id, set()).update(range(span.first, span.end))
    return {video_id: sorted(snippets[video_id]) for video_id in sorted(snippets)}


def select_snippets(video: VideoFeatures, snippets: Sequence[int]) -> VideoFeatures:
    """The video with the given snippets only."""
    rows = list(snippets)
    return replace(
        video,
        start=video.start[rows],
        stop=video.stop[rows],
        coverage=video.coverage[rows],
        feature=video.feature[rows],
    )


def shift_spans_to_subset(spans: Iterable[Span], subset: SnippetSubset) -> list[Span]:
    """The same spans in the output of select_snippets. The subset must contain all of their snippets."""
    firsts = ((span, bisect_left(subset[span.video_id], span.first)) for span in spans)
    return [replace(span, first=first, end=first + span.end - span.first) for span, first in firsts]
