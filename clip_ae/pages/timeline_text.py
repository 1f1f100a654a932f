"""Draw the actions of one video over time as lines of text."""

import math
import shutil
from collections.abc import Sequence

from clip_ae.core.errors import make_printable
from clip_ae.core.types import Detection, Instance

GROUND_TRUTH_MARK = "█"
# By the score as a share of the video's best score, lowest first.
SCORE_SHADES = "░▒▓█"
AXIS_STEPS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600)
# Characters from one tick of the axis to the next, at least.
MIN_TICK_SPACING = 12
# Characters; a terminal that claims more is wrong.
MAX_WIDTH = 1000


def get_terminal_width() -> int:
    return min(shutil.get_terminal_size().columns, MAX_WIDTH)


def render_timeline(
    duration: float, ground_truth: Sequence[Instance], detections: Sequence[Detection], width: int
) -> list[str]:
    """An axis in seconds, a line for each annotated class, and a line for each detection in the order given."""
    classes = sorted({instance.label for instance in ground_truth})
    names = [f"{name} (annotated)" for name in classes] + [f"{d.label} {d.score:.2f}" for d in detections]
    names = [make_printable(name) for name in names]
    left = max(map(len, names), default=0) + 2
    num_columns = max(20, width - left - 1)
    best_score = max((d.score for d in detections if d.score > 0), default=1.0)
    bars = [
        _draw_bars([(i.start, i.stop) for i in ground_truth if i.label == name], duration, num_columns)
        for name in classes
    ]
    bars += [
        _draw_bars([(d.start, d.stop)], duration, num_columns, _get_shade(d.score / best_score)) for d in detections
    ]
    lines = [f"{name:<{left}}{bar}".rstrip() for name, bar in zip(names, bars, strict=True)]
    return [" " * left + _draw_axis(duration, num_columns), *lines]


def _get_shade(share: float) -> str:
    return SCORE_SHADES[min(len(SCORE_SHADES) - 1, int(max(0.0, share) * len(SCORE_SHADES)))]


def _draw_bars(
    spans: Sequence[tuple[float, float]], duration: float, num_columns: int, mark: str = GROUND_TRUTH_MARK
) -> str:
    """A line with a bar for each span; the shortest bar is one character."""
    line = [" "] * num_columns
    for start, stop in spans:
        first = min(num_columns - 1, max(0, int(start / duration * num_columns)))
        last = min(num_columns, max(first + 1, round(stop / duration * num_columns)))
        line[first:last] = mark * (last - first)
    return "".join(line)


def _draw_axis(duration: float, num_columns: int) -> str:
    step = next(
        (s for s in AXIS_STEPS if s / duration * num_columns >= MIN_TICK_SPACING),
        math.ceil(duration / num_columns * MIN_TICK_SPACING),
    )
    line = ""
    for second in range(0, int(duration) + 1, step):
        column = int(second / duration * num_columns)
        line = line.ljust(column)
        if len(line) == column:
            line += f"|{second} s"
    return line
