"""Sprites of the generated videos: a shape with a texture and a colour, as a small RGBA image."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Floats = NDArray[np.floating[Any]]
Colour = tuple[int, int, int]

# A sprite is drawn with this side in pixels and then shrunk, which makes its edges soft.
DRAWING_SIZE = 192
# A shape fills [-1, 1]. The sprite is slightly larger, so that edges stay soft when it turns.
SPRITE_MARGIN = 1.08
LIGHT: Colour = (250, 244, 232)
DARK: Colour = (44, 48, 66)


@dataclass(frozen=True)
class Appearance:
    shape: str
    texture: str
    colour: Colour


def _polar_outline(radii: Floats) -> Floats:
    """A closed outline [N, 2] through points with these radii, evenly spaced in angle from the top on."""
    angle = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    return np.stack([radii * np.sin(angle), -radii * np.cos(angle)], axis=1)


def _heart() -> Floats:
    t = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([np.sin(t) ** 3, -(y + 2.5) / 16], axis=1)


def _points(*xy: tuple[float, float]) -> Floats:
    return np.array(xy)


_DISC = _polar_outline(np.full(48, 1.0))
_CROSS = _points(
    (-0.36, -1), (0.36, -1), (0.36, -0.36), (1, -0.36), (1, 0.36), (0.36, 0.36),
    (0.36, 1), (-0.36, 1), (-0.36, 0.36), (-1, 0.36), (-1, -0.36), (-0.36, -0.36),
)  # fmt: skip
_ARROW = _points((0, -1), (0.85, 0), (0.36, 0), (0.36, 1), (-0.36, 1), (-0.36, 0), (-0.85, 0))

# Outlines [N, 2] of each shape; a second one inside the first is a hole.
SHAPES: dict[str, tuple[Floats, ...]] = {
    "ball": (_DISC,),
    "box": (_points((-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)),),
    "triangle": (_polar_outline(np.full(3, 1.0)),),
    "diamond": (_points((0, -1), (0.7, 0), (0, 1), (-0.7, 0)),),
    "hexagon": (_polar_outline(np.full(6, 1.0)),),
    "cross": (_CROSS,),
    "arrow": (_ARROW,),
    "heart": (_heart(),),
    "star": (_polar_outline(np.where(np.arange(10) % 2, 0.45, 1.0)),),
    "ring": (_DISC, 0.5 * _DISC),
    "card": (_points((-0.68, -1), (0.68, -1), (0.68, 1), (-0.68, 1)),),
}

# Masks of a texture's marks, as functions of x and y in [-1, 1].
TEXTURES: dict[str, Callable[[Floats, Floats], NDArray[np.bool_]]] = {
    "plain": lambda x, y: np.zeros(x.shape, bool),
    "striped": lambda x, y: np.sin(9 * (x + 0.17)) > 0.2,
    "dotted": lambda x, y: np.sin(8 * (x + 0.2)) * np.sin(8 * (y + 0.2)) > 0.35,
    "checkered": lambda x, y: np.sin(6 * x) * np.sin(6 * y) > 0,
    "ringed": lambda x, y: np.sin(10 * np.hypot(x, y)) < -0.1,
    "quartered": lambda x, y: x * y > 0,
}


@lru_cache(maxsize=512)
def draw_sprite(appearance: Appearance, size: int) -> Image:
    """RGBA image [size, size, 4], with colours multiplied by alpha."""
    import cv2

    outlines = [_to_pixels(o) for o in SHAPES[appearance.shape]]
    image = np.full((DRAWING_SIZE, DRAWING_SIZE, 3), appearance.colour, np.uint8)
    image[TEXTURES[appearance.texture](*_pixel_coordinates())] = _choose_mark_colour(appearance.colour)
    cv2.polylines(image, outlines, True, DARK, 9)
    alpha = np.zeros((DRAWING_SIZE, DRAWING_SIZE), np.uint8)
    cv2.fillPoly(alpha, outlines, 255)
    layers = cv2.merge([*cv2.split(cv2.bitwise_and(image, image, mask=alpha)), alpha])
    sprite: Image = cv2.resize(layers, (size, size), interpolation=cv2.INTER_AREA)
    sprite.flags.writeable = False
    return sprite


@cache
def _pixel_coordinates() -> tuple[Floats, Floats]:
    """x and y of each pixel, in the coordinates of a shape."""
    line = ((np.arange(DRAWING_SIZE) + 0.5) / DRAWING_SIZE * 2 - 1) * SPRITE_MARGIN
    x, y = np.meshgrid(line.astype(np.float32), line.astype(np.float32))
    return x, y


def _to_pixels(outline: Floats) -> NDArray[np.int32]:
    return np.round((outline / SPRITE_MARGIN + 1) / 2 * (DRAWING_SIZE - 1)).astype(np.int32)


def _choose_mark_colour(colour: Colour) -> Colour:
    """Light marks on dark colours, dark marks on light ones."""
    return LIGHT if np.dot(colour, (0.3, 0.59, 0.11)) < 160 else DARK
