"""A scene as data, and its frames: actors in front of a backdrop, camera shake and noise."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil, cos, log2, pi, sin

import numpy as np
from numpy.typing import NDArray

from clip_ae.worlds.motions import GENERIC_MOTIONS, MOTIONS, Pose
from clip_ae.worlds.sprites import SPRITE_MARGIN, Appearance, Colour, Image, draw_sprite

FRAME_WIDTH, FRAME_HEIGHT = 160, 120
# The backdrop is this many pixels larger on each side: room for the camera shake.
CAMERA_MARGIN = 12
# The noise of each frame is cut from an image that is this many pixels larger.
NOISE_MARGIN = 32


@dataclass(frozen=True)
class ActionCore:
    """The time in which an actor performs its motion, in seconds and in whole cycles."""

    motion: str
    start: float
    stop: float
    cycles: int

    def pose_at(self, time: float) -> Pose:
        return MOTIONS[self.motion](self.cycles * (time - self.start) / (self.stop - self.start))


@dataclass(frozen=True)
class Actor:
    """A sprite that is visible from start to stop in seconds. Position, radius, travel and amplitude are in pixels.

    It enters and leaves by a generic motion along its heading. If it has a core, it performs the core's motion between.
    """

    appearance: Appearance
    start: float
    stop: float
    position: tuple[float, float]
    radius: float
    generic_motion: str
    heading: float = 0.0
    travel_distance: float = 0.0
    motion_amplitude: float = 0.0
    core: ActionCore | None = None

    def is_visible(self, time: float) -> bool:
        return self.start <= time < self.stop

    def pose_at(self, time: float) -> Pose:
        """The pose at a time, x and y in pixels of the scene: the core's motion on top of the generic motion."""
        act = self.core.pose_at(min(max(time, self.core.start), self.core.stop)) if self.core else Pose()
        travel = GENERIC_MOTIONS[self.generic_motion](self._progress(time))
        return Pose(
            x=self.position[0] + self.motion_amplitude * act.x + self.travel_distance * travel.x * cos(self.heading),
            y=self.position[1] + self.motion_amplitude * act.y + self.travel_distance * travel.x * sin(self.heading),
            angle=act.angle,
            scale_x=act.scale_x * travel.scale_x,
            scale_y=act.scale_y * travel.scale_y,
            shear=act.shear,
            brightness=act.brightness,
        )

    def _progress(self, time: float) -> float:
        """Progress of the generic motion: -1 when the actor enters, 0 while it is in place, 1 when it has left."""
        middle = (self.start + self.stop) / 2
        arrival, departure = (self.core.start, self.core.stop) if self.core else (middle, middle)
        if time < arrival:
            return (time - arrival) / (arrival - self.start)
        if time > departure:
            return (time - departure) / (self.stop - departure)
        return 0.0


@dataclass(frozen=True)
class Scene:
    """All that the frames show; later actors in the tuple are drawn in front."""

    seed: tuple[int, ...]
    backdrop: tuple[Colour, Colour]
    actors: tuple[Actor, ...]
    camera_shake: float = 0.0
    noise_level: int = 4


def render_scene(scene: Scene, times: Iterable[float]) -> Iterator[Image]:
    """RGB frames uint8 [FRAME_HEIGHT, FRAME_WIDTH, 3] at these times in seconds."""
    import cv2

    rng = np.random.default_rng(scene.seed)
    canvas = _draw_backdrop(scene.backdrop, rng)
    shake_phases = rng.uniform(0, 2 * np.pi, 4)
    noise_shape = (FRAME_HEIGHT + NOISE_MARGIN, FRAME_WIDTH + NOISE_MARGIN, 3)
    noise = rng.integers(-scene.noise_level, scene.noise_level, noise_shape, np.int8, endpoint=True)
    sprites = [draw_sprite(actor.appearance, _sprite_side(actor.radius)) for actor in scene.actors]
    for time in times:
        dx, dy = _camera_offset(scene.camera_shake, shake_phases, time)
        centre = (CAMERA_MARGIN + (FRAME_WIDTH - 1) / 2 - dx, CAMERA_MARGIN + (FRAME_HEIGHT - 1) / 2 - dy)
        frame = cv2.getRectSubPix(canvas, (FRAME_WIDTH, FRAME_HEIGHT), centre)
        for actor, sprite in zip(scene.actors, sprites, strict=True):
            if actor.is_visible(time):
                _paint_sprite(frame, sprite, actor.pose_at(time), actor.radius, (dx, dy))
        row, column = rng.integers(NOISE_MARGIN, size=2)
        yield cv2.add(frame, noise[row : row + FRAME_HEIGHT, column : column + FRAME_WIDTH], dtype=cv2.CV_8U)


