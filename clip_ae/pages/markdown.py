"""Render tables as Markdown that is also readable as plain text, and as CSV."""

import csv
import io
import textwrap
from collections.abc import Iterable, Sequence

WRAP_WIDTH = 110


def render_markdown_page(title: str, intro: Iterable[str], sections: Iterable[str], provenance: str) -> str:
    """A page of a title, bullets and sections, with the provenance (JSON) in a comment at the end."""
    # In JSON, ">" occurs only inside strings; without it the provenance cannot end the comment.
    safe_provenance = provenance.replace(">", "\\u003e")
    parts = [f"# {title}", render_bullets(intro), *sections, f"<!-- provenance {safe_provenance} -->"]
    return "\n\n".join(parts) + "\n"


def render_section(heading: str, *content: str) -> str:
    """A section; empty parts are left out."""
    return "\n\n".join([f"## {heading}", *filter(None, content)])


def render_bullets(lines: Iterable[str]) -> str:
    """A list of items, wrapped at WRAP_WIDTH."""
    wrapper = textwrap.TextWrapper(
        WRAP_WIDTH, initial_indent="- ", subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(map(wrapper.fill, lines))


def render_markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, num_text_columns: int) -> str:
    """A table; the first num_text_columns are aligned left, the others right."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (header, *rows)]
    widths = [max(3, *map(len, column)) for column in zip(*cells, strict=True)]
    rule = ["-" * width if i < num_text_columns else "-" * (width - 1) + ":" for i, width in enumerate(widths)]
    head, *body = [
        [
            cell.ljust(width) if i < num_text_columns else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        for row in cells
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *body))


def format_csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The text of a CSV file."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()
