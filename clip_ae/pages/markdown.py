"""Tables as Markdown that also reads well as plain text, and as CSV."""

import csv
import io
import textwrap
from collections.abc import Iterable, Sequence

WRAP_WIDTH = 110


def render_markdown_page(title: str, intro: Iterable[str], sections: Iterable[str], provenance: str) -> str:
    # Inside JSON a ">" can only be part of a string; escaped, nothing there ends the comment.
    safe = provenance.replace(">", "\\u003e")
    return "\n\n".join([f"# {title}", render_bullets(intro), *sections, f"<!-- provenance {safe} -->"]) + "\n"


def render_section(heading: str, *content: str) -> str:
    return "\n\n".join([f"## {heading}", *filter(None, content)])


def render_bullets(lines: Iterable[str]) -> str:
    wrap = textwrap.TextWrapper(
        WRAP_WIDTH, initial_indent="- ", subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(map(wrap.fill, lines))


def render_markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, num_text_columns: int) -> str:
    """The first `text` columns are words, set to the left; the others are figures, set to the right."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (header, *rows)]
    widths = [max(3, *map(len, column)) for column in zip(*cells, strict=True)]
    rule = ["-" * width if i < num_text_columns else "-" * (width - 1) + ":" for i, width in enumerate(widths)]
    head, *body = [
        [cell.ljust(width) if i < num_text_columns else cell.rjust(width) for i, (cell, width) in enumerate(pairs)]
        for pairs in (list(zip(row, widths, strict=True)) for row in cells)
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *body))


def format_csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()