def _camera_offset(shake: float, phases: NDArray[np.float64], time: float) -> tuple[float, float]:
    """Shift of the whole frame in pixels, as of a hand-held camera: a slow motion and a smaller, faster one."""
    turn = 2 * pi * time
    dx = sin(0.7 * turn + phases[0]) + 0.4 * sin(2.3 * turn + phases[1])
    dy = sin(0.9 * turn + phases[2]) + 0.4 * sin(1.9 * turn + phases[3])
    return shake * dx, shake * dy


def _draw_backdrop(backdrop: tuple[Colour, Colour], rng: np.random.Generator) -> Image:
    """A gradient between two colours with soft lights, and a fine pattern that makes camera motion visible."""
    import cv2

    width, height = FRAME_WIDTH + 2 * CAMERA_MARGIN, FRAME_HEIGHT + 2 * CAMERA_MARGIN
    slope = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    top, bottom = np.array(backdrop, np.float32)
    clouds = cv2.resize(rng.normal(0, 9, (5, 6)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    pattern = cv2.resize(rng.normal(0, 5, (height // 3, width // 3)).astype(np.float32), (width, height))
    canvas = np.clip(top * (1 - slope) + bottom * slope + (clouds + pattern)[..., None], 0, 255).astype(np.uint8)
    lights = canvas.copy()
    for _ in range(4):
        x, y, radius = rng.integers((0, 0, 8), (width, height, 26)).tolist()
        cv2.circle(lights, (x, y), radius, backdrop[int(rng.integers(2))], -1, cv2.LINE_AA)
    blended: Image = cv2.addWeighted(canvas, 0.6, lights, 0.4, 0)
    return blended


def _paint_sprite(frame: Image, sprite: Image, pose: Pose, radius: float, shift: tuple[float, float]) -> None:
    """Blend a sprite into the frame, in place; only the box around the sprite changes."""
    import cv2

    x, y = pose.x + shift[0], pose.y + shift[1]
    half_size = radius * (max(abs(pose.scale_x), abs(pose.scale_y)) * (1 + abs(pose.shear)) * 1.5) + 2
    left, right = max(0, int(x - half_size)), min(FRAME_WIDTH, int(x + half_size) + 2)
    top, bottom = max(0, int(y - half_size)), min(FRAME_HEIGHT, int(y + half_size) + 2)
    if left >= right or top >= bottom:
        return
    matrix = _affine_matrix(pose, 2 * SPRITE_MARGIN * radius, len(sprite), x - left, y - top)
    patch = cv2.warpAffine(sprite, matrix, (right - left, bottom - top))
    *channels, alpha = cv2.split(patch)
    colours = cv2.merge(channels)
    if pose.brightness != 1:
        colours = cv2.convertScaleAbs(colours, alpha=pose.brightness)
    box = frame[top:bottom, left:right]
    background = cv2.multiply(box, cv2.cvtColor(255 - alpha, cv2.COLOR_GRAY2RGB), scale=1 / 255)
    cv2.add(background, colours, dst=box)


def _sprite_side(radius: float) -> int:
    """Side in pixels of the sprite for a radius: the next power of two, so that shrinking loses little detail."""
    return 1 << ceil(log2(2 * SPRITE_MARGIN * radius))


def _affine_matrix(pose: Pose, size: float, side: int, x: float, y: float) -> NDArray[np.float64]:
    """Affine matrix [2, 3] from a sprite's pixels to those of a box: scale and shear, turn, move the centre to x, y."""
    scale, middle = size / side, (side - 1) / 2
    c, s = scale * cos(pose.angle), scale * sin(pose.angle)
    xx, xy = c * pose.scale_x, c * pose.shear - s * pose.scale_y
    yx, yy = s * pose.scale_x, s * pose.shear + c * pose.scale_y
    return np.array([[xx, xy, x - (xx + xy) * middle], [yx, yy, y - (yx + yy) * middle]])
