"""Search on the page: the packed moments, and in a real browser the search box, its list and its results."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select

from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Detection
from clip_ae.pages.page import render_html_page
from clip_ae.pages.report import search
from clip_ae.pages.report.videos import VideoEntry, build_page_data, render_timelines
from tests.media_files import write_video
from tests.pages.browser import card, cards, chromium, focused, one, prefer, resize, second, wait

GRID = SnippetGrid()
EVIL = '</script><img id="evil" src="x" onerror="document.title = 1">&'
VIDEOS = [
    VideoEntry(
        name, 8.0, [0.5] * 12, {}, [Detection(name, "jump", 0.5, 2, 3), Detection(name, label, 0.5, 5, 6)], file=file
    )
    for name, label, file in (("b", "run", "b.mp4"), ("a", "run", None), (EVIL, "jump", None), ("c", "jump", None))
]


def make_moments(text: str, *rows: tuple[str, float, float]) -> dict[str, list[Detection]]:
    """Moments of 2 s from rows (video, start, score)."""
    return {text: [Detection(video_id, text, score, start, start + 2) for video_id, start, score in rows]}


MOMENTS = {
    **make_moments("man running fast", ("b", 0, 0.5), ("not shown", 0, 0.9)),
    **make_moments("jumping", ("b", 5.5, 0.4), ("b", 1, 0.8), ("a", 4, 0.876543)),
    **make_moments("run", (EVIL, 1, 0.5)),
    **make_moments(EVIL, (EVIL, 1, 0.5)),
    **make_moments("sleeping man"),
}


def pack(videos: list[VideoEntry], moments: dict[str, list[Detection]] | None = None) -> Any:
    return json.loads(build_page_data(videos, {}, GRID, moments))


def test_moments_are_packed_best_first_with_the_index_of_their_video() -> None:
    texts = dict(pack(VIDEOS, MOMENTS)["texts"])
    assert list(texts) == list(MOMENTS)
    assert texts["jumping"] == [[1, 4, 6, 0.877], [0, 1, 3, 0.8], [0, 5.5, 7.5, 0.4]]
    assert texts["man running fast"] == [[0, 0, 2, 0.5]], "no moment of a video outside the page"
    assert texts["sleeping man"] == []


def test_a_page_without_moments_differs_only_in_the_search() -> None:
    assert render_timelines(VIDEOS, with_search=True).replace(search.render_search_box(), "").replace(
        search.render_search_legend(), ""
    ) == render_timelines(VIDEOS)
    with_moments = pack(VIDEOS, MOMENTS)
    del with_moments["texts"]
    assert with_moments == pack(VIDEOS)
    assert "search-text" not in render_timelines(VIDEOS)


def test_a_large_vocabulary_has_the_best_moments_of_every_text() -> None:
    rows = [("b", k / 10, (k + 1) / 301) for k in range(300)]
    vocabulary = {text: moments for k in range(500) for text, moments in make_moments(f"word {k}", *rows).items()}
    texts = dict(pack(VIDEOS, vocabulary)["texts"])
    assert {len(moments) for moments in texts.values()} == {80}
    assert min(start for moments in texts.values() for _, start, *_ in moments) == 22.0


@pytest.fixture(scope="module")
def chrome() -> Iterator[Chrome]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("search") / "page.html"
    write_video(path.parent / "b.mp4", frames=200, codec="libx264")
    sections = {"Videos": render_timelines(VIDEOS, with_search=True)}
    path.write_text(
        render_html_page("Actions", "of a test", sections, build_page_data(VIDEOS, {}, GRID, MOMENTS), "{}")
    )
    return path


@pytest.fixture
def browser(chrome: Chrome, path: Path) -> Iterator[Chrome]:
    prefer(chrome, "light")
    resize(chrome, 1280, 900)
    chrome.get(path.as_uri())
    wait(chrome, lambda b: b.find_elements(By.CSS_SELECTOR, "article svg"))
    yield chrome
    assert chrome.get_log("browser") == []


def list_suggestions(browser: Chrome) -> list[str]:
    """The visible options of the list; none if it is closed."""
    return [text for o in browser.find_elements(By.CSS_SELECTOR, "#suggestions li") if (text := o.text)]


def type_text(browser: Chrome, *keys: str) -> None:
    one(browser, "#search-text").send_keys(*keys)


def get_summary(browser: Chrome) -> str:
    return one(browser, "#search-summary").text


def list_moments(browser: Chrome) -> list[str]:
    """The labels of the moments' bars."""
    bars = browser.find_elements(By.CSS_SELECTOR, ".bar.moment")
    return [str(bar.get_attribute("aria-label")) for bar in bars]


