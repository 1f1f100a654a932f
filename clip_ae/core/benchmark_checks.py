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
    for name, release in benchmark.subsets.items():
        videos = {i: a for i, a in annotations.items() if a.subset == name}
        if len(videos) != release.num_videos:
            yield f"{name}: {len(videos)} videos, the release has {release.num_videos}{_list(name, videos)}"
        actions = sum(len(a.instances) for a in videos.values())
        if release.num_instances is not None and actions != release.num_instances:
            yield f"{name}: {actions} actions, the release has {release.num_instances}"
        yield from _classes(benchmark, name, videos)
    yield from _odd(annotations)


def _list(name: str, videos: Annotations) -> str:
    """Name the list of THUMOS14's test videos that the file has."""
    without = {key: left_out for key, left_out in VIDEO_LISTS.items() if len(videos) == int(key)}
    fits = name == "test" and any(not left_out & videos.keys() for left_out in without.values())
    return f"; it is the list {len(videos)} of publications" if fits else ""


def _classes(recipe: Benchmark, name: str, videos: Annotations) -> Iterator[str]:
    labels = Counter(i.label for a in videos.values() for i in a.instances)
    if videos and len(labels) != recipe.num_classes:
        yield f"{name}: {len(labels)} classes, the release has {recipe.num_classes}"
    for label, also in recipe.implied_classes.items():
        both = sum(_both(a, label, also) for a in videos.values())
        if both != labels[label]:
            yield f"{name}: {both} of {labels[label]} {label} actions are {also} as well; in the release all are"


def _both(annotation: Annotation, label: str, also: str) -> int:
    others = Counter((i.start, i.stop) for i in annotation.instances if i.label == also)
    own = Counter((i.start, i.stop) for i in annotation.instances if i.label == label)
    return (own & others).total()


def _odd(known: Annotations) -> Iterator[str]:
    """Segments that no evaluator can score as intended."""
    spans = [(video_id, i, a.duration) for video_id, a in known.items() for i in a.instances]
    kinds = {
        "without length": [i for i, span, _ in spans if span.start == span.stop],
        "that end beyond their video": [
            i for i, span, end in spans if end is not None and span.stop > end + DURATION_TOLERANCE_S
        ],
        "that stand twice": list(_twice(known)),
    }
    for words, ids in kinds.items():
        if ids:
            counts = Counter(ids).most_common()
            shown = ", ".join(f"{i} ({n})" for i, n in counts[:MAX_IDS_SHOWN])
            yield f"actions {words}: {len(ids)}; {shown}{', ...' if len(counts) > MAX_IDS_SHOWN else ''}"


def _twice(known: Annotations) -> Iterator[str]:
    for video_id, annotation in known.items():
        copies = Counter(annotation.instances)
        yield from [video_id] * (copies.total() - len(copies))
