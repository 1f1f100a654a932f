"""Motions of the generated videos: the pose at each phase of a class's motion, and motions without a class."""

from collections.abc import Callable
from dataclasses import dataclass
from math import asin, cos, pi, sin


@dataclass(frozen=True)
class Pose:
    """Offset from rest: x and y in units of the motion amplitude (y points down), angle in radians, scale factors."""

    x: float = 0.0
    y: float = 0.0
    angle: float = 0.0
    scale_x: float = 1.0
    scale_y: float = 1.0
    shear: float = 0.0
    brightness: float = 1.0


def _triangle(phase: float) -> float:
    """A sine with straight edges."""
    return asin(sin(2 * pi * phase)) * 2 / pi


def _bouncing(phase: float) -> Pose:
    """Bouncing, from the highest point on."""
    height = abs(cos(pi * phase))
    squash = 0.3 * max(0.0, 1 - 4 * height)
    return Pose(y=0.9 - 1.8 * height, scale_x=1 + squash, scale_y=1 - squash)


def _swinging(phase: float) -> Pose:
    """A pendulum that hangs from a point two motion amplitudes above."""
    angle = 0.8 * sin(2 * pi * phase)
    return Pose(x=-2 * sin(angle), y=2 * cos(angle) - 1.6, angle=angle)


def _stretching(phase: float) -> Pose:
    width = 1 + 0.45 * sin(2 * pi * phase)
    return Pose(scale_x=width, scale_y=2 - width)


def _pulsating(phase: float) -> Pose:
    size = 1 + 0.4 * sin(2 * pi * phase)
    return Pose(scale_x=size, scale_y=size)


# Pose at a phase in cycles: each motion repeats after 1.
MOTIONS: dict[str, Callable[[float], Pose]] = {
    "spinning": lambda p: Pose(angle=2 * pi * p),
    "bouncing": _bouncing,
    "swaying": lambda p: Pose(x=sin(2 * pi * p)),
    "bobbing": lambda p: Pose(y=sin(2 * pi * p)),
    "pulsating": _pulsating,
    "zigzagging": lambda p: Pose(x=_triangle(p), y=0.6 * _triangle(3 * p)),
    "orbiting": lambda p: Pose(x=sin(2 * pi * p), y=-cos(2 * pi * p)),
    "flickering": lambda p: Pose(brightness=0.65 + 0.35 * cos(6 * pi * p)),
    "wobbling": lambda p: Pose(shear=0.8 * sin(2 * pi * p)),
    "swinging": _swinging,
    "stretching": _stretching,
    "looping": lambda p: Pose(x=1.1 * sin(2 * pi * p), y=0.7 * sin(4 * pi * p)),
    "flipping": lambda p: Pose(scale_x=cos(2 * pi * p)),
    "shivering": lambda p: Pose(x=0.3 * sin(8 * pi * p), y=0.3 * sin(10 * pi * p)),
}

# Motions of any actor while it enters and leaves: u goes from -1 (enters) over 0 (in place) to 1 (has left).
GENERIC_MOTIONS: dict[str, Callable[[float], Pose]] = {
    "still": lambda u: Pose(),
    "drifting": lambda u: Pose(x=u),
    "approaching": lambda u: Pose(scale_x=1 - 0.5 * abs(u), scale_y=1 - 0.5 * abs(u)),
}