def test_words_match_in_any_order_and_case(browser: Chrome) -> None:
    type_text(browser, "FAST man")
    assert list_suggestions(browser) == ["man running fast"]
    assert get_summary(browser) == "1 matching text in the vocabulary"
    assert cards(browser) == [EVIL, "a", "b", "c"], "no text is selected yet"


def test_results_are_best_first_with_their_moments_in_a_lane(browser: Chrome) -> None:
    type_text(browser, "jumping")
    assert cards(browser) == ["a", "b"]
    assert get_summary(browser) == "3 moments in 2 videos; scores are estimates of a network"
    wait(browser, lambda b: len(list_moments(b)) == 3)
    assert list_moments(browser)[:2] == [
        "looks like jumping, score 0.877, 4.0 to 6.0 s",
        "looks like jumping, score 0.8, 1.0 to 3.0 s",
    ]
    assert one(card(browser, "a"), "text").text == "jumping"
    assert one(card(browser, "a"), ".score").text == "0.877"
    assert not one(browser, "#order").is_enabled()


def test_other_filters_apply_to_the_results(browser: Chrome) -> None:
    type_text(browser, "jumping")
    one(browser, "#search").send_keys("b")
    assert cards(browser) == ["b"]
    assert get_summary(browser) == "2 moments in 1 video; scores are estimates of a network"
    Select(one(browser, "#class")).select_by_visible_text("run")
    assert cards(browser) == ["b"]
    wait(browser, lambda b: len(list_moments(b)) == 2)
    one(browser, "#search").send_keys("x")
    assert cards(browser) == []
    assert get_summary(browser).startswith("0 moments in 0 videos")


def test_clearing_the_search_restores_the_list(browser: Chrome) -> None:
    Select(one(browser, "#order")).select_by_value("longest")
    before = cards(browser)
    type_text(browser, "jumping")
    wait(browser, lambda b: len(list_moments(b)) == 3)
    type_text(browser, Keys.CONTROL, "a", Keys.CONTROL, Keys.BACKSPACE)
    assert cards(browser) == before
    wait(browser, lambda b: not list_moments(b))
    assert get_summary(browser) == ""
    assert one(browser, "#order").is_enabled()


