"""Training data of feature adapters: spans of actions and background, and the target embedding of each action."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.progress import track
from clip_ae.core.types import Annotation, FeaturesByStream, Label, NetworkWeights, VideoFeatures
from clip_ae.language import spans
from clip_ae.language.spans import Span
from clip_ae.localizers.feature_table import FeatureTable
from clip_ae.localizers.inference import predict_video
from clip_ae.localizers.model_state import read_localizer_config, restore_localizer

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class TrainingSpans:
    """Spans of actions and of background, the name of each class by class id, and the features of the videos."""

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
    """Actions of each video's labels, and background, found with the model of a run."""
    localizer = restore_localizer(model.tensors, model.metadata, device)
    roles = read_localizer_config(model.metadata).roles
    table = FeatureTable({name: streams[name] for name in roles.names}, device)
    actions: list[Span] = []
    background: list[Span] = []
    labels_by_video: dict[str, list[Label]] = {}
    for label in supervision_labels:
        labels_by_video.setdefault(label.video_id, []).append(label)
    for i in track(table.video_ids, "find actions", unit="videos"):
        # All streams have the same weight in these curves.
        curves = predict_video(localizer, table, i, stream_weights={})
        coverage_mask = streams[roles.cbp[0]][i].coverage > 0
        background += spans.find_background(i, curves.attention, coverage_mask)
        for label in labels_by_video[i]:
            curve = curves.attention * curves.activation[:, label.cluster]
            actions += spans.find_actions(i, curve, label.cluster + 1)
    return TrainingSpans(actions, {label.cluster + 1: label.label for label in supervision_labels}, background, streams)


def collect_clip_spans(
    run_spans: TrainingSpans,
    clips: FeaturesByStream,
    annotations: Mapping[str, Annotation],
    held_out_classes: Collection[str] = (),
) -> TrainingSpans:
    """The annotated actions of trimmed clips, with the background of a run.

    held_out_classes are left out.
    """
    videos = next(iter(clips.values()))
    labels = {i.label for name in videos if name in annotations for i in annotations[name].instances}
    class_ids = {name: k for k, name in enumerate(sorted(labels - set(held_out_classes)), start=1)}
    actions: list[Span] = []
    for name, video in videos.items():
        if name in annotations:
            instances = (i for i in annotations[name].instances if i.label in class_ids)
            actions += spans.instances_to_spans(_add_clip_prefix(video), instances, class_ids)
    prefixed = {name: {v.video_id: v for v in map(_add_clip_prefix, stream.values())} for name, stream in clips.items()}
    streams = {name: {**run_spans.streams[name], **stream} for name, stream in prefixed.items()}
    return TrainingSpans(actions, {k: name for name, k in class_ids.items()}, run_spans.background, streams)


def _add_clip_prefix(clip: VideoFeatures) -> VideoFeatures:
    """The clip with an id of its own: without the prefix, it could be the id of a video of the dataset."""
    return replace(clip, video_id=f"clips/{clip.video_id}")


def limit_snippets(training_spans: TrainingSpans, max_snippets: int, seed: int) -> TrainingSpans:
    """A random selection of the spans with at most `max_snippets` snippets in total.

    Spans are tried in random order, and each one that still fits is selected. A snippet of two spans counts twice.
    """
    all_spans, remaining = [*training_spans.actions, *training_spans.background], max_snippets
    selected: set[int] = set()
    for index in np.random.default_rng(seed).permutation(len(all_spans)).tolist():
        length = all_spans[index].end - all_spans[index].first
        if length <= remaining:
            selected.add(index)
            remaining -= length
    num_actions = len(training_spans.actions)
    actions = [span for index, span in enumerate(training_spans.actions) if index in selected]
    background = [span for index, span in enumerate(training_spans.background, num_actions) if index in selected]
    return replace(training_spans, actions=actions, background=background)


def contrastive_targets(
    training_spans: TrainingSpans,
    align_to: str,
    vlp_stream: str | None,
    embed_texts: Callable[[Sequence[str]], Floats],
) -> Floats:
    """[actions, D]: the target embedding of each action in CLIP's space.

    align_to: `names` is the text of its class name, by embed_texts; `images` its own mean image in the vlp stream;
    `prototypes` the mean image of its class.
    """
    class_ids = np.array([span.class_id for span in training_spans.actions])
    if vlp_stream is not None and align_to != "names":
        images = spans.compute_span_means(training_spans.actions, training_spans.streams[vlp_stream])
        return images if align_to == "images" else average_images_by_class(images, class_ids)
    texts = embed_texts([training_spans.class_names[class_id] for class_id in sorted(training_spans.class_ids)])
    return texts[np.searchsorted(np.unique(class_ids), class_ids)]


def average_images_by_class(images: Floats, class_ids: NDArray[np.int64]) -> Floats:
    """[actions, D]: for each action the mean image of its class, unit length."""
    means = {k: images[class_ids == k].mean(axis=0, dtype=np.float64) for k in np.unique(class_ids)}
    return spans.normalize_rows(np.stack([means[k] for k in class_ids]))
