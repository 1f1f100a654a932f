"""What features are taught by: actions and background among videos, and what each action is tied to."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.config.methods import MAIN_STREAMS
from clip_ae.core.progress import track
from clip_ae.core.types import Annotation, Label, Network, Streams, VideoFeatures
from clip_ae.language import spans
from clip_ae.language.spans import Span
from clip_ae.localizers.feature_table import Library
from clip_ae.localizers.inference import curves
from clip_ae.localizers.model_state import blueprint_of, restore

IMAGES = "clip"
# Both streams have the same say in where a run sees actions.
RGB_WEIGHT = 0.5
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Material:
    """Actions, the name of every kind of them, background, and the features of both."""

    actions: Sequence[Span]
    names: Mapping[int, str]
    background: Sequence[Span]
    streams: Streams

    @property
    def kinds(self) -> set[int]:
        return {span.kind for span in self.actions}


def of_run(model: Network, told: Sequence[Label], streams: Streams, device: str) -> Material:
    """Actions of every video's label, and background, as the run's model sees them."""
    localizer = restore(model.tensors, model.about, device)
    library = Library({name: streams[name] for name in blueprint_of(model.about).streams}, device)
    actions: list[Span] = []
    background: list[Span] = []
    labels: dict[str, list[Label]] = {}
    for label in told:
        labels.setdefault(label.video_id, []).append(label)
    for i in track(library.ids, "look", unit="videos"):
        seen = curves(localizer, library, i, rgb_weight=RGB_WEIGHT)
        covered = streams[MAIN_STREAMS[0]][i].coverage > 0
        background += spans.background(i, seen.attention, covered)
        for label in labels[i]:
            actions += spans.actions(i, seen.attention * seen.activation[:, label.cluster], label.cluster + 1)
    return Material(actions, {label.cluster + 1: label.label for label in told}, background, streams)


def of_clips(
    beside: Material, clips: Streams, known: Mapping[str, Annotation], without: Collection[str] = ()
) -> Material:
    """Actions of trimmed clips, as they are annotated, and a run's background."""
    first = clips[MAIN_STREAMS[0]]
    shown = {i.label for name in first if name in known for i in known[name].instances}
    kinds = {name: k for k, name in enumerate(sorted(shown - set(without)), start=1)}
    actions = [
        span
        for name, video in first.items()
        if name in known
        for span in spans.annotated(_apart(video), (i for i in known[name].instances if i.label in kinds), kinds)
    ]
    apart = {name: {v.video_id: v for v in map(_apart, videos.values())} for name, videos in clips.items()}
    streams = {name: {**beside.streams[name], **videos} for name, videos in apart.items()}
    return Material(actions, {k: name for name, k in kinds.items()}, beside.background, streams)


def _apart(clip: VideoFeatures) -> VideoFeatures:
    """A clip may be called as a video of the dataset is."""
    return replace(clip, video_id=f"clips/{clip.video_id}")


def within(material: Material, snippets: int, seed: int) -> Material:
    """Of its spans, in random order, those that fit into so many snippets; one that two spans share counts twice."""
    every, left = [*material.actions, *material.background], snippets
    kept: set[int] = set()
    for number in np.random.default_rng(seed).permutation(len(every)).tolist():
        length = every[number].end - every[number].first
        if length <= left:
            kept.add(number)
            left -= length
    actions = [span for number, span in enumerate(material.actions) if number in kept]
    first = len(material.actions)
    background = [span for number, span in enumerate(material.background, first) if number in kept]
    return replace(material, actions=actions, background=background)


def tied(material: Material, text: str, said: Callable[[Sequence[str]], Floats]) -> Floats:
    """[actions, D]: what each action is tied to, in the space of CLIP; `said` embeds names."""
    kinds = np.array([span.kind for span in material.actions])
    if text != "names":
        images = spans.mean_of(material.actions, material.streams[IMAGES])
        return images if text == "images" else prototypes(images, kinds)
    words = said([material.names[kind] for kind in sorted(material.kinds)])
    return words[np.searchsorted(np.unique(kinds), kinds)]


def prototypes(images: Floats, kinds: NDArray[np.int64]) -> Floats:
    """The mean image of an action's kind."""
    means = {kind: images[kinds == kind].mean(axis=0, dtype=np.float64) for kind in np.unique(kinds)}
    return spans.unit(np.stack([means[kind] for kind in kinds]))
