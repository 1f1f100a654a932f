"""Render charts as HTML and SVG that fit any width.

The colours differ for colour-blind readers, and colour is never the only difference.
"""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import cycle

from clip_ae.core.error_types import ERROR_TYPES

# The palette of Okabe and Ito, without black, and without yellow, which is too pale for lines on white.
PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
# True positives are green, background is grey. In wide bars next to others, yellow is visible.
ERROR_COLOURS = dict(zip(ERROR_TYPES, ("#009e73", "#f0e442", "#d55e00", "#56b4e9", "#cc79a7", "#98a2b3"), strict=True))
Points = Sequence[tuple[float, float]]
# (x, low, high) at each point.
Band = Sequence[tuple[float, float, float]]


def assign_colours(names: Sequence[str]) -> dict[str, str]:
    """A colour of the palette for each name; colours repeat if there are more names."""
    return {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(names)}


def render_bars(values: Mapping[str, float], *, full_scale: float = 1.0) -> str:
    """Fractions as horizontal bars, labelled in percent; a bar of full_scale has the full width."""
    rows = (
        f'<tr><th scope="row">{escape(name)}</th>'
        f'<td class="track"><i style="width:{_format_width(value / full_scale)}"></i></td>'
        f"<td>{100 * value:.1f}</td></tr>"
        for name, value in values.items()
    )
    return f'<table class="bars">{"".join(rows)}</table>'


def render_stacked_bars(rows: Mapping[str, Mapping[str, float]], colours: Mapping[str, str]) -> str:
    """One stacked bar for each row; the shares of a row add up to 1 and are in the order of the colours."""
    body = "".join(_render_stack(row, shares, colours) for row, shares in rows.items())
    return f'{render_legend(colours)}<table class="bars">{body}</table>'


def _render_stack(row: str, shares: Mapping[str, float], colours: Mapping[str, str]) -> str:
    parts = [(name, shares[name], colour) for name, colour in colours.items() if shares[name] > 0]
    label = ", ".join(f"{name} {100 * share:.1f} %" for name, share, _ in parts)
    marks = "".join(
        f'<i style="width:{_format_width(share)};background:{colour}" title="{escape(name)}: {100 * share:.1f} %"></i>'
        for name, share, colour in parts
    )
    return (
        f'<tr><th scope="row">{escape(row)}</th><td class="stack"><div role="img" aria-label="{escape(label)}">'
        f"{marks}</div></td></tr>"
    )


def render_curves(lines: Mapping[str, Points], aria_label: str, *, band: Band = ()) -> str:
    """Lines over one x axis, over a band, with a legend; "" without points.

    The SVG stretches to the width of the page, so all text is outside of it.
    """
    points = [*(p for line in lines.values() for p in line), *((x, y) for x, *ys in band for y in ys)]
    if not points:
        return ""
    xs, ys = zip(*points, strict=True)
    (left, right), low, high = (min(xs), max(xs)), min(0.0, *ys), max(ys)

    def format_points(line: Points) -> str:
        scaled = ((_scale(x - left, right - left), _scale(high - y, high - low)) for x, y in line)
        return " ".join(f"{x:.2f},{y:.2f}" for x, y in scaled)

    outline = [*((x, top) for x, _, top in band), *((x, bottom) for x, bottom, _ in reversed(band))]
    shapes = [f'<polygon class="band" points="{format_points(outline)}"/>'] if band else []
    styles = dict(zip(lines, cycle(_list_line_styles()), strict=False))
    shapes += [
        f'<polyline class="{"line" if len(line) > 1 else "line point"}" style="{styles[name]}" '
        # A line of one point is drawn as a dot, the round ends of a line of length 0.
        f'points="{format_points(line if len(line) > 1 else [*line, *line])}"/>'
        for name, line in lines.items()
    ]
    ends = "".join(f"<span>{x:g}</span>" for x in dict.fromkeys((left, right)))
    return (
        f'<div class="plot" role="img" aria-label="{escape(aria_label)}"><span>{high:.3g}</span>'
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">{"".join(shapes)}</svg>'
        f"<span>{low:.3g}</span><p>{ends}</p></div>{_render_line_legend(styles)}"
    )


def _scale(distance: float, length: float) -> float:
    """A distance as a percentage of an axis; the middle of an axis without length."""
    return 100 * distance / length if length else 50.0


def render_legend(colours: Mapping[str, str]) -> str:
    """A legend of coloured squares."""
    marks = (f'<span><i style="background:{colour}"></i>{escape(name)}</span>' for name, colour in colours.items())
    return f'<p class="legend">{"".join(marks)}</p>'


def _render_line_legend(styles: Mapping[str, str]) -> str:
    """A legend of short lines, which show the dashes."""
    template = '<svg viewBox="0 0 24 8" aria-hidden="true"><polyline class="line" style="{}" points="0,4 24,4"/></svg>'
    marks = (f"<span>{template.format(style)}{escape(name)}</span>" for name, style in styles.items())
    return f'<p class="legend">{"".join(marks)}</p>'


def _list_line_styles() -> list[str]:
    """Every colour as a solid line, then dashed, then dotted."""
    dashes = ("", ";stroke-dasharray:6 3", ";stroke-dasharray:2 2")
    return [f"stroke:{colour}{dash}" for dash in dashes for colour in PALETTE]


def _format_width(share: float) -> str:
    return f"{100 * min(1.0, max(0.0, share)):.2f}%"
