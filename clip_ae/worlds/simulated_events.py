"""Who acts when in the simulated benchmark: events in seconds, before any feature."""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.config.simulation import SimulatedWorld, list_simulated_subsets
from clip_ae.core.types import Instance

Floats = NDArray[np.float64]
StreamName = Literal["rgb", "flow", "clip", "audio"]
Purpose = StreamName | Literal["classes", "layout", "distractors", "sounds", "texts"]
PURPOSES: tuple[Purpose, ...] = (
    "classes", "layout", "distractors", "sounds", "rgb", "flow", "clip", "audio", "texts"
)  # fmt: skip

SEED_PREFIX = 1
MIN_ACTION_S = 0.2
# Median seconds and spread of a distractor.
DISTRACTOR_LENGTH = (2.0, 0.6)
# Variance of log length between classes, videos and instances; of log gap between videos and gaps; of log count
# between classes and videos: about THUMOS14's.
LENGTH_VARIANCE_SHARES = (0.43, 0.25, 0.32)
GAP_VARIANCE_SHARES = (0.33, 0.67)
COUNT_VARIANCE_SHARES = (0.2, 0.8)
# No draw is farther out: the real tails end there too.
MAX_SIGMAS = 2.5
GOLDEN_RATIO_INVERSE = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Event:
    """Something that happens from start to stop, in seconds, and looks like a mixture of some classes.

    place says where a part of it lies: 0 at its start, 1 at its end.
    """

    class_indices: tuple[int, ...]
    start: float
    stop: float
    core_position: float


@dataclass(frozen=True)
class SimulatedVideo:
    """All of a video but its features. Distractors look like actions, sounds may or may not be theirs."""

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
    """What sets classes apart besides their looks; one value a class."""

    video_share: Floats
    count_quantile: Floats
    length_quantile: Floats
    helpful_audio: frozenset[int]
    misleading_audio: frozenset[int]


def make_rng(world: SimulatedWorld, purpose: Purpose, subset: str = "training", index: int = -1) -> np.random.Generator:
    """Chance for one purpose in one video, or (index -1) in the world as a whole: no draw shifts another's."""
    return np.random.default_rng(
        (SEED_PREFIX, world.seed, PURPOSES.index(purpose), int(subset == "training"), index + 1)
    )


@functools.cache
def draw_class_properties(world: SimulatedWorld) -> ClassProperties:
    """Evenly spaced normal quantiles in random order, so that worlds of other seeds have the same statistics."""
    rng = make_rng(world, "classes")
    quantiles = [NormalDist().inv_cdf((i + 0.5) / world.classes) for i in range(world.classes)]
    weight = np.exp(world.class_imbalance * rng.permutation(quantiles))
    count, length = rng.permutation(quantiles), rng.permutation(quantiles)
    order = rng.permutation(world.classes).tolist()
    helpful, misleading = round(world.audio_helpful * world.classes), round(world.audio_misleading * world.classes)
    return ClassProperties(
        video_share=weight / weight.sum(),
        count_quantile=count,
        length_quantile=length,
        helpful_audio=frozenset(order[:helpful]),
        misleading_audio=frozenset(order[helpful:][:misleading]),
    )


def plan_videos(world: SimulatedWorld) -> list[SimulatedVideo]:
    """Every video, in the order of the ids; each depends on its own index alone."""
    counts: dict[str, int] = {}
    videos = []
    for video_id, subset in list_simulated_subsets(world).items():
        index = counts.setdefault(subset, 0)
        counts[subset] += 1
        videos.append(_video(world, video_id, subset, index))
    return videos


def get_annotated_labels(world: SimulatedWorld, class_index: int) -> tuple[str, ...]:
    """What an action is annotated as: its class, and that class's twin where it has one."""
    group, place = divmod(class_index, world.group_size)
    twin = place == 0 and group < world.twins and class_index + 1 < world.classes
    return tuple(map(class_name, (class_index, class_index + 1) if twin else (class_index,)))


def class_name(class_index: int) -> str:
    return f"action-{class_index:02d}"


def build_instances(world: SimulatedWorld, video: SimulatedVideo) -> tuple[Instance, ...]:
    """The actions as they are annotated."""
    return tuple(
        Instance(label, a.start, a.stop)
        for a in video.actions
        for label in get_annotated_labels(world, a.class_indices[0])
    )


def build_annotations(world: SimulatedWorld, videos: Sequence[SimulatedVideo]) -> dict[str, Any]:
    """The plan as an ActivityNet-form annotation file."""
    database = {
        video.video_id: {
            "subset": video.subset,
            "duration": video.duration,
            "annotations": [{"label": i.label, "segment": [i.start, i.stop]} for i in build_instances(world, video)],
        }
        for video in videos
    }
    return {"version": "clip-ae simulation", "taxonomy": [], "database": database}


