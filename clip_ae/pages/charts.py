"""Small pictures as SVG text: timelines, curves, bars. Colours that the colour-blind can tell apart."""

from collections.abc import Mapping, Sequence
from html import escape

from clip_ae.core.error_kinds import KINDS
from clip_ae.core.types import Detection, Instance

# Okabe and Ito's palette, without black.
PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#f0e442")
# What is right is green, what is nothing is grey.
OF_KINDS = dict(zip(KINDS, ("#009e73", "#f0e442", "#d55e00", "#56b4e9", "#cc79a7", "#98a2b3"), strict=True))
WIDTH = 880
LEFT = 76
LANE = 14


def colours(names: Sequence[str]) -> dict[str, str]:
    return {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(names)}


def timeline(
    duration: float,
    truth: Sequence[Instance],
    found: Sequence[Detection],
    attention: Sequence[tuple[float, float]],
    colour: Mapping[str, str],
) -> str:
    """Truth, detections (score as opacity) and attention (time, value) of one video on one time axis."""
    scale = (WIDTH - LEFT - 8) / max(duration, 1e-6)
    strongest = max((d.score for d in found), default=1.0) or 1.0
    lanes = _lanes(found)
    rows: list[str] = []
    top = 4
    if truth:
        rows.append(_label("annotated", top))
        rows += [_bar(i.start, i.stop, top, scale, colour.get(i.label, "gray"), 1.0, i.label) for i in truth]
        top += LANE + 4
    rows.append(_label("found", top))
    for detection, lane in zip(found, lanes, strict=True):
        words = f"{detection.label} {detection.score:.2f}"
        fill, share = colour.get(detection.label, "gray"), 0.15 + 0.85 * max(0.0, detection.score / strongest)
        rows.append(_bar(detection.start, detection.stop, top + lane * LANE, scale, fill, share, words))
    top += (max(lanes, default=0) + 1) * LANE + 4
    rows.append(_label("attention", top + 16))
    rows.append(_area(attention, top, 30, scale))
    top += 34
    rows += _seconds(duration, top, scale)
    return _svg("".join(rows), top + 18, "timeline of annotated and found actions, with attention")


def curves(series: Mapping[str, Sequence[tuple[float, float]]], height: int = 160) -> str:
    """Lines over a common x axis, each named at its end."""
    points = [p for line in series.values() for p in line]
    if not points:
        return ""
    x_most = max(x for x, _ in points) or 1.0
    heights = [y for _, y in points]
    low, high = min(0.0, *heights), max(heights)
    span = (high - low) or 1.0

    def place(x: float, y: float) -> tuple[float, float]:
        return LEFT + x / x_most * (WIDTH - LEFT - 150), 10 + (1 - (y - low) / span) * (height - 34)

    parts = [f'<text x="{LEFT - 8}" y="{place(0, y)[1] + 4:.1f}" text-anchor="end">{y:.3g}</text>' for y in (low, high)]
    parts.append(_axis(LEFT, WIDTH - 150, height - 24))
    parts.append(f'<text x="{WIDTH - 150}" y="{height - 8}" text-anchor="end">{x_most:g}</text>')
    ends: list[float] = []
    for (name, line), fill in zip(series.items(), PALETTE * len(series), strict=False):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*p) for p in line))
        y = place(*line[-1])[1]
        while any(abs(y - other) < 12 for other in ends):
            y += 12
        ends.append(y)
        parts.append(f'<polyline class="line" stroke="{fill}" points="{path}"/>')
        parts.append(f'<text x="{WIDTH - 144}" y="{y + 4:.1f}" style="fill:{fill}">{escape(name)}</text>')
    return _svg("".join(parts), max(height, int(max(ends)) + 12), "curves")


