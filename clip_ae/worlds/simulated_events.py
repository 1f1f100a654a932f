"""Event layout of the simulated benchmark: actions, distractors and sounds of each video, in seconds."""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.config.simulation import SIMULATED_STREAMS, SimulatedWorld, list_simulated_subsets
from clip_ae.core.types import Instance

Floats = NDArray[np.float64]
# What random numbers are drawn for; a generator's seed has the position.
PURPOSES = ("classes", "layout", "distractors", "sounds", *SIMULATED_STREAMS, "texts")

SEED_PREFIX = 1
MIN_ACTION_S = 0.2
# Length of a distractor: median in seconds, and sd of its logarithm.
DISTRACTOR_LENGTH = (2.0, 0.6)
# Shares of variance, about THUMOS14's: of log length between classes, videos and instances; of log gap between videos
# and gaps; of log count between classes and videos.
LENGTH_VARIANCE_SHARES = (0.43, 0.25, 0.32)
GAP_VARIANCE_SHARES = (0.33, 0.67)
COUNT_VARIANCE_SHARES = (0.2, 0.8)
# Normal draws are clipped to this many sd, where the tails of the real distributions end.
MAX_SIGMAS = 2.5
GOLDEN_RATIO_INVERSE = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Event:
    """An action, distractor or sound from start to stop in seconds, which looks like a mixture of its classes.

    `core_position` is the position of its core: 0 at its start, 1 at its end.
    """

    class_indices: tuple[int, ...]
    start: float
    stop: float
    core_position: float


@dataclass(frozen=True)
class SimulatedVideo:
    """A video before its features. Distractors look like actions; sounds may or may not coincide with actions."""

    video_id: str
    subset: str
    index: int
    duration: float
    main_class: int
    actions: tuple[Event, ...]
    distractors: tuple[Event, ...]
    sounds: tuple[Event, ...]
    mute: bool


@dataclass(frozen=True)
class ClassProperties:
    """Properties of the classes apart from their looks: arrays [classes], and sets of class indices."""

    video_share: Floats
    count_quantile: Floats
    length_quantile: Floats
    helpful_audio: frozenset[int]
    misleading_audio: frozenset[int]


def make_rng(world: SimulatedWorld, purpose: str, subset: str = "training", index: int = -1) -> np.random.Generator:
    """The generator for one purpose in one video, or (index -1) in the whole world. Draws do not affect each other."""
    return np.random.default_rng(
        (SEED_PREFIX, world.seed, PURPOSES.index(purpose), int(subset == "training"), index + 1)
    )


@functools.cache
def draw_class_properties(world: SimulatedWorld) -> ClassProperties:
    """Properties of the classes: evenly spaced normal quantiles in random order.

    So worlds with different seeds have the same statistics.
    """
    rng = make_rng(world, "classes")
    quantiles = [NormalDist().inv_cdf((i + 0.5) / world.classes) for i in range(world.classes)]
    weight = np.exp(world.class_imbalance * rng.permutation(quantiles))
    count_quantile, length_quantile = rng.permutation(quantiles), rng.permutation(quantiles)
    order = rng.permutation(world.classes).tolist()
    num_helpful = round(world.audio_helpful * world.classes)
    num_misleading = round(world.audio_misleading * world.classes)
    return ClassProperties(
        video_share=weight / weight.sum(),
        count_quantile=count_quantile,
        length_quantile=length_quantile,
        helpful_audio=frozenset(order[:num_helpful]),
        misleading_audio=frozenset(order[num_helpful:][:num_misleading]),
    )


def plan_videos(world: SimulatedWorld) -> list[SimulatedVideo]:
    """All videos in the order of their ids; a video depends on its own index alone."""
    counts: dict[str, int] = {}
    videos = []
    for video_id, subset in list_simulated_subsets(world).items():
        index = counts.setdefault(subset, 0)
        counts[subset] += 1
        videos.append(_plan_video(world, video_id, subset, index))
    return videos


def get_annotated_labels(world: SimulatedWorld, class_index: int) -> tuple[str, ...]:
    """The labels of an action: its class, and the twin of the class if it has one."""
    group, position = divmod(class_index, world.group_size)
    has_twin = position == 0 and group < world.twins and class_index + 1 < world.classes
    return tuple(map(class_name, (class_index, class_index + 1) if has_twin else (class_index,)))


def class_name(class_index: int) -> str:
    return f"action-{class_index:02d}"


def build_instances(world: SimulatedWorld, video: SimulatedVideo) -> tuple[Instance, ...]:
    """The annotated instances of a video: one for each label of each action."""
    return tuple(
        Instance(label, a.start, a.stop)
        for a in video.actions
        for label in get_annotated_labels(world, a.class_indices[0])
    )


def build_annotations(world: SimulatedWorld, videos: Sequence[SimulatedVideo]) -> dict[str, Any]:
    """The content of an annotation file in ActivityNet form."""
    database = {
        video.video_id: {
            "subset": video.subset,
            "duration": video.duration,
            "annotations": [{"label": i.label, "segment": [i.start, i.stop]} for i in build_instances(world, video)],
        }
        for video in videos
    }
    return {"version": "clip-ae simulation", "taxonomy": [], "database": database}


def _plan_video(world: SimulatedWorld, video_id: str, subset: str, index: int) -> SimulatedVideo:
    main_class = _choose_main_class(world, subset, index)
    actions, duration = _draw_actions(world, main_class, make_rng(world, "layout", subset, index))
    distractors_rng, sounds_rng = (make_rng(world, purpose, subset, index) for purpose in ("distractors", "sounds"))
    is_mute = bool(sounds_rng.random() < world.audio_missing)
    return SimulatedVideo(
        video_id=video_id,
        subset=subset,
        index=index,
        duration=duration,
        main_class=main_class,
        actions=actions,
        distractors=_draw_distractors(world, main_class, actions, duration, distractors_rng),
        sounds=_draw_sounds(world, actions, duration, sounds_rng),
        mute=is_mute,
    )


