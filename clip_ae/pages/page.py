"""One self-contained HTML page: it opens from disk, with no network."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from clip_ae.pages.browser.files import read_scripts, read_style


def render_html_page(title: str, intro: str, sections: Mapping[str, str], data_json: str, provenance: str) -> str:
    """Sections by heading; data is the JSON that the script draws, and stands last, so that words appear first."""
    links = "".join(f'<a href="#{_anchor(name)}">{escape(name)}</a>' for name in sections)
    content = "".join(
        f'<section id="{_anchor(name)}"><h2>{escape(name)}</h2>{content}</section>'
        for name, content in sections.items()
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{read_style()}</style></head><body>"
        f'<nav aria-label="sections"><div>{links}</div><button id="theme" type="button" hidden>Dark</button></nav>'
        f'<main><h1>{escape(title)}</h1><p class="lead">{escape(intro)}</p>{content}</main>'
        f"{_json('provenance', provenance)}{_json('data', data_json)}"
        f'<script type="module">{read_scripts()}</script></body></html>\n'
    )


def render_card(content: str) -> str:
    return f'<div class="card">{content}</div>'


def render_heading(text: str) -> str:
    return f"<h3>{escape(text)}</h3>"


def render_key_numbers(values: Mapping[str, str]) -> str:
    """Headline numbers, large, each with its words."""
    cells = (f"<div><b>{escape(value)}</b><span>{escape(name)}</span></div>" for name, value in values.items())
    return f'<div class="figures">{"".join(cells)}</div>'


def render_html_table(
    name: str, header: Sequence[str], rows: Iterable[Sequence[str]], *, wrap_text: bool = False
) -> str:
    """A table under its name, which scrolls sideways by itself; `text` columns wrap."""
    kind = ' class="text"' if wrap_text else ""
    head = "".join(f'<th scope="col"{kind}>{escape(cell)}</th>' for cell in header)
    body = "".join(
        f'<tr><th scope="row"{kind}>{escape(first)}</th>'
        + "".join(f"<td{kind}>{escape(cell)}</td>" for cell in rest)
        + "</tr>"
        for first, *rest in rows
    )
    return render_heading(name) + wrap_scrollable(
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>", name
    )


def wrap_scrollable(content: str, aria_label: str) -> str:
    """What may be wider than the page scrolls by itself, and by keyboard where the script finds it wider."""
    return render_card(f'<div class="scroll" role="group" aria-label="{escape(aria_label)}">{content}</div>')


def render_figure(name: str, note: str, picture: str) -> str:
    return f"<figure><figcaption><b>{escape(name)}</b><small>{escape(note)}</small></figcaption>{picture}</figure>"


def wrap_collapsible(name: str, content: str) -> str:
    return f"<details><summary>{escape(name)}</summary>{content}</details>"


def render_paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _anchor(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name.lower())


def _json(name: str, text: str) -> str:
    # JSON inside a script element: only "</" and "<!--" could end or hide it early.
    safe = text.replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{safe}</script>'
