"""A page is valid HTML with any names."""

import json
import re
from html.parser import HTMLParser

from clip_ae.pages.page import (
    render_card,
    render_figure,
    render_html_page,
    render_html_table,
    render_key_numbers,
    wrap_collapsible,
)

EVIL = '</script><!--<script>alert("x")//&'
VOID = {"meta", "input", "br", "link", "img"}


class PageParser(HTMLParser):
    """Records the open elements and the scripts of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script":
            self.scripts.append((dict(attrs), ""))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            attributes, text = self.scripts[-1]
            self.scripts[-1] = attributes, text + data


def test_names_are_escaped_and_json_is_read_back() -> None:
    parts = [
        render_html_table(EVIL, [EVIL], [[EVIL, EVIL]]),
        render_key_numbers({EVIL: EVIL}),
        render_figure(EVIL, EVIL, render_card("x")),
        wrap_collapsible(EVIL, "y"),
    ]
    text = render_html_page(EVIL, EVIL, {EVIL: "".join(parts)}, json.dumps({"id": EVIL}), json.dumps({"stage": EVIL}))
    parser = PageParser()
    parser.feed(text)
    assert parser.open == []
    provenance, data, script = parser.scripts
    assert json.loads(provenance[1]) == {"stage": EVIL}
    assert json.loads(data[1]) == {"id": EVIL}
    assert script[0] == {"type": "module"}


def test_links_lead_to_sections() -> None:
    text = render_html_page("t", "l", {"Scores": "", "What is wrong": ""}, "{}", "{}")
    links = re.findall(r'<a href="#([^"]+)">', text)
    assert links == re.findall(r'<section id="([^"]+)">', text) == ["scores", "what-is-wrong"]


def test_the_page_links_to_no_other_resource() -> None:
    text = render_html_page("t", "l", {}, "{}", "{}")
    assert not re.findall(r'(?:src|href)="(?!#)', text)
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
