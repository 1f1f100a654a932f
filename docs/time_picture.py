"""Draw docs/time.svg: the frames, optical flow and audio samples that each snippet's features are computed from.

Run `python -m docs.time_picture`. A test compares the file with the drawing.
"""

from pathlib import Path

from clip_ae.core.timeline import SnippetGrid
from clip_ae.media.audio import SAMPLE_RATE, WINDOW_SAMPLES

GRID = SnippetGrid()
# Duration drawn (seconds), x of t = 0 (pixels), pixels per second.
UNTIL, LEFT, SCALE = 2.2, 130, 330
ROW, BAR = 46, 20
SNIPPETS = 3
FLOW_STEP = 4
STYLE = """<style>
text { font: 12px system-ui, sans-serif; fill: #475467 } .name { font-weight: 600; fill: #1d2939 }
.grid { stroke: #98a2b3; stroke-dasharray: 3 3 } .frame { stroke: #98a2b3 }
.even { fill: #9db7e8 } .odd { fill: #cfdcf5 } .arrow { stroke: #475467; fill: none }
</style>"""


def x(seconds: float) -> float:
    return LEFT + SCALE * seconds


def draw() -> str:
    rows = [frames(40), rgb(40 + ROW), flow(40 + 2 * ROW), clip(40 + 3 * ROW), audio(40 + 4 * ROW)]
    height = 40 + 5 * ROW + 52
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {x(UNTIL) + 16:.0f} {height}">{STYLE}'
        f'<rect width="100%" height="100%" fill="white"/>{axis(height - 48)}{"".join(rows)}</svg>\n'
    )


def axis(bottom: float) -> str:
    """Draw the snippet borders: snippet k starts at 0.64 k seconds."""
    parts = []
    for k in range(SNIPPETS + 1):
        at = x(GRID.start(k))
        parts.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="24" y2="{bottom}"/>')
        parts.append(f'<text x="{at:.1f}" y="{bottom + 16}" text-anchor="middle">{GRID.start(k):.2f} s</text>')
        if k < SNIPPETS:
            parts.append(f'<text x="{x(GRID.centre(k)):.1f}" y="18" text-anchor="middle">snippet {k}</text>')
    parts.append(f'<text x="{LEFT}" y="{bottom + 36}">t = 0 is the first video timestamp; the file may begin earlier '
                 "with sound</text>")  # fmt: skip
    return "".join(parts)


def shade(k: int) -> str:
    return "odd" if k % 2 else "even"


def name(text: str, top: float) -> str:
    return f'<text class="name" x="12" y="{top + 15}">{text}</text>'


def box(start: float, stop: float, top: float, k: int, text: str, high: float = BAR) -> str:
    place = f'x="{x(start):.1f}" y="{top}" width="{SCALE * (stop - start):.1f}" height="{high}"'
    return (
        f'<rect class="{shade(k)}" {place} rx="3"/>'
        f'<text x="{x((start + stop) / 2):.1f}" y="{top + high / 2 + 4}" text-anchor="middle">{text}</text>'
    )


def frames(top: float) -> str:
    """Draw a tick for each frame: frame j is the one displayed at j / 25 s."""
    ticks = "".join(
        f'<line class="frame" x1="{x(GRID.frame_time(j)):.1f}" x2="{x(GRID.frame_time(j)):.1f}" '
        f'y1="{top + (2 if j % GRID.stride == 0 else 9)}" y2="{top + BAR}"/>'
        for j in range(GRID.count_frames_spanned(SNIPPETS) + 1)
    )
    numbers = "".join(
        f'<text x="{x(GRID.frame_time(j)) + 3:.1f}" y="{top + 6}" font-size="10">{j}</text>'
        for j in range(0, GRID.count_frames_spanned(SNIPPETS) + 1, GRID.stride)
    )
    return name("frames", top) + ticks + numbers


def rgb(top: float) -> str:
    boxes = "".join(
        box(GRID.start(k), GRID.stop(k), top, k, f"frames {k * GRID.stride} to {k * GRID.stride + GRID.frames - 1}")
        for k in range(SNIPPETS)
    )
    return name("rgb", top) + boxes


def flow(top: float) -> str:
    """Draw the flow arrows: flow j goes from frame j to j + 1, so a snippet's last flow ends in the next snippet."""
    step = 1 / GRID.fps
    arcs = []
    for j in range(GRID.count_frames_spanned(SNIPPETS)):
        a, b = x(GRID.frame_time(j)), x(GRID.frame_time(j) + step)
        arcs.append(f'<path class="arrow" d="M{a:.1f} {top + BAR} Q{(a + b) / 2:.1f} {top + 6} {b:.1f} {top + BAR}"/>')
    words = "".join(
        f'<text x="{x(GRID.centre(k)):.1f}" y="{top + 6}" text-anchor="middle">'
        f"{k * GRID.stride}→{k * GRID.stride + 1} to {(k + 1) * GRID.stride - 1}→{(k + 1) * GRID.stride}</text>"
        for k in range(SNIPPETS)
    )
    return name("flow", top) + "".join(arcs) + words


def clip(top: float) -> str:
    """Draw CLIP's four frames of each snippet, each in the middle of its quarter of the snippet."""
    dots = []
    for k in range(SNIPPETS):
        for i in range(4):
            j = k * GRID.stride + (2 * i + 1) * GRID.frames // 8
            dots.append(
                f'<circle class="{"odd" if k % 2 else "even"}" cx="{x(GRID.frame_time(j)):.1f}" cy="{top + 10}" r="7"/>'
            )
            dots.append(
                f'<text x="{x(GRID.frame_time(j)):.1f}" y="{top + 30}" text-anchor="middle" font-size="10">{j}</text>'
            )
    return name("clip", top) + "".join(dots)


def audio(top: float) -> str:
    """Draw VGGish's audio window of each snippet: longer than the snippet, with the same centre."""
    half = WINDOW_SAMPLES / SAMPLE_RATE / 2
    boxes = []
    for k in range(SNIPPETS):
        centre = GRID.centre(k)
        boxes.append(box(centre - half, centre + half, top + 22 * (k % 2), k, f"{WINDOW_SAMPLES / SAMPLE_RATE:g} s"))
    return name("audio", top) + "".join(boxes)


if __name__ == "__main__":
    Path(__file__).with_name("time.svg").write_text(draw())
