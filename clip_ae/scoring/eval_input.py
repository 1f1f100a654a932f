"""The input of scoring: a test set, its detections and the cluster labels of the training videos as index arrays."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from clip_ae.core.errors import UserError, suggest_name
from clip_ae.core.types import Annotation, Detection, Label
from clip_ae.scoring.segments import Floats, Ints, Segments, make_segments


@dataclass(frozen=True)
class EvalInput:
    """A test set and its detections as index arrays: detections have clusters as labels, ground truth has classes.

    If labels_are_classes, clusters are classes and need no mapping. Ambiguous segments have no class: their label
    is always 0 and has no meaning. contingency [clusters, classes] counts the training videos of each class in each
    cluster. durations [videos] are in seconds, nan where the annotations state none.
    """

    classes: list[str]
    clusters: list[str]
    labels_are_classes: bool
    videos: list[str]
    ground_truth: Segments
    detections: Segments
    ambiguous: Segments
    contingency: Ints
    durations: Floats


def build_eval_input(
    test: Mapping[str, Annotation],
    train: Mapping[str, Annotation],
    labels: Sequence[Label],
    detections: Sequence[Detection],
    *,
    labels_are_classes: bool = False,
) -> EvalInput:
    """Convert annotations, cluster labels of the training videos and detections to index arrays.

    Detections of videos outside the test set, and of clusters without training videos, are left out. Without cluster
    labels, the labels of detections are classes.
    """
    classes = sorted(collect_labels([*test.values(), *train.values()]))
    clusters = sorted({label.label for label in labels}) or classes
    videos = sorted(test)
    video_index, cluster_index, class_index = map(_index_by_name, (videos, clusters, classes))
    truth_rows = [
        (video_index[v], class_index[instance.label], instance.start, instance.stop, 1.0)
        for v in videos
        for instance in test[v].instances
    ]
    ambiguous_rows = [(video_index[v], 0, *span, 1.0) for v in videos for span in test[v].ambiguous]
    return EvalInput(
        classes=classes,
        clusters=clusters,
        labels_are_classes=labels_are_classes or not labels,
        videos=videos,
        ground_truth=make_segments(truth_rows),
        detections=make_detection_segments(detections, video_index, cluster_index),
        ambiguous=make_segments(ambiguous_rows),
        contingency=_count_contingency(labels, train, cluster_index, class_index),
        durations=np.array([test[v].duration for v in videos], np.float64),
    )


def make_detection_segments(
    detections: Sequence[Detection], video_index: Mapping[str, int], label_index: Mapping[str, int]
) -> Segments:
    """Detections as segments by falling score, without those whose video or label is not in the index.

    A million take a second. Sorting what is sorted already is fast, and each mapping of clusters sorts again.
    """
    count = len(detections)
    video = np.fromiter((video_index.get(d.video_id, -1) for d in detections), np.int64, count)
    label = np.fromiter((label_index.get(d.label, -1) for d in detections), np.int64, count)
    start, stop, score = (
        np.fromiter((getattr(d, name) for d in detections), np.float64, count) for name in ("start", "stop", "score")
    )
    return Segments(video, label, start, stop, score).take((video >= 0) & (label >= 0)).sort_by_score()


def round_times(eval_input: EvalInput, step: float | None) -> EvalInput:
    """Round starts and stops to the nearest multiple of step seconds, as some published codes do before scoring."""
    if step is None:
        return eval_input
    truth, detections, ambiguous = (
        replace(s, start=np.round(s.start / step) * step, stop=np.round(s.stop / step) * step)
        for s in (eval_input.ground_truth, eval_input.detections, eval_input.ambiguous)
    )
    return replace(eval_input, ground_truth=truth, detections=detections, ambiguous=ambiguous)


def collect_labels(annotations: Iterable[Annotation]) -> set[str]:
    """The classes that some instance has."""
    return {i.label for a in annotations for i in a.instances}


def find_main_class(annotation: Annotation) -> str:
    """The class with the most instances; the first by name if several have."""
    counts = Counter(i.label for i in annotation.instances)
    return min(counts, key=lambda label: (-counts[label], label))


def refuse_unknown_labels(path: Path | str, detections: Sequence[Detection], known_labels: Iterable[str]) -> None:
    """Raise UserError if a detection has a label that is no class of the ground truth; path is for the message."""
    classes = set(known_labels)
    for label in sorted({d.label for d in detections} - classes):
        hint = (
            "; clusters need class names: use `clip-ae evaluate --labels` or `clip-ae diagnose --scores`"
            if label.startswith("cluster-")
            else suggest_name(label, classes)
        )
        raise UserError(f"{path}: label '{label}' is no class of the ground truth{hint}")


def _count_contingency(
    labels: Sequence[Label],
    train: Mapping[str, Annotation],
    cluster_index: Mapping[str, int],
    class_index: Mapping[str, int],
) -> Ints:
    """Training videos [clusters, classes]; a video of several classes counts once for each."""
    contingency = np.zeros((len(cluster_index), len(class_index)), np.int64)
    for label in labels:
        if label.video_id in train:
            for name in collect_labels([train[label.video_id]]):
                contingency[cluster_index[label.label], class_index[name]] += 1
    return contingency


def _index_by_name(names: Sequence[str]) -> dict[str, int]:
    return {name: i for i, name in enumerate(names)}
