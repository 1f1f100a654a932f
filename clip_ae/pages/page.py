"""One self-contained HTML page: it opens from disk, with no network and no script."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from clip_ae.pages.style import STYLE


def page(title: str, lead: str, sections: Iterable[str], provenance: str) -> str:
    # The record is JSON inside a script element: only "</" could end it early.
    safe = provenance.replace("</", "<\\/")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body><main>"
        f'<h1>{escape(title)}</h1><p class="lead">{escape(lead)}</p>{"".join(sections)}</main>'
        f'<script type="application/json" id="provenance">{safe}</script></body></html>\n'
    )


def section(heading: str, *content: str) -> str:
    return f"<h2>{escape(heading)}</h2>{''.join(content)}"


def card(content: str) -> str:
    return f'<section class="card">{content}</section>'


def figures(values: Mapping[str, str]) -> str:
    """Headline numbers, large, each with its words."""
    cells = (f"<div><b>{escape(value)}</b><span>{escape(name)}</span></div>" for name, value in values.items())
    return f'<div class="figures">{"".join(cells)}</div>'


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, text: bool = False) -> str:
    """A table that scrolls sideways by itself; `text` columns wrap."""
    kind = ' class="text"' if text else ""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td{kind}>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return card(f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>')


def figure(name: str, note: str, picture: str) -> str:
    return f"<figure><figcaption><b>{escape(name)}</b><small>{escape(note)}</small></figcaption>{picture}</figure>"


def legend(colour: Mapping[str, str]) -> str:
    marks = (f'<span><i style="background:{fill}"></i>{escape(name)}</span>' for name, fill in colour.items())
    return f'<p class="legend">{"".join(marks)}</p>'


def paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"
