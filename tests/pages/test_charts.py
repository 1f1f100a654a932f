"""Charts are well-formed, have the right coordinates, and escape all names."""

import re
from xml.etree import ElementTree

import pytest

from clip_ae.pages import charts

EVIL = '<script>alert("x")</script>&'


def parse(html: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(f"<div>{html}</div>").iter())


def points(html: str, kind: str) -> list[list[tuple[float, ...]]]:
    texts = [e.attrib["points"] for e in parse(html) if e.tag == kind and "," in e.attrib["points"]]
    lines = [[tuple(map(float, p.split(","))) for p in text.split()] for text in texts]
    return [line for line in lines if line != [(0, 4), (24, 4)]]


def test_curves_fill_the_plot_and_have_a_legend() -> None:
    html = charts.render_curves({"total": [(1, 2.0), (11, 1.0)], "sparsity": [(1, 0.0), (6, 0.5), (11, 1)]}, "losses")
    total, sparsity = points(html, "polyline")
    assert total == [(0, 0), (100, 50)]
    assert sparsity == [(0, 100), (50, 75), (100, 50)]
    texts = [e.text for e in parse(html) if e.tag == "span"]
    assert texts[:4] == ["2", "0", "1", "11"]
    assert [e[0].tail for e in parse(html) if e.tag == "span" and len(e)] == ["total", "sparsity"]
    assert 'aria-label="losses"' in html


def test_a_band_surrounds_its_line() -> None:
    html = charts.render_curves({"mAP": [(0, 5.0), (1, 5.0)]}, "mAP", band=[(0, 4.0, 10.0), (1, 5.0, 6.0)])
    assert points(html, "polygon") == [[(0, 0), (100, 40), (100, 50), (0, 60)]]


def test_lines_differ_in_colour_or_in_dashes() -> None:
    html = charts.render_curves({f"loss {k}": [(0, k), (1, k)] for k in range(13)}, "losses")
    styles = [e.attrib["style"] for e in parse(html) if e.tag == "polyline"]
    assert len(set(styles)) == 13


def test_more_lines_than_styles_are_all_drawn() -> None:
    html = charts.render_curves({f"loss {k}": [(0, k), (1, k)] for k in range(40)}, "losses")
    assert len(points(html, "polyline")) == 40


def test_a_line_of_one_point_is_a_dot_in_the_middle_over_its_only_x() -> None:
    html = charts.render_curves({"a": [(20, 4.0)], "b": [(20, 1.0)]}, "one step")
    assert points(html, "polyline") == [[(50, 0), (50, 0)], [(50, 75), (50, 75)]]
    assert html.count('class="line point"') == 2
    assert [e.text for e in parse(html) if e.tag == "span"][:3] == ["4", "0", "20"]
    assert html.count("<span>20</span>") == 1


def test_zeros_and_no_points_work() -> None:
    parse(charts.render_curves({"a": [(3, 0.0)]}, "one"))
    assert charts.render_curves({}, "none") == ""
    parse(charts.render_bars({}))


def test_names_are_escaped() -> None:
    for html in (
        charts.render_bars({EVIL: 0.5}),
        charts.render_curves({EVIL: [(0, 1.0), (1, 2.0)]}, EVIL),
        charts.render_stacked_bars({EVIL: {EVIL: 1.0}}, {EVIL: "red"}),
        charts.render_legend({EVIL: "red"}),
    ):
        parse(html)
        assert "<script" not in html


def test_bar_widths_are_shares_cut_to_the_full_width() -> None:
    widths = re.findall(r"width:([\d.]+)%", charts.render_bars({"a": 0.25, "b": 1.5, "c": -0.1}))
    assert widths == ["25.00", "100.00", "0.00"]


def test_a_bar_of_full_scale_has_the_full_width() -> None:
    assert re.findall(r"width:([\d.]+)%", charts.render_bars({"a": 0.1, "b": 0.05}, full_scale=0.1)) == [
        "100.00",
        "50.00",
    ]


def test_stacked_bars_are_in_the_order_of_the_colours_and_fill_a_row() -> None:
    colours = {"b": "#000000", "a": "#ffffff", "c": "#111111"}
    html = charts.render_stacked_bars({"row": {"a": 0.25, "b": 0.75, "c": 0.0}}, colours)
    widths = [(float(w), fill) for w, fill in re.findall(r"width:([\d.]+)%;background:(#\w+)", html)]
    assert widths == [(75.0, "#000000"), (25.0, "#ffffff")]
    assert sum(w for w, _ in widths) == pytest.approx(100)
    assert 'aria-label="b 75.0 %, a 25.0 %"' in html
