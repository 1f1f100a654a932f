"""Only those snippets of videos that spans touch, and the spans among them: what is kept of a big thing a snippet."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from clip_ae.core.types import VideoFeatures
from clip_ae.language.spans import Span

# Snippets of every video, rising.
SnippetSubset = Mapping[str, Sequence[int]]


def snippets_of(spans: Iterable[Span]) -> SnippetSubset:
    found: dict[str, set[int]] = {}
    for span in spans:
        found.setdefault(span.video_id, set()).update(range(span.first, span.end))
    return {video_id: sorted(found[video_id]) for video_id in sorted(found)}


def select_snippets(video: VideoFeatures, snippets: Sequence[int]) -> VideoFeatures:
    """The video as if it had no other snippets."""
    rows = list(snippets)
    return replace(
        video,
        start=video.start[rows],
        stop=video.stop[rows],
        coverage=video.coverage[rows],
        feature=video.feature[rows],
    )


def remap_spans(spans: Iterable[Span], subset: SnippetSubset) -> list[Span]:
    """The same spans, all of whose snippets are kept, in the videos that `alone` makes."""
    firsts = ((span, bisect_left(subset[span.video_id], span.first)) for span in spans)
    return [replace(span, first=first, end=first + span.end - span.first) for span, first in firsts]
