"""A scene as data, and its frames: actors before a backdrop, a shaking camera, noise."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil, cos, log2, pi, sin

import numpy as np
from numpy.typing import NDArray

from clip_ae.worlds.motions import GENERIC_MOTIONS, MOTIONS, Pose
from clip_ae.worlds.sprites import SPRITE_MARGIN, Appearance, Colour, Image, draw_sprite

FRAME_WIDTH, FRAME_HEIGHT = 160, 120
# The backdrop reaches this many pixels further on each side, for the camera to shake in.
CAMERA_MARGIN = 12
# Every frame's noise is cut out of a sheet that is this many pixels larger.
NOISE_MARGIN = 32


@dataclass(frozen=True)
class ActionCore:
    """The part of an actor's time on stage in which it acts, in whole cycles of its motion."""

    motion: str
    start: float
    stop: float
    cycles: int

    def pose_at(self, time: float) -> Pose:
        return MOTIONS[self.motion](self.cycles * (time - self.start) / (self.stop - self.start))


@dataclass(frozen=True)
class Actor:
    """Something on stage from start to stop (seconds), at a place (pixels), with its radius, reach and travel (pixels).

    It comes and goes by a generic motion along its heading; between, if it has a core, it acts.
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
        """The pose at a time, x and y in pixels of the scene: its act on top of its coming and going."""
        act = self.core.pose_at(min(max(time, self.core.start), self.core.stop)) if self.core else Pose()
        way = GENERIC_MOTIONS[self.generic_motion](self._progress(time))
        return Pose(
            x=self.position[0] + self.motion_amplitude * act.x + self.travel_distance * way.x * cos(self.heading),
            y=self.position[1] + self.motion_amplitude * act.y + self.travel_distance * way.x * sin(self.heading),
            angle=act.angle,
            scale_x=act.scale_x * way.scale_x,
            scale_y=act.scale_y * way.scale_y,
            shear=act.shear,
            brightness=act.brightness,
        )

    def _progress(self, time: float) -> float:
        """-1 when the actor enters, 0 while it is there, 1 when it is gone."""
        middle = (self.start + self.stop) / 2
        there, leaves = (self.core.start, self.core.stop) if self.core else (middle, middle)
        if time < there:
            return (time - there) / (there - self.start)
        if time > leaves:
            return (time - leaves) / (self.stop - leaves)
        return 0.0


@dataclass(frozen=True)
class Scene:
    """All that is seen; actors later in the tuple stand in front."""

    seed: tuple[int, ...]
    backdrop: tuple[Colour, Colour]
    actors: tuple[Actor, ...]
    camera_shake: float = 0.0
    noise_level: int = 4


def render_scene(scene: Scene, times: Iterable[float]) -> Iterator[Image]:
    """RGB frames [HEIGHT, WIDTH, 3] at these times."""
    import cv2

    rng = np.random.default_rng(scene.seed)
    canvas = _canvas(scene.backdrop, rng)
    sway = rng.uniform(0, 2 * np.pi, 4)
    grain = rng.integers(
        -scene.noise_level,
        scene.noise_level,
        (FRAME_HEIGHT + NOISE_MARGIN, FRAME_WIDTH + NOISE_MARGIN, 3),
        np.int8,
        endpoint=True,
    )
    sprites = [draw_sprite(actor.appearance, _side(actor.radius)) for actor in scene.actors]
    for time in times:
        dx, dy = _camera(scene.camera_shake, sway, time)
        centre = (CAMERA_MARGIN + (FRAME_WIDTH - 1) / 2 - dx, CAMERA_MARGIN + (FRAME_HEIGHT - 1) / 2 - dy)
        frame = cv2.getRectSubPix(canvas, (FRAME_WIDTH, FRAME_HEIGHT), centre)
        for actor, picture in zip(scene.actors, sprites, strict=True):
            if actor.is_visible(time):
                _paint(frame, picture, actor.pose_at(time), actor.radius, (dx, dy))
        row, column = rng.integers(NOISE_MARGIN, size=2)
        yield cv2.add(frame, grain[row : row + FRAME_HEIGHT, column : column + FRAME_WIDTH], dtype=cv2.CV_8U)


def _camera(shake: float, sway: NDArray[np.float64], time: float) -> tuple[float, float]:
    """Pixels by which everything is shifted: a hand that is slow and a little fast at once."""
    turn = 2 * pi * time
    dx = sin(0.7 * turn + sway[0]) + 0.4 * sin(2.3 * turn + sway[1])
    dy = sin(0.9 * turn + sway[2]) + 0.4 * sin(1.9 * turn + sway[3])
    return shake * dx, shake * dy


def _canvas(backdrop: tuple[Colour, Colour], rng: np.random.Generator) -> Image:
    """A gradient between two colours with soft lights and a fine cloth that a camera's motion shows on."""
    import cv2

    width, height = FRAME_WIDTH + 2 * CAMERA_MARGIN, FRAME_HEIGHT + 2 * CAMERA_MARGIN
    slope = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    top, bottom = np.array(backdrop, np.float32)
    clouds = cv2.resize(rng.normal(0, 9, (5, 6)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    cloth = cv2.resize(rng.normal(0, 5, (height // 3, width // 3)).astype(np.float32), (width, height))
    canvas = np.clip(top * (1 - slope) + bottom * slope + (clouds + cloth)[..., None], 0, 255).astype(np.uint8)
    lights = canvas.copy()
    for _ in range(4):
        x, y, radius = rng.integers((0, 0, 8), (width, height, 26)).tolist()
        cv2.circle(lights, (x, y), radius, backdrop[int(rng.integers(2))], -1, cv2.LINE_AA)
    mixed: Image = cv2.addWeighted(canvas, 0.6, lights, 0.4, 0)
    return mixed


def _paint(frame: Image, picture: Image, pose: Pose, radius: float, shift: tuple[float, float]) -> None:
    """Blend a sprite into the frame, touching only the box that it covers."""
    import cv2

    x, y = pose.x + shift[0], pose.y + shift[1]
    half = radius * (max(abs(pose.scale_x), abs(pose.scale_y)) * (1 + abs(pose.shear)) * 1.5) + 2
    left, right = max(0, int(x - half)), min(FRAME_WIDTH, int(x + half) + 2)
    top, bottom = max(0, int(y - half)), min(FRAME_HEIGHT, int(y + half) + 2)
    if left >= right or top >= bottom:
        return
    matrix = _matrix(pose, 2 * SPRITE_MARGIN * radius, len(picture), x - left, y - top)
    patch = cv2.warpAffine(picture, matrix, (right - left, bottom - top))
    *paint, alpha = cv2.split(patch)
    paint = cv2.merge(paint) if pose.brightness == 1 else cv2.convertScaleAbs(cv2.merge(paint), alpha=pose.brightness)
    box = frame[top:bottom, left:right]
    behind = cv2.multiply(box, cv2.cvtColor(255 - alpha, cv2.COLOR_GRAY2RGB), scale=1 / 255)
    cv2.add(behind, paint, dst=box)


def _side(radius: float) -> int:
    """Side of the sprite for a radius: a power of two not far above its size, so that little is lost in shrinking."""
    return 1 << ceil(log2(2 * SPRITE_MARGIN * radius))


def _matrix(pose: Pose, size: float, side: int, x: float, y: float) -> NDArray[np.float64]:
    """From a sprite's pixels to those of a box: shaped, then turned, then with its middle at x, y."""
    scale, middle = size / side, (side - 1) / 2
    c, s = scale * cos(pose.angle), scale * sin(pose.angle)
    xx, xy = c * pose.scale_x, c * pose.shear - s * pose.scale_y
    yx, yy = s * pose.scale_x, s * pose.shear + c * pose.scale_y
    return np.array([[xx, xy, x - (xx + xy) * middle], [yx, yy, y - (yx + yy) * middle]])
