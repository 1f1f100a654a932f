"""Charts of HTML and SVG that fit any width. Colours that the colour-blind can tell apart, never colour alone."""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import cycle

from clip_ae.core.error_types import ERROR_TYPES

# Okabe and Ito's palette, without black, and without yellow, which a white page swallows.
PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
# What is right is green, what is nothing is grey. In whole bars, beside others, yellow is seen.
ERROR_COLOURS = dict(zip(ERROR_TYPES, ("#009e73", "#f0e442", "#d55e00", "#56b4e9", "#cc79a7", "#98a2b3"), strict=True))
Points = Sequence[tuple[float, float]]


def assign_colours(names: Sequence[str]) -> dict[str, str]:
    return {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(names)}


def render_bars(values: Mapping[str, float], *, full_scale: float = 1.0) -> str:
    """Fractions as horizontal bars, in percent; one of `full` fills its place."""
    rows = (
        f'<tr><th scope="row">{escape(name)}</th>'
        f'<td class="track"><i style="width:{_share(value / full_scale)}"></i></td>'
        f"<td>{100 * value:.1f}</td></tr>"
        for name, value in values.items()
    )
    return f'<table class="bars">{"".join(rows)}</table>'


def render_stacked_bars(rows: Mapping[str, Mapping[str, float]], colours: Mapping[str, str]) -> str:
    """Shares that add up to 1 as bars side by side in the order of fills, a row each."""
    lines = []
    for row, shares in rows.items():
        parts = [(name, shares[name], fill) for name, fill in colours.items() if shares[name] > 0]
        words = ", ".join(f"{name} {100 * share:.1f} %" for name, share, _ in parts)
        marks = (
            f'<i style="width:{_share(share)};background:{fill}" title="{escape(name)}: {100 * share:.1f} %"></i>'
            for name, share, fill in parts
        )
        lines.append(
            f'<tr><th scope="row">{escape(row)}</th><td class="stack"><div role="img" aria-label="{escape(words)}">'
            f"{''.join(marks)}</div></td></tr>"
        )
    return f'{render_legend(colours)}<table class="bars">{"".join(lines)}</table>'


def render_curves(
    lines: Mapping[str, Points], aria_label: str, *, band: Sequence[tuple[float, float, float]] = ()
) -> str:
    """Lines over one x axis, each with a mark in the legend, over a band of (x, low, high). The words say what it is.

    The picture stretches to its place, so nothing that must be read stands inside it.
    """
    points = [*(p for line in lines.values() for p in line), *((x, y) for x, *ends in band for y in ends)]
    if not points:
        return ""
    places, heights = zip(*points, strict=True)
    (left, right), low, high = (min(places), max(places)), min(0.0, *heights), max(heights)

    def place(x: float, y: float) -> str:
        return f"{100 * (x - left) / ((right - left) or 1):.2f},{100 * (high - y) / ((high - low) or 1):.2f}"

    area = " ".join([*(place(x, top) for x, _, top in band), *(place(x, under) for x, under, _ in reversed(band))])
    drawn = [f'<polygon class="band" points="{area}"/>'] if band else []
    styles = dict(zip(lines, cycle(_styles()), strict=False))
    for name, line in lines.items():
        path = " ".join(place(x, y) for x, y in line)
        drawn.append(f'<polyline class="line" style="{styles[name]}" points="{path}"/>')
    return (
        f'<div class="plot" role="img" aria-label="{escape(aria_label)}"><span>{high:.3g}</span>'
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">{"".join(drawn)}</svg>'
        f"<span>{low:.3g}</span><p><span>{left:g}</span><span>{right:g}</span></p></div>{_marks(styles)}"
    )


def render_legend(colours: Mapping[str, str]) -> str:
    marks = (f'<span><i style="background:{fill}"></i>{escape(name)}</span>' for name, fill in colours.items())
    return f'<p class="legend">{"".join(marks)}</p>'


def _marks(styles: Mapping[str, str]) -> str:
    """A legend of lines, which may be dashed."""
    picture = '<svg viewBox="0 0 24 8" aria-hidden="true"><polyline class="line" style="{}" points="0,4 24,4"/></svg>'
    marks = (f"<span>{picture.format(style)}{escape(name)}</span>" for name, style in styles.items())
    return f'<p class="legend">{"".join(marks)}</p>'


def _styles() -> list[str]:
    """Every colour as a whole line, then dashed, then dotted."""
    dashes = ("", ";stroke-dasharray:6 3", ";stroke-dasharray:2 2")
    return [f"stroke:{fill}{dash}" for dash in dashes for fill in PALETTE]


def _share(value: float) -> str:
    return f"{100 * min(1.0, max(0.0, value)):.2f}%"