def bars(values: Mapping[str, float]) -> str:
    """Fractions as horizontal bars."""
    left, rows = 180, []
    for i, (name, value) in enumerate(values.items()):
        top = 4 + i * 22
        length = max(0.0, value) * (WIDTH - left - 60)
        rows.append(f'<text x="{left - 8}" y="{top + 12}" text-anchor="end">{escape(name[:28])}</text>')
        rows.append(f'<rect class="bar" x="{left}" y="{top}" width="{length:.1f}" height="16" rx="3"/>')
        rows.append(f'<text x="{left + length + 6:.1f}" y="{top + 12}">{100 * value:.1f}</text>')
    return _svg("".join(rows), 8 + len(values) * 22, "bars of percentages")


def stacked(rows: Mapping[str, Mapping[str, float]], fills: Mapping[str, str]) -> str:
    """Shares that add up to 1 as bars side by side in the order of fills, a row each."""
    left, across = 80, WIDTH - 90
    parts, x = [], float(left)
    for name, fill in fills.items():
        parts.append(f'<rect x="{x:.1f}" y="4" width="11" height="11" rx="2" fill="{fill}"/>')
        parts.append(f'<text x="{x + 16:.1f}" y="14">{escape(name)}</text>')
        x += 34 + 6.6 * len(name)
    for i, (row, shares) in enumerate(rows.items()):
        top, x = 26 + i * 22, float(left)
        parts.append(f'<text x="{left - 8}" y="{top + 12}" text-anchor="end">{escape(row)}</text>')
        for name in fills:
            length = shares[name] * across
            words = f"<title>{escape(name)}: {100 * shares[name]:.1f} %</title>"
            place = f'x="{x:.1f}" y="{top}" width="{length:.1f}" height="16"'
            parts.append(f'<rect {place} fill="{fills[name]}">{words}</rect>')
            x += length
    return _svg("".join(parts), 30 + len(rows) * 22, "kinds of detections among the best")


def _svg(content: str, height: float, title: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{escape(title)}">{content}</svg>'


def _label(text: str, top: float) -> str:
    return f'<text x="{LEFT - 8}" y="{top + 11:g}" text-anchor="end">{escape(text)}</text>'


def _axis(start: float, stop: float, y: float) -> str:
    return f'<line class="axis" x1="{start:g}" x2="{stop:g}" y1="{y:g}" y2="{y:g}"/>'


def _bar(start: float, stop: float, top: float, scale: float, fill: str, opacity: float, words: str) -> str:
    return (
        f'<rect x="{LEFT + start * scale:.1f}" y="{top:g}" width="{max(1.0, (stop - start) * scale):.1f}" '
        f'height="{LANE - 3}" rx="3" fill="{fill}" fill-opacity="{opacity:.2f}">'
        f"<title>{escape(words)}: {start:.1f} to {stop:.1f} s</title></rect>"
    )


def _area(values: Sequence[tuple[float, float]], top: float, height: float, scale: float) -> str:
    if not values:
        return ""
    points = [(LEFT + t * scale, top + height * (1 - v)) for t, v in values]
    floor = top + height
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polygon class="attention" points="{points[0][0]:.1f},{floor:g} {path} {points[-1][0]:.1f},{floor:g}"/>'


def _seconds(duration: float, top: float, scale: float) -> list[str]:
    """A time axis with about ten round marks."""
    steps = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600)
    step = next((s for s in steps if duration / s <= 10), 7200)
    marks = [_axis(LEFT, WIDTH - 8, top)]
    for second in range(0, int(duration) + 1, step):
        marks.append(f'<text x="{LEFT + second * scale:.1f}" y="{top + 14:g}" text-anchor="middle">{second} s</text>')
    return marks


def _lanes(found: Sequence[Detection]) -> list[int]:
    """The first lane in which each detection overlaps no earlier one."""
    ends: list[list[tuple[float, float]]] = []
    lanes = []
    for d in found:
        lane = next(
            (i for i, taken in enumerate(ends) if all(d.stop <= a or d.start >= b for a, b in taken)), len(ends)
        )
        if lane == len(ends):
            ends.append([])
        ends[lane].append((d.start, d.stop))
        lanes.append(lane)
    return lanes
