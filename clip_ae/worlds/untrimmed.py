"""The demo world: untrimmed videos with a few actions each, the paper's problem in miniature.

An action has an onset, a core and a follow-through. Only the core has the motion of the class; onset and
follow-through have generic motions. The acting object is visible, and the sound of the class audible, in the whole
extent.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.config.schema import DemoWorld
from clip_ae.core.sharding import list_demo_subsets
from clip_ae.core.types import Instance
from clip_ae.worlds.scenes import FRAME_HEIGHT, FRAME_WIDTH, ActionCore, Actor, Scene, render_scene
from clip_ae.worlds.sounds import SAMPLE_RATE, Sound, mix_sounds
from clip_ae.worlds.sprites import Appearance, Colour, Image

SEED_PREFIX = 1


@dataclass(frozen=True)
class ActionClass:
    """A class: the motion of its core in cycles per second, the look of its object, its sound or None."""

    label: str
    motion: str
    cycles_per_second: float
    shape: str
    texture: str
    sound: str | None

    @property
    def caption(self) -> str:
        """A sentence that describes the action, in the words of the pre-training world's captions."""
        return f"a {self.texture} {self.shape} {self.motion}"


ACTION_CLASSES = (
    ActionClass("spinning cross", "spinning", 1.3, "cross", "quartered", "whirr"),
    ActionClass("bouncing ball", "bouncing", 1.7, "ball", "striped", "thumps"),
    ActionClass("looping ring", "looping", 1.1, "ring", "dotted", "siren"),
    ActionClass("flipping card", "flipping", 1.4, "card", "checkered", "rattle"),
    ActionClass("shivering star", "shivering", 1.2, "star", "plain", None),
)
# (shape, texture) of objects without an action that belong to no class.
DISTRACTOR_LOOKS: tuple[tuple[str, str], ...] = (
    ("hexagon", "dotted"),
    ("diamond", "plain"),
    ("triangle", "striped"),
    ("box", "ringed"),
)
BACKGROUND_SOUNDS = ("tone", "beeps", "hiss")
COLOURS: tuple[Colour, ...] = (
    (238, 122, 96), (44, 150, 152), (222, 170, 56), (120, 108, 206),
    (150, 190, 84), (190, 62, 98), (96, 164, 220), (246, 214, 150),
)  # fmt: skip
BACKDROPS: tuple[tuple[Colour, Colour], ...] = (
    ((176, 204, 214), (134, 156, 140)),
    ((226, 206, 184), (170, 146, 132)),
    ((76, 92, 122), (48, 56, 80)),
    ((186, 206, 180), (128, 150, 136)),
    ((134, 118, 142), (92, 84, 112)),
    ((210, 196, 206), (150, 140, 160)),
)

DEFAULT_FPS = Fraction(25)
DEFAULT_SIZE = (FRAME_WIDTH, FRAME_HEIGHT)
NTSC_FPS = Fraction(24000, 1001)
ODD_SIZE = (171, 127)
# Indices of the unusual videos of each subset.
MUTE_INDICES = (1, 13)
STEREO_INDICES = (2,)
VARIABLE_RATE_INDICES = (3,)
NTSC_INDICES = (4,)
TWO_CLASS_INDICES = (7, 19)
# Gain of each channel, by the number of channels.
CHANNEL_GAINS = {0: (), 1: (1.0,), 2: (1.0, 0.25)}

# Shortest background in seconds: between two actions, and at both ends of a video.
MIN_GAP_S = 0.8
TWO_CLASS_MIN_S = 7.0


@dataclass(frozen=True)
class VideoPlan:
    """A video before it is rendered. `fps_or_times`: frames per second, or the time of each frame in seconds."""

    video_id: str
    subset: str
    duration: float
    fps_or_times: Fraction | tuple[float, ...]
    size: tuple[int, int]
    channels: int
    instances: tuple[Instance, ...]
    scene: Scene
    sounds: tuple[Sound, ...]

    @property
    def timestamps(self) -> tuple[float, ...]:
        """The time of each frame in seconds."""
        if isinstance(self.fps_or_times, tuple):
            return self.fps_or_times
        return tuple(float(i / self.fps_or_times) for i in range(round(self.duration * self.fps_or_times)))


def plan_videos(world: DemoWorld) -> list[VideoPlan]:
    """All videos of the world in the order of their ids, not rendered."""
    counts: dict[str, int] = {}
    plans = []
    for video_id, subset in list_demo_subsets(world.train_videos, world.test_videos).items():
        index = counts.setdefault(subset, 0)
        counts[subset] += 1
        plans.append(_plan_video(world, video_id, subset, index))
    return plans


def render_frames(video: VideoPlan) -> Iterator[Image]:
    """RGB frames uint8 [H, W, 3] in the video's size, one per timestamp."""
    import cv2

    for frame in render_scene(video.scene, video.timestamps):
        yield frame if video.size == DEFAULT_SIZE else cv2.resize(frame, video.size, interpolation=cv2.INTER_LINEAR)


