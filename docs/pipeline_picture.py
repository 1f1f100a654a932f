"""Draw docs/pipeline.svg: the stages from videos to scores. `python -m docs.pipeline_picture`."""

from html import escape
from pathlib import Path

PICTURE = Path(__file__).with_name("pipeline.svg")
WIDTH, HEIGHT = 1010, 256
BOX_HEIGHT = 70
# (left, top, width, title, lines below it). The streams are drawn by role.
BOXES = (
    (10, 93, 130, "Videos", ("a folder, no labels",)),
    (180, 8, 210, "Classification view", ("I3D, any other network,", "or feature files")),
    (180, 93, 210, "Vision-language view", ("CLIP",)),
    (180, 178, 210, "Audio", ("VGGish",)),
    (440, 20, 150, "Clusters", ("one for each class",)),
    (440, 138, 150, "Localizer", ("CLIP-AE: CAF, CCP,", "UGCT head")),
    (650, 100, 150, "Segments", ("thresholds, soft-NMS",)),
    (850, 55, 150, "Scores", ("clusters to classes,", "mAP, intervals")),
    (850, 145, 150, "Report page", ("timelines, player",)),
)
# Only the classification view is clustered.
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
        '<path d="M572 138C620 120 630 72 593 62" fill="none" stroke="#555" stroke-dasharray="5 4" '
        'marker-end="url(#head)"/><g font-size="12" fill="#333"><text x="626" y="62">next round: attention</text>'
        '<text x="626" y="78">pools the descriptors</text></g>'
    )
    parts += [_box(*box) for box in BOXES]
    return "\n".join([*parts, "</svg>", ""])


def _box(left: int, top: int, width: int, title: str, lines: tuple[str, ...]) -> str:
    middle = left + width // 2
    texts = [f'<text x="{middle}" y="{top + 26}" font-size="16" font-weight="bold">{escape(title)}</text>']
    texts += [
        f'<text x="{middle}" y="{top + 46 + 16 * n}" font-size="12">{escape(line)}</text>'
        for n, line in enumerate(lines)
    ]
    shape = f'<rect x="{left}" y="{top}" width="{width}" height="{BOX_HEIGHT}" rx="6" fill="#eef4fb" stroke="#2a6099"/>'
    return f'<g text-anchor="middle" fill="#111">{shape}{"".join(texts)}</g>'


def _arrow(start: int, stop: int) -> str:
    """From the right edge of a box to the left edge of another; straight down where they are in one column."""
    (x1, y1, width, *_), (x2, y2, *_) = BOXES[start], BOXES[stop]
    middle = BOX_HEIGHT // 2
    if x1 == x2:
        line = (x1 + width // 2, y1 + BOX_HEIGHT, x2 + width // 2, y2)
    else:
        line = (x1 + width, y1 + middle, x2, y2 + middle)
    points = " ".join(f'{name}="{value}"' for name, value in zip(("x1", "y1", "x2", "y2"), line, strict=True))
    return f'<line {points} stroke="#555" marker-end="url(#head)"/>'


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
