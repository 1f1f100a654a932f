"""The pre-training world: trimmed clips of one motion each, with the sound of that motion and captions.

Shape, texture and colour of the object are drawn independently of the motion. So a motion classifier can use the
motion alone, and CLIP learns the words for objects separately from those for motions.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clip_ae.worlds.scenes import ActionCore, Actor, Scene, render_scene
from clip_ae.worlds.sounds import SAMPLE_RATE, Sound, mix_sounds
from clip_ae.worlds.sprites import Appearance, Colour, Image

# The sound of each class. Spinning and bouncing are also classes of the demo world; its other classes are not here.
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
# Textures with which the rotation of any shape is visible, even of a ball.
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
# 15600 samples at 16 kHz: the input of VGGish.
CLIP_SECONDS = 0.975
SEED_PREFIX = 2


@dataclass(frozen=True)
class TrimmedClip:
    """A clip: its label (an index into CLASSES) and captions; frames and sound are rendered on demand."""

    scene: Scene
    sound: Sound
    noise_level: float
    label: int
    captions: tuple[str, ...]

    def render_frames(self, num_frames: int) -> Image:
        """The first frames, uint8 [num_frames, 120, 160, 3]."""
        return np.stack(list(render_scene(self.scene, np.arange(num_frames) / FPS)))

    def render_audio(self) -> NDArray[np.float32]:
        """Mono sound, float32 [15600] at 16 kHz."""
        return mix_sounds([self.sound], round(CLIP_SECONDS * SAMPLE_RATE), self.noise_level, (*self.sound.seed, 1))


def generate_clips(seed: int, num_clips: int) -> Iterator[TrimmedClip]:
    """`num_clips` clips, with the classes in turn; clip i does not depend on `num_clips`."""
    for index in range(num_clips):
        yield _generate_clip((SEED_PREFIX, seed, index), index % len(CLASSES))


def _generate_clip(seed: tuple[int, ...], label: int) -> TrimmedClip:
    rng = np.random.default_rng(seed)
    motion = CLASSES[label]
    textures = ROTATION_TEXTURES if motion == "spinning" else TEXTURE_NAMES
    colour, texture, shape = rng.choice(list(COLOURS)), rng.choice(textures), rng.choice(SHAPE_NAMES)
    appearance = Appearance(str(shape), str(texture), COLOURS[str(colour)])
    scene = Scene(
        seed=(*seed, 1),
        backdrop=BACKDROPS[rng.integers(len(BACKDROPS))],
        actors=(*_generate_distractors(rng), _generate_actor(appearance, motion, rng)),
        camera_shake=float(rng.uniform(0, 1)),
    )
    sound = Sound(
        MOTION_SOUNDS[motion], -1.0, CLIP_SECONDS + 1, rng.uniform(0.8, 1.25), rng.uniform(0.1, 0.4), (*seed, 2)
    )
    return TrimmedClip(
        scene, sound, float(rng.uniform(0.002, 0.02)), label, _build_captions(colour, texture, shape, motion)
    )


def _build_captions(colour: str, texture: str, shape: str, motion: str) -> tuple[str, ...]:
    """The full caption, then parts of it. With parts, as people describe videos, CLIP must learn each word."""
    return (
        f"a {colour} {texture} {shape} {motion}",
        f"a {texture} {shape} {motion}",
        f"a {colour} {shape}",
        f"a {texture} {shape}",
        f"a {shape} {motion}",
    )


def _generate_actor(appearance: Appearance, motion: str, rng: np.random.Generator) -> Actor:
    """The moving object: visible in the whole clip, from a random phase of its motion on."""
    position = (float(rng.uniform(64, 96)), float(rng.uniform(50, 70)))
    radius, amplitude = float(rng.uniform(15, 23)), float(rng.uniform(15, 23))
    if motion == "drifting":
        heading = float(rng.uniform(0, 2 * np.pi))
        distance = float(rng.uniform(18, 34))
        return Actor(appearance, -0.2, 0.9, position, radius, "drifting", heading, travel_distance=distance)
    period = 1 / rng.uniform(1.5, 2.4)
    start = -float(rng.uniform(1, 2) * period)
    core = ActionCore(motion, start, start + 4 * period, cycles=4)
    return Actor(appearance, core.start, core.stop, position, radius, "still", motion_amplitude=amplitude, core=core)


def _generate_distractors(rng: np.random.Generator) -> tuple[Actor, ...]:
    """In one of five clips, a small ball that drifts by behind the moving object."""
    if rng.random() < 0.8:
        return ()
    appearance = Appearance("ball", "plain", (150, 150, 150))
    position = (float(rng.uniform(20, 140)), float(rng.choice([20.0, 100.0])))
    heading = float(rng.uniform(0, 2 * np.pi))
    return (Actor(appearance, -1.0, 2.0, position, 6.0, "drifting", heading, travel_distance=40.0),)
