"""The actors of the demo world: acting objects, objects without an action, and clutter in the background."""

from dataclasses import dataclass

import numpy as np

from clip_ae.worlds.scenes import ActionCore, Actor
from clip_ae.worlds.sprites import Appearance, Colour


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
COLOURS: tuple[Colour, ...] = (
    (238, 122, 96), (44, 150, 152), (222, 170, 56), (120, 108, 206),
    (150, 190, 84), (190, 62, 98), (96, 164, 220), (246, 214, 150),
)  # fmt: skip


def draw_actor(action: ActionClass, start: float, stop: float, rng: np.random.Generator) -> Actor:
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


def draw_distractor(start: float, stop: float, acting_labels: set[str], rng: np.random.Generator) -> Actor | None:
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


def draw_clutter(duration: float, rng: np.random.Generator) -> list[Actor]:
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


def _draw_colour(rng: np.random.Generator) -> Colour:
    return COLOURS[rng.integers(len(COLOURS))]
