"""The pre-training world: trimmed clips of one motion each, with the sound that goes with it and a caption.

What is moving (shape, texture, colour) is drawn independently of the motion, so that a motion classifier has only
the motion to go by, and words for things are learnt apart from words for motions.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clip_ae.worlds.scenes import ActionCore, Actor, Scene, render_scene
from clip_ae.worlds.sounds import SAMPLE_RATE, Sound, mix_sounds
from clip_ae.worlds.sprites import Appearance, Colour, Image

# Each class's sound. Spinning and bouncing are in the demo world too; its other classes are unknown here.
MOTION_SOUNDS = {
    "spinning": "whirr",
    "bouncing": "thumps",
    "swaying": "tone",
    "bobbing": "rises",
    "pulsating": "tremolo",
    "zigzagging": "falls",
    "orbiting": "beeps",
    "flickering": "clicks",
    "wobbling": "buzz",
    "swinging": "bells",
    "stretching": "hiss",
    "drifting": "rumble",
}
CLASSES = tuple(MOTION_SOUNDS)
SHAPE_NAMES = ("ball", "box", "triangle", "diamond", "hexagon", "cross", "arrow", "heart", "ring", "card", "star")
TEXTURE_NAMES = ("plain", "ringed", "striped", "dotted", "checkered", "quartered")
# Those on which even a ball is seen to turn.
ROTATION_TEXTURES = TEXTURE_NAMES[2:]
COLOURS: dict[str, Colour] = {
    "red": (214, 69, 65),
    "green": (86, 160, 90),
    "blue": (64, 112, 196),
    "yellow": (236, 196, 80),
    "purple": (140, 92, 176),
    "pink": (232, 140, 170),
    "white": (240, 238, 230),
    "brown": (140, 100, 70),
}
BACKDROPS: tuple[tuple[Colour, Colour], ...] = (
    ((150, 172, 184), (112, 128, 116)),
    ((196, 184, 168), (140, 126, 118)),
    ((92, 104, 128), (60, 68, 84)),
    ((170, 190, 170), (120, 140, 128)),
    ((120, 108, 124), (84, 80, 100)),
)
FPS = 25
# The 15600 samples that VGGish hears.
CLIP_SECONDS = 0.975
SEED_PREFIX = 2


@dataclass(frozen=True)
class TrimmedClip:
    """An index into CLASSES and captions; what is seen and heard is drawn when it is asked for."""

    scene: Scene
    sound: Sound
    noise_level: float
    label: int
    captions: tuple[str, ...]

    def render_frames(self, num_frames: int) -> Image:
        """The first frames, uint8 [count, 120, 160, 3]."""
        return np.stack(list(render_scene(self.scene, np.arange(num_frames) / FPS)))

    def render_audio(self) -> NDArray[np.float32]:
        """Mono sound, float32 [15600] at 16 kHz."""
        return mix_sounds([self.sound], round(CLIP_SECONDS * SAMPLE_RATE), self.noise_level, (*self.sound.seed, 1))


def generate_clips(seed: int, num_clips: int) -> Iterator[TrimmedClip]:
    """`count` clips, every class as often as any other; clip i does not depend on `count`."""
    for index in range(num_clips):
        yield _clip((SEED_PREFIX, seed, index), index % len(CLASSES))


def _clip(seed: tuple[int, ...], label: int) -> TrimmedClip:
    rng = np.random.default_rng(seed)
    motion = CLASSES[label]
    textures = ROTATION_TEXTURES if motion == "spinning" else TEXTURE_NAMES
    colour, texture, thing = rng.choice(list(COLOURS)), rng.choice(textures), rng.choice(SHAPE_NAMES)
    look = Appearance(str(thing), str(texture), COLOURS[str(colour)])
    scene = Scene(
        seed=(*seed, 1),
        backdrop=BACKDROPS[rng.integers(len(BACKDROPS))],
        actors=(*_passers(rng), _actor(look, motion, rng)),
        camera_shake=float(rng.uniform(0, 1)),
    )
    sound = Sound(
        MOTION_SOUNDS[motion], -1.0, CLIP_SECONDS + 1, rng.uniform(0.8, 1.25), rng.uniform(0.1, 0.4), (*seed, 2)
    )
    return TrimmedClip(scene, sound, float(rng.uniform(0.002, 0.02)), label, _captions(colour, texture, thing, motion))


def _captions(colour: str, texture: str, thing: str, motion: str) -> tuple[str, ...]:
    """The whole one first. People say now this, now that of what they see, so that each word has to mean something."""
    return (
        f"a {colour} {texture} {thing} {motion}",
        f"a {texture} {thing} {motion}",
        f"a {colour} {thing}",
        f"a {texture} {thing}",
        f"a {thing} {motion}",
    )


def _actor(look: Appearance, motion: str, rng: np.random.Generator) -> Actor:
    """On stage all the time, at a random phase of its motion."""
    place = (float(rng.uniform(64, 96)), float(rng.uniform(50, 70)))
    radius, reach = float(rng.uniform(15, 23)), float(rng.uniform(15, 23))
    if motion == "drifting":
        heading = float(rng.uniform(0, 2 * np.pi))
        return Actor(look, -0.2, 0.9, place, radius, "drifting", heading, travel_distance=float(rng.uniform(18, 34)))
    period = 1 / rng.uniform(1.5, 2.4)
    start = -float(rng.uniform(1, 2) * period)
    core = ActionCore(motion, start, start + 4 * period, cycles=4)
    return Actor(look, core.start, core.stop, place, radius, "still", motion_amplitude=reach, core=core)


def _passers(rng: np.random.Generator) -> tuple[Actor, ...]:
    """Now and then something small drifts by behind."""
    if rng.random() < 0.8:
        return ()
    look = Appearance("ball", "plain", (150, 150, 150))
    place = (float(rng.uniform(20, 140)), float(rng.choice([20.0, 100.0])))
    return (Actor(look, -1.0, 2.0, place, 6.0, "drifting", float(rng.uniform(0, 2 * np.pi)), travel_distance=40.0),)