def render_audio(video: VideoPlan) -> NDArray[np.float32]:
    """Sound float32 [channels, samples] at SAMPLE_RATE; zero channels if the video is mute."""
    mono = mix_sounds(video.sounds, round(video.duration * SAMPLE_RATE), 0.006, (*video.scene.seed, 1))
    gains = np.array(CHANNEL_GAINS[video.channels], np.float32)
    return gains[:, None] * mono


def build_annotations(plans: Sequence[VideoPlan]) -> dict[str, Any]:
    """The content of an annotation file in ActivityNet form."""
    database = {
        video.video_id: {
            "subset": video.subset,
            "duration": video.duration,
            "annotations": [{"label": i.label, "segment": [i.start, i.stop]} for i in video.instances],
        }
        for video in plans
    }
    return {"version": "clip-ae demo", "taxonomy": [], "database": database}


def build_sentences(plans: Sequence[VideoPlan]) -> dict[str, Any]:
    """The content of a sentence file in ActivityNet Captions form: one sentence per action."""
    captions = {action.label: action.caption for action in ACTION_CLASSES}
    return {
        video.video_id: {
            "duration": video.duration,
            "timestamps": [[i.start, i.stop] for i in video.instances],
            "sentences": [captions[i.label] for i in video.instances],
        }
        for video in plans
    }


def _plan_video(world: DemoWorld, video_id: str, subset: str, index: int) -> VideoPlan:
    seed = (SEED_PREFIX, world.seed, int(subset == "training"), index)
    rng = np.random.default_rng(seed)
    fps = NTSC_FPS if index in NTSC_INDICES else DEFAULT_FPS
    duration = float(round(rng.uniform(world.seconds_min, world.seconds_max) * fps) / fps)
    actions = _draw_actions(world, subset, index, duration, rng)
    extents = _draw_extents(duration, len(actions), rng)
    actors = [_draw_actor(action, *extent, rng) for action, extent in zip(actions, extents, strict=True)]
    gaps = list(zip([0.0, *(stop for _, stop in extents)], [*(start for start, _ in extents), duration], strict=True))
    distractors = [_draw_distractor(*gap, {a.label for a in actions}, rng) for gap in gaps if gap[1] - gap[0] > 1.5]
    # Arguments are evaluated in this order; each draws from the same generator.
    return VideoPlan(
        video_id=video_id,
        subset=subset,
        duration=duration,
        fps_or_times=_draw_variable_times(duration, rng) if index in VARIABLE_RATE_INDICES else fps,
        size=ODD_SIZE if index in NTSC_INDICES else DEFAULT_SIZE,
        channels=0 if index in MUTE_INDICES else 2 if index in STEREO_INDICES else 1,
        instances=tuple(Instance(a.label, *extent) for a, extent in zip(actions, extents, strict=True)),
        scene=Scene(
            seed=(*seed, 0),
            backdrop=BACKDROPS[rng.integers(len(BACKDROPS))],
            actors=(*_draw_clutter(duration, rng), *(d for d in distractors if d), *actors),
            camera_shake=float(rng.choice([0.3, 1.0, 2.5])),
        ),
        sounds=(*_draw_action_sounds(actions, extents, seed, rng), *_draw_background_sounds(gaps, seed, rng)),
    )


def _draw_actions(
    world: DemoWorld, subset: str, index: int, duration: float, rng: np.random.Generator
) -> list[ActionClass]:
    """The classes of a video's actions in order: mostly one class, and the classes in turn over the subset."""
    cycle, position = divmod(index, len(ACTION_CLASSES))
    cycle_rng = np.random.default_rng((SEED_PREFIX, world.seed, int(subset == "training"), cycle, 0))
    order = cycle_rng.permutation(len(ACTION_CLASSES))
    first = ACTION_CLASSES[order[position]]
    max_actions = int((duration - MIN_GAP_S) / (3.5 + MIN_GAP_S))
    num_actions = int(rng.integers(1, 5))
    if index in TWO_CLASS_INDICES and duration > TWO_CLASS_MIN_S:
        second = ACTION_CLASSES[order[(position + 1) % len(ACTION_CLASSES)]]
        return [first, second, first][: max(2, min(num_actions, max_actions))]
    return [first] * max(1, min(num_actions, max_actions))


