"""Draw docs/pipeline.svg: the stages from videos to scores. `python -m docs.pipeline_picture`."""

from html import escape
from pathlib import Path

PICTURE = Path(__file__).with_name("pipeline.svg")
WIDTH, HEIGHT = 960, 250
BOX_WIDTH, BOX_HEIGHT = 150, 74
# (left, top, title, lines below it)
BOXES = (
    (10, 88, "Videos", ("a folder, no labels",)),
    (200, 10, "I3D", ("frames; optical flow",)),
    (200, 88, "CLIP", ("frames",)),
    (200, 166, "VGGish", ("sound",)),
    (400, 20, "Clusters", ("spectral, one a class",)),
    (400, 134, "Localizer", ("CLIP-AE: CAF, CCP,", "UGCT head")),
    (600, 88, "Segments", ("thresholds, soft-NMS",)),
    (800, 49, "Scores", ("clusters to classes,", "mAP, intervals")),
    (800, 127, "Report page", ("timelines, player",)),
)
ARROWS = ((0, 1), (0, 2), (0, 3), (1, 4), (1, 5), (2, 5), (3, 5), (4, 5), (5, 6), (6, 7), (6, 8))


def draw() -> str:
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
        "<title>From videos to scores</title>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">',
        '<path d="M0 0 8 4 0 8z" fill="#555"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    parts += [_arrow(start, stop) for start, stop in ARROWS]
    parts.append(
        '<path d="M550 150C600 140 600 70 553 62" fill="none" stroke="#555" stroke-dasharray="5 4" '
        'marker-end="url(#head)"/><text x="540" y="236" font-size="12" fill="#333" text-anchor="middle">'
        "next round: its attention pools the descriptors</text>"
    )
    parts += [_box(*box) for box in BOXES]
    return "\n".join([*parts, "</svg>", ""])


def _box(left: int, top: int, title: str, lines: tuple[str, ...]) -> str:
    middle = left + BOX_WIDTH // 2
    texts = [f'<text x="{middle}" y="{top + 26}" font-size="16" font-weight="bold">{escape(title)}</text>']
    texts += [
        f'<text x="{middle}" y="{top + 46 + 16 * n}" font-size="12">{escape(line)}</text>'
        for n, line in enumerate(lines)
    ]
    size = f'width="{BOX_WIDTH}" height="{BOX_HEIGHT - 4}"'
    shape = f'<rect x="{left}" y="{top}" {size} rx="6" fill="#eef4fb" stroke="#2a6099"/>'
    return f'<g text-anchor="middle" fill="#111">{shape}{"".join(texts)}</g>'


def _arrow(start: int, stop: int) -> str:
    """From the right edge of a box to the left edge of another; straight down where they are in one column."""
    (x1, y1, *_), (x2, y2, *_) = BOXES[start], BOXES[stop]
    middle = BOX_HEIGHT // 2
    if x1 == x2:
        line = (x1 + BOX_WIDTH // 2, y1 + BOX_HEIGHT - 4, x2 + BOX_WIDTH // 2, y2)
    else:
        line = (x1 + BOX_WIDTH, y1 + middle, x2, y2 + middle)
    points = " ".join(f'{name}="{value}"' for name, value in zip(("x1", "y1", "x2", "y2"), line, strict=True))
    return f'<line {points} stroke="#555" marker-end="url(#head)"/>'


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
