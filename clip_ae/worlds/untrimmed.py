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
from clip_ae.worlds.scenes import FRAME_HEIGHT, FRAME_WIDTH, Scene, render_scene
from clip_ae.worlds.sounds import SAMPLE_RATE, Sound, mix_sounds
from clip_ae.worlds.sprites import Colour, Image
from clip_ae.worlds.untrimmed_actors import ACTION_CLASSES, ActionClass, draw_actor, draw_clutter, draw_distractor

SEED_PREFIX = 1
BACKGROUND_SOUNDS = ("tone", "beeps", "hiss")
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
    actors = [draw_actor(action, *extent, rng) for action, extent in zip(actions, extents, strict=True)]
    gaps = list(zip([0.0, *(stop for _, stop in extents)], [*(start for start, _ in extents), duration], strict=True))
    distractors = [draw_distractor(*gap, {a.label for a in actions}, rng) for gap in gaps if gap[1] - gap[0] > 1.5]
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
            actors=(*draw_clutter(duration, rng), *(d for d in distractors if d), *actors),
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
