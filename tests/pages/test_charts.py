"""Pictures are well-formed SVG, hold what they should, and escape every word."""

import re
from xml.etree import ElementTree

import pytest

from clip_ae.core.types import Detection, Instance
from clip_ae.pages import charts
from clip_ae.pages.page import legend, page, table

EVIL = '<script>alert("x")</script>&'


def parse(svg: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(svg).iter())


def rects(svg: str) -> list[dict[str, str]]:
    return [e.attrib for e in parse(svg) if e.tag == "rect"]


def test_a_timeline_places_segments_in_proportion() -> None:
    found = [Detection("v", "jump", 0.8, 0, 10), Detection("v", "run", 0.4, 10, 20)]
    svg = charts.timeline(20, [Instance("jump", 5, 15)], found, [(0, 0.0), (20, 1.0)], {"jump": "red"})
    truth, first, second = rects(svg)
    width = float(first["width"])
    assert float(truth["width"]) == pytest.approx(width, abs=0.2)
    assert float(second["x"]) == pytest.approx(float(first["x"]) + width, abs=0.2)
    assert float(first["fill-opacity"]) == 1.0
    assert float(second["fill-opacity"]) < 0.7
    assert (truth["fill"], second["fill"]) == ("red", "gray")


def test_overlapping_detections_get_lanes_of_their_own() -> None:
    found = [Detection("v", "a", 1, 0, 5), Detection("v", "a", 1, 4, 9), Detection("v", "a", 1, 5, 8)]
    svg = charts.timeline(10, [], found, [], {})
    assert [r["y"] for r in rects(svg)] == ["4", "18", "4"]


def test_nothing_found_and_nothing_annotated_is_a_picture_too() -> None:
    assert "attention" in charts.timeline(0, [], [], [], {})
    assert charts.curves({}) == ""
    parse(charts.bars({}))


def test_curves_name_every_line_at_its_end() -> None:
    svg = charts.curves({"total": [(1, 2.0), (10, 1.0)], "sparsity": [(1, 0.5), (10, 0.99)]})
    names = {e.text: float(e.attrib["y"]) for e in parse(svg) if e.tag == "text" and e.text in ("total", "sparsity")}
    assert abs(names["total"] - names["sparsity"]) >= 12


def test_every_word_is_escaped() -> None:
    svg = charts.timeline(5, [Instance(EVIL, 0, 1)], [Detection(EVIL, EVIL, 1, 0, 1)], [], {EVIL: "red"})
    parse(svg)
    parse(charts.bars({EVIL: 0.5}))
    parse(charts.curves({EVIL: [(0, 1.0), (1, 2.0)]}))
    text = page(EVIL, EVIL, [legend({EVIL: "red"}), table([EVIL], [[EVIL]])], '{"a":"</script>"}')
    assert "<script>alert" not in text
    assert text.count("</script>") == 1


def test_stacked_bars_keep_the_order_of_their_fills_and_fill_a_row():
    fills = {"b": "#000000", "a": "#ffffff"}
    bars = re.findall(
        r'<rect x="([\d.]+)" y="26" width="([\d.]+)"', charts.stacked({"row": {"a": 0.25, "b": 0.75}}, fills)
    )
    (first, wide), (second, narrow) = [(float(x), float(w)) for x, w in bars]
    assert second == pytest.approx(first + wide, abs=0.11)
    assert wide == pytest.approx(3 * narrow, abs=0.3)
