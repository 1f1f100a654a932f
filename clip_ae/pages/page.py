"""Render one self-contained HTML page; it opens from disk without a network."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from clip_ae.pages.browser.files import read_scripts, read_style


def render_html_page(title: str, intro: str, sections: Mapping[str, str], data_json: str, provenance: str) -> str:
    """A page with its sections by heading.

    data_json, which the script draws, is at the end of the page: so the browser shows the text first.
    """
    links = "".join(f'<a href="#{_make_anchor(name)}">{escape(name)}</a>' for name in sections)
    content = "".join(
        f'<section id="{_make_anchor(name)}"><h2>{escape(name)}</h2>{content}</section>'
        for name, content in sections.items()
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{read_style()}</style></head><body>"
        f'<nav aria-label="sections"><div>{links}</div><button id="theme" type="button" hidden>Dark</button></nav>'
        f'<main><h1>{escape(title)}</h1><p class="lead">{escape(intro)}</p>{content}</main>'
        f"{_render_json('provenance', provenance)}{_render_json('data', data_json)}"
        f'<script type="module">{read_scripts()}</script></body></html>\n'
    )


def render_card(content: str) -> str:
    return f'<div class="card">{content}</div>'


def render_heading(text: str) -> str:
    return f"<h3>{escape(text)}</h3>"


def render_key_numbers(values: Mapping[str, str]) -> str:
    """Large numbers, each with its caption."""
    cells = (f"<div><b>{escape(value)}</b><span>{escape(name)}</span></div>" for name, value in values.items())
    return f'<div class="key-numbers">{"".join(cells)}</div>'


def render_html_table(
    name: str, header: Sequence[str], rows: Iterable[Sequence[str]], *, wrap_text: bool = False
) -> str:
    """A table under its name, with a scroll bar of its own; with wrap_text, cells are text that wraps."""
    css_class = ' class="text"' if wrap_text else ""
    head = "".join(f'<th scope="col"{css_class}>{escape(cell)}</th>' for cell in header)
    body = "".join(
        f'<tr><th scope="row"{css_class}>{escape(first)}</th>'
        + "".join(f"<td{css_class}>{escape(cell)}</td>" for cell in others)
        + "</tr>"
        for first, *others in rows
    )
    return render_heading(name) + wrap_scrollable(
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>", name
    )


def wrap_scrollable(content: str, aria_label: str) -> str:
    """A card for content that may be wider than the page; browser/scroll.js makes it scrollable by keyboard."""
    return render_card(f'<div class="scroll" role="group" aria-label="{escape(aria_label)}">{content}</div>')


def render_figure(name: str, note: str, picture: str) -> str:
    return f"<figure><figcaption><b>{escape(name)}</b><small>{escape(note)}</small></figcaption>{picture}</figure>"


def wrap_collapsible(name: str, content: str) -> str:
    return f"<details><summary>{escape(name)}</summary>{content}</details>"


def render_paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _make_anchor(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name.lower())


def _render_json(element_id: str, text: str) -> str:
    # In a script element, "</" or "<!--" inside the JSON would end or hide the JSON too early.
    safe_text = text.replace("<", "\\u003c")
    return f'<script type="application/json" id="{element_id}">{safe_text}</script>'