def _video(world: SimulatedWorld, video_id: str, subset: str, index: int) -> SimulatedVideo:
    main = _main_class(world, subset, index)
    actions, seconds = _actions(world, main, make_rng(world, "layout", subset, index))
    chance = make_rng(world, "sounds", subset, index)
    mute = bool(chance.random() < world.audio_missing)
    return SimulatedVideo(
        video_id=video_id,
        subset=subset,
        index=index,
        duration=seconds,
        main_class=main,
        actions=actions,
        distractors=_distractors(world, main, actions, seconds, make_rng(world, "distractors", subset, index)),
        sounds=_sounds(world, actions, seconds, chance),
        mute=mute,
    )


def _main_class(world: SimulatedWorld, subset: str, index: int) -> int:
    """Golden-ratio steps through the classes' shares: counts stay close to them, and index i is ever the same class."""
    offset = make_rng(world, "classes", subset, 0).random()
    position = (offset + index * GOLDEN_RATIO_INVERSE) % 1
    return int(np.searchsorted(np.cumsum(draw_class_properties(world).video_share)[:-1], position, side="right"))


def _actions(world: SimulatedWorld, main: int, rng: np.random.Generator) -> tuple[tuple[Event, ...], float]:
    """The actions of a video, apart from each other, and the video's length in seconds."""
    of_count = _mix(COUNT_VARIANCE_SHARES, draw_class_properties(world).count_quantile[main], _normal(rng))
    number = max(1, round(world.instances * math.exp(world.instances_spread * of_count)))
    kinds = _kinds(world, main, number, rng)
    of_length = _mix(
        LENGTH_VARIANCE_SHARES, draw_class_properties(world).length_quantile[kinds], _normal(rng), _normal(rng, number)
    )
    lengths = world.instance_seconds * np.exp(world.instance_spread * of_length)
    lengths = np.clip(lengths, MIN_ACTION_S, world.instance_longest)
    gaps = world.gap_seconds * np.exp(world.gap_spread * _mix(GAP_VARIANCE_SHARES, _normal(rng), _normal(rng, number)))
    gaps[0], tail = world.margin_seconds * np.exp(world.margin_spread * _normal(rng, 2))
    places = rng.random(number)
    stops = np.cumsum(gaps + lengths)
    kept = max(1, int((stops <= world.video_longest).sum()))
    actions = tuple(
        Event((int(kind),), round(float(stop - length), 2), round(float(stop), 2), float(place))
        for kind, stop, length, place in zip(kinds[:kept], stops, lengths, places, strict=False)
    )
    return actions, round(float(stops[kept - 1] + tail), 2)


def _kinds(world: SimulatedWorld, main: int, number: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The class of each action: the main one, or a mixture with a related one, whose first action comes second."""
    first = main - main % world.group_size
    related = [k for k in range(first, min(first + world.group_size, world.classes)) if k != main]
    mixed, pick, turns = rng.random() < world.second_label, rng.random(), rng.random(number) < 0.5
    turns[:2] = [False, True][:number]
    if not mixed or not related:
        return np.full(number, main)
    return np.where(turns, related[int(pick * len(related))], main)


def _distractors(
    world: SimulatedWorld, main: int, actions: tuple[Event, ...], seconds: float, rng: np.random.Generator
) -> tuple[Event, ...]:
    """Events in the background, each like the main class and another one at once."""
    starts = np.array([0.0, *(a.stop for a in actions)])
    room = np.array([*(a.start for a in actions), seconds]) - starts
    number = rng.poisson(world.distractors * room.sum() / 60)
    gaps = rng.choice(len(room), number, p=room / room.sum())
    lengths = np.minimum(DISTRACTOR_LENGTH[0] * np.exp(DISTRACTOR_LENGTH[1] * _normal(rng, number)), room[gaps])
    begins = starts[gaps] + rng.random(number) * (room[gaps] - lengths)
    others = rng.integers(world.classes, size=number)
    return tuple(
        Event((main, int(other)), float(begin), float(begin + length), float(place))
        for other, begin, length, place in zip(others, begins, lengths, rng.random(number), strict=True)
    )


def _sounds(
    world: SimulatedWorld, actions: tuple[Event, ...], seconds: float, rng: np.random.Generator
) -> tuple[Event, ...]:
    """A helpful class is heard over its extents, a misleading one as long but at any time, others never."""
    helpful, misleading, border = (
        draw_class_properties(world).helpful_audio,
        draw_class_properties(world).misleading_audio,
        world.audio_border,
    )
    sounds = []
    for action, position in zip(actions, rng.random(len(actions)), strict=True):
        length = action.stop - action.start
        start = action.start if action.class_indices[0] in helpful else float(position) * (seconds - length)
        if action.class_indices[0] in helpful | misleading:
            sounds.append(Event(action.class_indices, start - border, start + length + border, action.core_position))
    return tuple(sounds)


def _normal(rng: np.random.Generator, size: int | None = None) -> Any:
    return np.clip(rng.normal(size=size), -MAX_SIGMAS, MAX_SIGMAS)


def _mix(shares: Sequence[float], *parts: Any) -> Any:
    """A sum of unit-variance parts with the given shares of its variance."""
    return sum(math.sqrt(share) * part for share, part in zip(shares, parts, strict=True))
