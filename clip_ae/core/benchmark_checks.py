"""Differences between an annotation file and a benchmark's release, one line each: scores depend on them."""

from collections import Counter
from collections.abc import Iterator, Mapping

from clip_ae.core.benchmarks import Benchmark
from clip_ae.core.types import Annotation
from clip_ae.core.video_lists import VIDEO_LISTS

# Seconds by which a segment may end after the video: durations in files are rounded.
DURATION_TOLERANCE_S = 0.1
MAX_IDS_SHOWN = 5
Annotations = Mapping[str, Annotation]


def find_differences(benchmark: Benchmark, annotations: Annotations) -> Iterator[str]:
    """Yield one line for each difference from the release, and for each kind of segment that cannot be scored."""
    for name, release in benchmark.subsets.items():
        videos = {i: a for i, a in annotations.items() if a.subset == name}
        if len(videos) != release.num_videos:
            yield f"{name}: {len(videos)} videos, the release has {release.num_videos}{_describe_list(name, videos)}"
        actions = sum(len(a.instances) for a in videos.values())
        if release.num_instances is not None and actions != release.num_instances:
            yield f"{name}: {actions} actions, the release has {release.num_instances}"
        yield from _compare_classes(benchmark, name, videos)
    yield from _find_unscorable(annotations)


def _describe_list(subset: str, videos: Annotations) -> str:
    """Name the list of THUMOS14's test videos that the file has."""
    excluded = VIDEO_LISTS.get(str(len(videos)))
    is_list = subset == "test" and excluded is not None and not excluded & videos.keys()
    return f"; it is the list {len(videos)} of publications" if is_list else ""


def _compare_classes(benchmark: Benchmark, subset: str, videos: Annotations) -> Iterator[str]:
    labels = Counter(i.label for a in videos.values() for i in a.instances)
    if videos and len(labels) != benchmark.num_classes:
        yield f"{subset}: {len(labels)} classes, the release has {benchmark.num_classes}"
    for label, implied in benchmark.implied_classes.items():
        both = sum(_count_with_both(a, label, implied) for a in videos.values())
        if both != labels[label]:
            yield f"{subset}: {both} of {labels[label]} {label} actions are {implied} as well; in the release all are"


def _count_with_both(annotation: Annotation, label: str, implied: str) -> int:
    """Number of segments that are annotated with both classes."""
    spans = {
        name: Counter((i.start, i.stop) for i in annotation.instances if i.label == name) for name in (label, implied)
    }
    return (spans[label] & spans[implied]).total()


def _find_unscorable(annotations: Annotations) -> Iterator[str]:
    """Segments that no evaluator can score as intended."""
    spans = [(video_id, i, a.duration) for video_id, a in annotations.items() for i in a.instances]
    kinds = {
        "without length": [i for i, span, _ in spans if span.start == span.stop],
        "that end beyond their video": [
            i for i, span, end in spans if end is not None and span.stop > end + DURATION_TOLERANCE_S
        ],
        "that stand twice": list(_list_repeated(annotations)),
    }
    for kind, ids in kinds.items():
        if ids:
            counts = Counter(ids).most_common()
            shown = ", ".join(f"{i} ({n})" for i, n in counts[:MAX_IDS_SHOWN])
            yield f"actions {kind}: {len(ids)}; {shown}{', ...' if len(counts) > MAX_IDS_SHOWN else ''}"


def _list_repeated(annotations: Annotations) -> Iterator[str]:
    """The video's id for each copy of a segment after its first."""
    for video_id, annotation in annotations.items():
        copies = Counter(annotation.instances)
        yield from [video_id] * (copies.total() - len(copies))