def _draw_extents(duration: float, num_actions: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Start and stop of each action: 2.2 to 5 s long, shorter in a short video, with gaps of at least MIN_GAP_S."""
    available = duration - (num_actions + 1) * MIN_GAP_S
    lengths = np.minimum(rng.uniform(2.2, 5.0, num_actions), available / num_actions)
    extra_gaps = rng.dirichlet(np.full(num_actions + 1, 2.0)) * (available - lengths.sum())
    starts = np.cumsum(extra_gaps[:-1] + MIN_GAP_S) + np.cumsum(lengths) - lengths
    return [(round(float(s), 3), round(float(s + n), 3)) for s, n in zip(starts, lengths, strict=True)]


def _draw_actor(action: ActionClass, start: float, stop: float, rng: np.random.Generator) -> Actor:
    """The actor of an action. Onset and follow-through take 20 to 32 % of the extent each."""
    length = stop - start
    core_start, core_stop = start + length * rng.uniform(0.2, 0.32), stop - length * rng.uniform(0.2, 0.32)
    cycles = max(1, round(action.cycles_per_second * rng.uniform(0.85, 1.15) * (core_stop - core_start)))
    return Actor(
        appearance=Appearance(action.shape, action.texture, _draw_colour(rng)),
        start=start,
        stop=stop,
        position=(float(rng.uniform(66, 94)), float(rng.uniform(52, 68))),
        radius=float(rng.uniform(16, 21)),
        generic_motion=str(rng.choice(["drifting", "approaching"])),
        heading=float(rng.uniform(0, 2 * np.pi)),
        travel_distance=float(rng.uniform(22, 34)),
        motion_amplitude=float(rng.uniform(16, 21)),
        core=ActionCore(action.motion, float(core_start), float(core_stop), cycles),
    )


def _draw_distractor(start: float, stop: float, acting_labels: set[str], rng: np.random.Generator) -> Actor | None:
    """An object without an action in a gap, or None; sometimes the object of a class that the video does not show."""
    if rng.random() < 0.35:
        return None
    looks = DISTRACTOR_LOOKS
    if rng.random() < 0.3:
        looks = tuple((a.shape, a.texture) for a in ACTION_CLASSES if a.label not in acting_labels)
    length = min(float(rng.uniform(1.2, 3.5)), stop - start - 0.2)
    enter_time = float(rng.uniform(start, stop - length))
    return Actor(
        appearance=Appearance(*looks[rng.integers(len(looks))], _draw_colour(rng)),
        start=enter_time,
        stop=enter_time + length,
        position=(float(rng.uniform(50, 110)), float(rng.uniform(40, 80))),
        radius=float(rng.uniform(12, 19)),
        generic_motion=str(rng.choice(["still", "drifting", "approaching"])),
        heading=float(rng.uniform(0, 2 * np.pi)),
        travel_distance=float(rng.uniform(22, 34)),
    )


def _draw_clutter(duration: float, rng: np.random.Generator) -> list[Actor]:
    """Small grey objects that drift by in the background, one after another through the whole video."""
    actors = []
    time = float(rng.uniform(-2, 2))
    while time < duration:
        length = float(rng.uniform(2, 4))
        shade = int(rng.integers(90, 200))
        position = (float(rng.uniform(40, 120)), float(rng.choice([16.0, 104.0])))
        appearance = Appearance(str(rng.choice(["ball", "box"])), "plain", (shade, shade, min(255, shade + 16)))
        heading = float(rng.choice([0.0, np.pi]))
        actors.append(Actor(appearance, time, time + length, position, 6.0, "drifting", heading, 45.0))
        time += length + float(rng.uniform(0, 3))
    return actors


def _draw_action_sounds(
    actions: list[ActionClass], extents: list[tuple[float, float]], seed: tuple[int, ...], rng: np.random.Generator
) -> list[Sound]:
    """The sounds of the actions, each over the whole extent of its action."""
    return [
        Sound(action.sound, *extent, rng.uniform(0.85, 1.2), rng.uniform(0.18, 0.35), (*seed, 2, i))
        for i, (action, extent) in enumerate(zip(actions, extents, strict=True))
        if action.sound
    ]


def _draw_background_sounds(
    gaps: list[tuple[float, float]], seed: tuple[int, ...], rng: np.random.Generator
) -> list[Sound]:
    """Sounds without an action, in 40 % of the gaps that are longer than 1.5 s."""
    sounds = []
    for i, (start, stop) in enumerate(gaps):
        if stop - start > 1.5 and rng.random() < 0.4:
            length = min(float(rng.uniform(0.8, 2.5)), stop - start)
            sound_start = float(rng.uniform(start, stop - length))
            kind = str(rng.choice(BACKGROUND_SOUNDS))
            pitch, level = rng.uniform(0.8, 1.25), rng.uniform(0.08, 0.2)
            sounds.append(Sound(kind, sound_start, sound_start + length, pitch, level, (*seed, 3, i)))
    return sounds


def _draw_variable_times(duration: float, rng: np.random.Generator) -> tuple[float, ...]:
    """Frame times in seconds, rounded to milliseconds, of a camera that changes its rate about every 1.2 s."""
    times = [0.0]
    while times[-1] < duration:
        step = 1 / float(rng.choice([12, 15, 25, 30]))
        times += [times[-1] + step * k for k in range(1, round(1.2 / step) + 1)]
    return tuple(round(t, 3) for t in times if t < duration - 0.02)


def _draw_colour(rng: np.random.Generator) -> Colour:
    return COLOURS[rng.integers(len(COLOURS))]