def test_the_keyboard_selects_and_the_focus_stays_in_the_box(browser: Chrome) -> None:
    box = one(browser, "#search-text")
    type_text(browser, Keys.ARROW_DOWN)
    assert list_suggestions(browser) == list(MOMENTS)
    assert box.get_attribute("aria-expanded") == "true"
    type_text(browser, Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    option = one(browser, '#suggestions [aria-selected="true"]')
    assert option.text == "jumping"
    assert box.get_attribute("aria-activedescendant") == option.get_attribute("id")
    type_text(browser, Keys.ARROW_UP, Keys.ARROW_UP, Keys.ARROW_DOWN, Keys.ENTER)
    assert box.get_attribute("value") == "man running fast", "the selection wraps around"
    assert list_suggestions(browser) == []
    assert (box.get_attribute("aria-expanded"), box.get_attribute("aria-activedescendant")) == ("false", None)
    assert browser.switch_to.active_element == box
    assert cards(browser) == ["b"]


def test_enter_takes_the_first_match_unless_the_input_is_a_full_text(browser: Chrome) -> None:
    type_text(browser, "Run")
    assert list_suggestions(browser) == ["man running fast", "run"]
    type_text(browser, Keys.ENTER)
    assert cards(browser) == [EVIL]
    assert one(browser, "#search-text").get_attribute("value") == "run"
    type_text(browser, Keys.CONTROL, "a", Keys.CONTROL, Keys.BACKSPACE)
    type_text(browser, "runn", Keys.ENTER)
    assert cards(browser) == ["b"]


def test_escape_closes_the_list_and_leaves_the_input(browser: Chrome) -> None:
    type_text(browser, "run", Keys.ESCAPE)
    assert list_suggestions(browser) == []
    assert one(browser, "#search-text").get_attribute("value") == "run"
    type_text(browser, "n", Keys.TAB)
    assert list_suggestions(browser) == []


def test_one_click_opens_the_vocabulary_and_another_selects(browser: Chrome) -> None:
    one(browser, "#search-text").click()
    assert list_suggestions(browser) == list(MOMENTS)
    browser.find_elements(By.CSS_SELECTOR, "#suggestions li")[1].click()
    assert cards(browser) == ["a", "b"]
    assert list_suggestions(browser) == []


def test_an_unknown_word_and_a_text_without_moments(browser: Chrome) -> None:
    type_text(browser, "zebra")
    assert get_summary(browser) == "not in the vocabulary; to search for any sentence, run clip-ae ground"
    assert list_suggestions(browser) == []
    assert cards(browser) == [EVIL, "a", "b", "c"]
    type_text(browser, Keys.CONTROL, "a", Keys.CONTROL, Keys.BACKSPACE)
    type_text(browser, "sleeping man")
    assert get_summary(browser) == "0 moments in 0 videos; scores are estimates of a network"
    assert cards(browser) == []


def test_a_click_on_a_moment_seeks_and_arrow_keys_move_on(browser: Chrome) -> None:
    type_text(browser, "jumping")
    wait(browser, lambda b: len(list_moments(b)) == 3)
    one(card(browser, "b"), ".bar.moment:nth-of-type(2)").click()
    wait(browser, lambda b: 5.5 <= second(b) < 7)
    one(browser, "#player button").click()
    one(card(browser, "b"), ".play").send_keys(Keys.TAB)
    for expected in (
        "looks like jumping, score 0.4",
        "run, detected",
        "jump, detected",
        "looks like jumping, score 0.8",
    ):
        assert focused(browser).startswith(expected)
        ActionChains(browser).send_keys(Keys.ARROW_LEFT).perform()
    ActionChains(browser).send_keys(Keys.ENTER).perform()
    wait(browser, lambda b: 1 <= second(b) < 2.5)


def test_texts_are_escaped(browser: Chrome) -> None:
    type_text(browser, "</SCRIPT>")
    assert list_suggestions(browser) == [EVIL]
    type_text(browser, Keys.ENTER)
    assert cards(browser) == [EVIL]
    wait(browser, lambda b: list_moments(b) == [f"looks like {EVIL}, score 0.5, 1.0 to 3.0 s"])
    assert not browser.find_elements(By.TAG_NAME, "img")
    assert browser.title == "Actions"


@pytest.mark.parametrize("width", [320, 390, 768])
def test_on_a_phone_box_list_and_moments_fit(browser: Chrome, width: int) -> None:
    resize(browser, width, 800, phone=width < 500)
    one(browser, "#search-text").click()
    box, suggestions = (one(browser, selector).rect for selector in ("#search-text", "#suggestions"))
    assert 0 <= suggestions["x"] < suggestions["x"] + suggestions["width"] <= width
    assert suggestions["y"] >= box["y"] + box["height"]
    type_text(browser, "jumping")
    wait(browser, lambda b: len(list_moments(b)) == 3)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [660, 1280])
def test_a_focused_moment_is_not_covered_by_the_controls(browser: Chrome, width: int) -> None:
    resize(browser, width, 400)
    type_text(browser, "jumping")
    scroll_and_focus = "scrollTo(0, arguments[0].getBoundingClientRect().top + scrollY - 70); arguments[0].focus()"

    def is_uncovered(b: Chrome) -> bool:
        bar, controls = one(card(b, "b"), ".bar.moment"), one(b, ".controls")
        b.execute_script(scroll_and_focus, bar)
        return bool(bar.rect["y"] >= controls.rect["y"] + controls.rect["height"])

    wait(browser, is_uncovered)


def test_print_has_the_results_but_no_search_box(browser: Chrome) -> None:
    type_text(browser, "jumping")
    wait(browser, lambda b: len(list_moments(b)) == 3)
    prefer(browser, "dark", medium="print")
    displayed = [
        one(browser, selector).is_displayed()
        for selector in ("#search-summary", ".bar.moment", ".score", "#search-text")
    ]
    assert displayed == [True, True, True, False]
    assert one(browser, "#search-summary").rect["x"] == one(browser, "#filter-summary").rect["x"]
