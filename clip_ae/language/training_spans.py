"""What features are taught by: actions and background among videos, and what each action is tied to."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.config.methods import I3D_STREAMS
from clip_ae.core.progress import track
from clip_ae.core.types import Annotation, FeaturesByStream, Label, NetworkWeights, VideoFeatures
from clip_ae.language import spans
from clip_ae.language.spans import Span
from clip_ae.localizers.feature_table import FeatureTable
from clip_ae.localizers.inference import predict_video
from clip_ae.localizers.model_state import read_localizer_config, restore_localizer

IMAGE_STREAM = "clip"
# Both streams have the same say in where a run sees actions.
RGB_WEIGHT = 0.5
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class TrainingSpans:
    """Actions, the name of every kind of them, background, and the features of both."""

    actions: Sequence[Span]
    class_names: Mapping[int, str]
    background: Sequence[Span]
    streams: FeaturesByStream

    @property
    def class_ids(self) -> set[int]:
        return {span.class_id for span in self.actions}


def collect_run_spans(
    model: NetworkWeights, supervision_labels: Sequence[Label], streams: FeaturesByStream, device: str
) -> TrainingSpans:
    """Actions of every video's label, and background, as the run's model sees them."""
    localizer = restore_localizer(model.tensors, model.metadata, device)
    library = FeatureTable({name: streams[name] for name in read_localizer_config(model.metadata).streams}, device)
    actions: list[Span] = []
    background: list[Span] = []
    labels: dict[str, list[Label]] = {}
    for label in supervision_labels:
        labels.setdefault(label.video_id, []).append(label)
    for i in track(library.video_ids, "look", unit="videos"):
        seen = predict_video(localizer, library, i, rgb_weight=RGB_WEIGHT)
        covered = streams[I3D_STREAMS[0]][i].coverage > 0
        background += spans.find_background(i, seen.attention, covered)
        for label in labels[i]:
            actions += spans.find_actions(i, seen.attention * seen.activation[:, label.cluster], label.cluster + 1)
    return TrainingSpans(actions, {label.cluster + 1: label.label for label in supervision_labels}, background, streams)


def collect_clip_spans(
    run_spans: TrainingSpans,
    clips: FeaturesByStream,
    annotations: Mapping[str, Annotation],
    held_out_classes: Collection[str] = (),
) -> TrainingSpans:
    """Actions of trimmed clips, as they are annotated, and a run's background."""
    first = clips[I3D_STREAMS[0]]
    shown = {i.label for name in first if name in annotations for i in annotations[name].instances}
    kinds = {name: k for k, name in enumerate(sorted(shown - set(held_out_classes)), start=1)}
    actions = [
        span
        for name, video in first.items()
        if name in annotations
        for span in spans.instances_to_spans(
            _apart(video), (i for i in annotations[name].instances if i.label in kinds), kinds
        )
    ]
    apart = {name: {v.video_id: v for v in map(_apart, videos.values())} for name, videos in clips.items()}
    streams = {name: {**run_spans.streams[name], **videos} for name, videos in apart.items()}
    return TrainingSpans(actions, {k: name for name, k in kinds.items()}, run_spans.background, streams)


def _apart(clip: VideoFeatures) -> VideoFeatures:
    """A clip may be called as a video of the dataset is."""
    return replace(clip, video_id=f"clips/{clip.video_id}")


def limit_snippets(training_spans: TrainingSpans, max_snippets: int, seed: int) -> TrainingSpans:
    """Of its spans, in random order, those that fit into so many snippets; one that two spans share counts twice."""
    every, left = [*training_spans.actions, *training_spans.background], max_snippets
    kept: set[int] = set()
    for number in np.random.default_rng(seed).permutation(len(every)).tolist():
        length = every[number].end - every[number].first
        if length <= left:
            kept.add(number)
            left -= length
    actions = [span for number, span in enumerate(training_spans.actions) if number in kept]
    first = len(training_spans.actions)
    background = [span for number, span in enumerate(training_spans.background, first) if number in kept]
    return replace(training_spans, actions=actions, background=background)


def contrastive_targets(
    training_spans: TrainingSpans, align_to: str, embed_texts: Callable[[Sequence[str]], Floats]
) -> Floats:
    """[actions, D]: what each action is tied to, in the space of CLIP; `said` embeds names."""
    kinds = np.array([span.class_id for span in training_spans.actions])
    if align_to != "names":
        images = spans.compute_span_means(training_spans.actions, training_spans.streams[IMAGE_STREAM])
        return images if align_to == "images" else average_images_by_class(images, kinds)
    words = embed_texts([training_spans.class_names[kind] for kind in sorted(training_spans.class_ids)])
    return words[np.searchsorted(np.unique(kinds), kinds)]


def average_images_by_class(images: Floats, class_ids: NDArray[np.int64]) -> Floats:
    """The mean image of an action's kind."""
    means = {kind: images[class_ids == kind].mean(axis=0, dtype=np.float64) for kind in np.unique(class_ids)}
    return spans.normalize_rows(np.stack([means[kind] for kind in class_ids]))