def _choose_main_class(world: SimulatedWorld, subset: str, index: int) -> int:
    """The main class of a video, by golden-ratio steps through the classes' shares.

    So counts stay close to the shares, and the class depends on the index alone.
    """
    offset = make_rng(world, "classes", subset, 0).random()
    position = (offset + index * GOLDEN_RATIO_INVERSE) % 1
    return int(np.searchsorted(np.cumsum(draw_class_properties(world).video_share)[:-1], position, side="right"))


def _draw_actions(world: SimulatedWorld, main_class: int, rng: np.random.Generator) -> tuple[tuple[Event, ...], float]:
    """The actions of a video, which do not overlap, and the video's duration in seconds."""
    properties = draw_class_properties(world)
    count_sigmas = _mix_variances(COUNT_VARIANCE_SHARES, properties.count_quantile[main_class], _draw_normal(rng))
    num_actions = max(1, round(world.instances * math.exp(world.instances_spread * count_sigmas)))
    class_indices = _draw_action_classes(world, main_class, num_actions, rng)
    class_quantiles = properties.length_quantile[class_indices]
    length_sigmas = _mix_variances(
        LENGTH_VARIANCE_SHARES, class_quantiles, _draw_normal(rng), _draw_normal(rng, num_actions)
    )
    lengths = world.instance_seconds * np.exp(world.instance_spread * length_sigmas)
    lengths = np.clip(lengths, MIN_ACTION_S, world.instance_longest)
    gap_sigmas = _mix_variances(GAP_VARIANCE_SHARES, _draw_normal(rng), _draw_normal(rng, num_actions))
    gaps = world.gap_seconds * np.exp(world.gap_spread * gap_sigmas)
    gaps[0], tail = world.margin_seconds * np.exp(world.margin_spread * _draw_normal(rng, 2))
    positions = rng.random(num_actions)
    stops = np.cumsum(gaps + lengths)
    num_fitting = max(1, int((stops <= world.video_longest).sum()))
    actions = tuple(
        Event((int(class_index),), round(float(stop - length), 2), round(float(stop), 2), float(position))
        for class_index, stop, length, position in zip(
            class_indices[:num_fitting], stops, lengths, positions, strict=False
        )
    )
    return actions, round(float(stops[num_fitting - 1] + tail), 2)


def _draw_action_classes(
    world: SimulatedWorld, main_class: int, num_actions: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """The class of each action: the main class, in some videos mixed with a related one from the second action on."""
    first = main_class - main_class % world.group_size
    related = [k for k in range(first, min(first + world.group_size, world.classes)) if k != main_class]
    is_mixed, choice, related_mask = rng.random() < world.second_label, rng.random(), rng.random(num_actions) < 0.5
    related_mask[:2] = [False, True][:num_actions]
    if not is_mixed or not related:
        return np.full(num_actions, main_class)
    return np.where(related_mask, related[int(choice * len(related))], main_class)


def _draw_distractors(
    world: SimulatedWorld, main_class: int, actions: tuple[Event, ...], duration: float, rng: np.random.Generator
) -> tuple[Event, ...]:
    """Events in the background, each a mixture of the main class and a random one."""
    gap_starts = np.array([0.0, *(a.stop for a in actions)])
    gap_lengths = np.array([*(a.start for a in actions), duration]) - gap_starts
    count = rng.poisson(world.distractors * gap_lengths.sum() / 60)
    gaps = rng.choice(len(gap_lengths), count, p=gap_lengths / gap_lengths.sum())
    median, spread = DISTRACTOR_LENGTH
    lengths = np.minimum(median * np.exp(spread * _draw_normal(rng, count)), gap_lengths[gaps])
    starts = gap_starts[gaps] + rng.random(count) * (gap_lengths[gaps] - lengths)
    other_classes = rng.integers(world.classes, size=count)
    return tuple(
        Event((main_class, int(other_class)), float(start), float(start + length), float(position))
        for other_class, start, length, position in zip(other_classes, starts, lengths, rng.random(count), strict=True)
    )


def _draw_sounds(
    world: SimulatedWorld, actions: tuple[Event, ...], duration: float, rng: np.random.Generator
) -> tuple[Event, ...]:
    """The sounds of the actions, by class: helpful ones in the action's extent, misleading ones as long at any time.

    Some sounds do the opposite. The other classes have no sound.
    """
    properties, border = draw_class_properties(world), world.audio_border
    sounds = []
    positions, agrees = rng.random(len(actions)), rng.random(len(actions)) < world.audio_agreement
    for action, position, does_agree in zip(actions, positions, agrees, strict=True):
        (class_index,), length = action.class_indices, action.stop - action.start
        marks_extent = (class_index in properties.helpful_audio) == bool(does_agree)
        start = action.start if marks_extent else float(position) * (duration - length)
        if class_index in properties.helpful_audio | properties.misleading_audio:
            sounds.append(Event(action.class_indices, start - border, start + length + border, action.core_position))
    return tuple(sounds)


def _draw_normal(rng: np.random.Generator, size: int | None = None) -> Any:
    """Standard normal draws, clipped to MAX_SIGMAS: a number, or an array [size]."""
    return np.clip(rng.normal(size=size), -MAX_SIGMAS, MAX_SIGMAS)


def _mix_variances(shares: Sequence[float], *parts: Any) -> Any:
    """Sum of unit-variance parts, each scaled to its share of the variance: numbers or arrays."""
    return sum(math.sqrt(share) * part for share, part in zip(shares, parts, strict=True))
