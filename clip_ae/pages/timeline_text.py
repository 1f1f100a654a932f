"""One video's actions in time, as lines of text."""

import math
from collections.abc import Sequence

from clip_ae.core.errors import make_printable
from clip_ae.core.types import Detection, Instance

GROUND_TRUTH_MARK = "█"
# By score as a share of the video's best.
SCORE_SHADES = "░▒▓█"
AXIS_STEPS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600)
# Characters between two marks of the axis.
MIN_TICK_SPACING = 12


def render_timeline(
    duration: float, ground_truth: Sequence[Instance], detections: Sequence[Detection], width: int
) -> list[str]:
    """An axis in seconds, a line for each annotated class, and a line for each detection, the best first."""
    names = [f"{name} (annotated)" for name in _labels(ground_truth)] + [f"{d.label} {d.score:.2f}" for d in detections]
    names = [make_printable(name) for name in names]
    left = max(map(len, names), default=0) + 2
    across = max(20, width - left - 1)
    best = max((d.score for d in detections if d.score > 0), default=1.0)
    rows = [
        _bars([(i.start, i.stop) for i in ground_truth if i.label == name], duration, across)
        for name in _labels(ground_truth)
    ]
    rows += [_bars([(d.start, d.stop)], duration, across, _shade(d.score / best)) for d in detections]
    lines = [f"{name:<{left}}{row}".rstrip() for name, row in zip(names, rows, strict=True)]
    return [" " * left + _axis(duration, across), *lines]


def _labels(truth: Sequence[Instance]) -> list[str]:
    return sorted({i.label for i in truth})


def _shade(share: float) -> str:
    return SCORE_SHADES[min(len(SCORE_SHADES) - 1, int(max(0.0, share) * len(SCORE_SHADES)))]


def _bars(spans: Sequence[tuple[float, float]], duration: float, across: int, mark: str = GROUND_TRUTH_MARK) -> str:
    """However short a span is, it has one character."""
    row = [" "] * across
    for start, stop in spans:
        first = min(across - 1, max(0, int(start / duration * across)))
        last = min(across, max(first + 1, round(stop / duration * across)))
        row[first:last] = mark * (last - first)
    return "".join(row)


def _axis(duration: float, across: int) -> str:
    step = next(
        (s for s in AXIS_STEPS if s / duration * across >= MIN_TICK_SPACING),
        math.ceil(duration / across * MIN_TICK_SPACING),
    )
    row = ""
    for second in range(0, int(duration) + 1, step):
        row = row.ljust(int(second / duration * across))
        if len(row) == int(second / duration * across):
            row += f"|{second} s"
    return row
