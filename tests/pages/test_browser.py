"""The page in a real browser: its drawings, and its reaction to mouse, touch and keyboard."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select

from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Detection, Instance
from clip_ae.pages.charts import render_curves
from clip_ae.pages.page import render_html_page, render_html_table
from clip_ae.pages.report.videos import VideoEntry, build_page_data, render_timelines
from tests.media_files import write_video
from tests.pages.browser import card, cards, chromium, focused, one, prefer, resize, second, wait

GRID = SnippetGrid()
EVIL = '</script><b id="evil">&'
NAMES = {"cluster-00": "jump", "cluster-01": "run"}


def make_entry(name: str, ap: float, start: float, file: str | None = None, rows: int = 12) -> VideoEntry:
    """A video of 8 s: an annotated jump; a jump and two runs detected, the last with a low score."""
    detections = [
        Detection(name, "cluster-00", 0.9, start, start + 2),
        Detection(name, "cluster-01", 0.5, start + 0.5, start + 1),
        Detection(name, "cluster-01", 0.01, start + 2.5, start + 3),
    ]
    curve = [k / rows for k in range(rows)]
    truth = [Instance("jump", start, start + 2)]
    return VideoEntry(name, 8.0, curve, {"cluster-00": curve}, detections, truth, [-20.0] * rows, ap, file)


VIDEOS = [make_entry("b", 0.9, 1.0, "here/b.mp4"), make_entry("a", 0.1, 4.0, "gone/a.mp4"), make_entry(EVIL, 0.5, 2.0)]


def write(path: Path, videos: list[VideoEntry]) -> str:
    wide = render_html_table("In seconds", ["row", *"abcdefgh"], [["one", *["12.345"] * 8]])
    sections = {"Scores": wide, "Videos": render_timelines(videos)}
    path.write_text(render_html_page("Actions", "of a test", sections, build_page_data(videos, NAMES, GRID), "{}"))
    return path.as_uri()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("page")
    for name in ("here", "elsewhere"):
        (root / name).mkdir()
    write_video(root / "here/b.mp4", frames=200, codec="libx264")
    shutil.copy(root / "here/b.mp4", root / "elsewhere/a.mp4")
    write(root / "page.html", VIDEOS)
    return root


@pytest.fixture(scope="module")
def chrome() -> Iterator[Chrome]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def browser(chrome: Chrome, folder: Path) -> Iterator[Chrome]:
    """A new page for each test; no test may leave an error in the console."""
    prefer(chrome, "light")
    resize(chrome, 1280, 900)
    chrome.get_log("browser")
    chrome.get((folder / "page.html").as_uri())
    wait(chrome, lambda b: b.find_elements(By.CSS_SELECTOR, "article svg"))
    yield chrome
    errors = [line for line in chrome.get_log("browser") if "gone/a.mp4" not in line["message"]]
    assert errors == []


def count_bars(browser: Chrome, kind: str) -> int:
    return len(browser.find_elements(By.CSS_SELECTOR, f".bar.{kind}"))


def slide(browser: Chrome, value: int) -> None:
    """Move the score slider and wait for the redraw."""
    script = (
        "const [slider, value, done] = arguments; slider.value = value;"
        "slider.dispatchEvent(new Event('input', {bubbles: true})); requestAnimationFrame(done);"
    )
    browser.execute_async_script(script, one(browser, "#score"), value)


def bottom(element: WebElement) -> float:
    return float(element.rect["y"] + element.rect["height"])


def test_the_page_loads_no_other_resource(browser: Chrome) -> None:
    resources = browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert resources == []
    assert one(browser, "nav").text.split() == ["Scores", "Videos", "Dark"]


def test_bars_are_in_proportion_and_have_labels(browser: Chrome) -> None:
    truth, best, *_ = one(browser, "article").find_elements(By.CSS_SELECTOR, ".bar")
    assert one(browser, "article h3").text == EVIL
    assert best.get_attribute("width") == truth.get_attribute("width")
    assert truth.get_attribute("aria-label") == "jump, annotated, 2.0 to 4.0 s"
    assert best.get_attribute("aria-label") == "jump (cluster-00), detected, score 0.9, 2.0 to 4.0 s"
    width = float(one(browser, "article svg").get_attribute("width") or 0)
    assert float(truth.get_attribute("width") or 0) == pytest.approx((width - 160) * 2 / 8, rel=0.01)


def test_video_names_are_escaped(browser: Chrome) -> None:
    assert EVIL in cards(browser)
    assert not browser.find_elements(By.ID, "evil")


def test_the_slider_hides_weak_detections_but_no_annotations(browser: Chrome) -> None:
    slide(browser, 0)
    wait(browser, lambda b: count_bars(b, "detection") == 9)
    assert "9 of 9 detections, score 0.01 or more" in one(browser, "#filter-summary").text
    slide(browser, 500)
    wait(browser, lambda b: count_bars(b, "detection") == 6)
    assert one(browser, "#score").get_attribute("aria-valuetext") == "0.5 or more"
    slide(browser, 1000)
    wait(browser, lambda b: count_bars(b, "detection") == 3)
    assert count_bars(browser, "annotation") == 3


def test_the_class_filter_shows_one_class(browser: Chrome) -> None:
    slide(browser, 0)
    Select(one(browser, "#class")).select_by_visible_text("run")
    wait(browser, lambda b: (count_bars(b, "annotation"), count_bars(b, "detection")) == (0, 6))
    Select(one(browser, "#class")).select_by_visible_text("jump")
    wait(browser, lambda b: (count_bars(b, "annotation"), count_bars(b, "detection")) == (3, 3))
    assert one(browser, "#filter-summary").text == "3 of 3 videos; 3 of 3 detections, score 0.01 or more"
    one(browser, "#search").send_keys("b")
    slide(browser, 1000)
    assert one(browser, "#filter-summary").text == "2 of 3 videos; 2 of 2 detections, score 0.9 or more"


def test_the_class_filter_selects_activations_and_an_empty_card_has_a_note(browser: Chrome) -> None:
    def lines(b: Chrome) -> int:
        return len(b.find_elements(By.CSS_SELECTOR, "article .line"))

    assert lines(browser) == 3
    assert "no action" not in one(browser, "#list").text
    Select(one(browser, "#class")).select_by_visible_text("run")
    slide(browser, 1000)
    wait(browser, lambda b: lines(b) == 0)
    assert one(browser, "#list").text.count("no action at this score") == 3
    Select(one(browser, "#class")).select_by_visible_text("jump")
    wait(browser, lambda b: lines(b) == 3)


def test_tiny_scores_are_shown_as_zero(chrome: Chrome, tmp_path: Path) -> None:
    detections = [Detection("v", "jump", score, 1, 2) for score in (0.123456, 2.686e-22)]
    chrome.get(write(tmp_path / "faint.html", [VideoEntry("v", 8.0, [0.5] * 12, {}, detections)]))
    assert one(chrome, "#filter-summary").text == "1 of 1 videos; 2 of 2 detections, score 0 or more"
    slide(chrome, 1000)
    assert one(chrome, "#filter-summary").text == "1 of 1 videos; 1 of 2 detections, score 0.123 or more"


def test_search_and_orders(browser: Chrome) -> None:
    assert cards(browser) == [EVIL, "a", "b"]
    for order, expected in (("worst", ["a", EVIL, "b"]), ("best", ["b", EVIL, "a"])):
        Select(one(browser, "#order")).select_by_value(order)
        assert cards(browser) == expected
    one(browser, "#search").send_keys("SCRIPT")
    assert cards(browser) == [EVIL]
    one(browser, "#search").send_keys(Keys.ENTER)
    assert cards(browser) == [EVIL], "Enter must not reload the page"
    assert one(browser, "#filter-summary").text.startswith("1 of 3 videos")
    one(browser, "#search").send_keys("no such name")
    assert one(browser, "#list").text == "No video to show."


def test_a_click_on_an_action_seeks_and_the_playhead_follows(browser: Chrome) -> None:
    one(card(browser, "b"), ".bar.annotation").click()
    wait(browser, lambda b: 1.0 <= second(b) < 2.5)
    assert one(browser, "#player b").text == "b"
    wait(browser, lambda b: second(b) > 1.2)
    one(browser, "#player").find_element(By.TAG_NAME, "video").click()
    playhead = one(card(browser, "b"), ".playhead")
    assert playhead.get_attribute("visibility") == "visible"
    picture = one(card(browser, "b"), "svg")
    width = float(picture.get_attribute("width") or 0)
    has_moved = wait(browser, lambda b: float(playhead.get_attribute("x1") or 0) > 150 + (width - 160) / 8)
    assert has_moved
    # By the keyboard: the player may cover the button.
    one(card(browser, "a"), ".play").send_keys(Keys.ENTER)
    wait(browser, lambda b: one(b, "#player b").text == "a")
    assert playhead.get_attribute("visibility") == "hidden"
    one(browser, "#player button").click()
    assert not one(browser, "#player").is_displayed()


def test_a_click_between_actions_seeks_to_its_time(browser: Chrome) -> None:
    picture = one(card(browser, "b"), "svg")
    width, height = picture.size["width"], picture.size["height"]
    x = 150 + (width - 160) * 5 / 8
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", picture)
    ActionChains(browser).move_to_element_with_offset(picture, x - width / 2, height / 2 - 30).click().perform()
    wait(browser, lambda b: 4.8 <= second(b) < 6.5)


def test_a_missing_video_can_be_chosen_from_a_folder(browser: Chrome, folder: Path) -> None:
    one(card(browser, "a"), ".play").click()
    wait(browser, lambda b: "Cannot play a.mp4" in one(b, "#player .note").text)
    chooser = one(browser, "#player input")
    assert chooser.is_displayed()
    chooser.send_keys(str(folder / "elsewhere"))
    wait(browser, lambda b: b.execute_script("return document.querySelector('#player video').readyState") > 0)
    assert one(browser, "#player .note").text == ""


def test_without_a_file_there_is_nothing_to_play(browser: Chrome) -> None:
    assert not card(browser, EVIL).find_elements(By.CSS_SELECTOR, ".play")
    one(card(browser, EVIL), ".bar").click()
    assert not one(browser, "#player").is_displayed()


def test_arrow_keys_move_between_actions_and_enter_plays(browser: Chrome) -> None:
    slide(browser, 0)
    wait(browser, lambda b: count_bars(b, "detection") == 9)
    one(card(browser, "b"), ".play").send_keys(Keys.TAB)
    assert focused(browser) == "jump, annotated, 1.0 to 3.0 s"
    assert one(browser, "#hint").text == focused(browser)
    for expected in (
        "jump (cluster-00), detected",
        "run (cluster-01), detected, score 0.5",
        "run (cluster-01), detected, score 0.01",
    ):
        ActionChains(browser).send_keys(Keys.ARROW_RIGHT).perform()
        assert focused(browser).startswith(expected)
    ActionChains(browser).send_keys(Keys.ENTER).perform()
    wait(browser, lambda b: 3.5 <= second(b) < 5)
    ActionChains(browser).send_keys(Keys.ESCAPE).perform()
    assert not one(browser, "#player").is_displayed()
    ActionChains(browser).send_keys(Keys.ARROW_LEFT).perform()
    assert focused(browser).startswith("run (cluster-01), detected, score 0.5")


def test_the_player_takes_and_returns_the_keyboard_focus(browser: Chrome) -> None:
    def active(selector: str) -> bool:
        return bool(browser.execute_script("return document.activeElement.matches(arguments[0])", selector))

    one(card(browser, "b"), ".play").send_keys(Keys.ENTER)
    assert active("#player video")
    one(browser, "#player button").send_keys(Keys.ENTER)
    assert focused(browser) == "play b"
    ActionChains(browser).send_keys(Keys.TAB, Keys.ENTER).perform()
    assert active("#player video")
    Select(one(browser, "#class")).select_by_visible_text("run")
    wait(browser, lambda b: count_bars(b, "annotation") == 0)
    one(browser, "#player button").send_keys(Keys.ENTER)
    assert focused(browser) == "play b", "the bar is no longer drawn"
    one(card(browser, "b"), ".play").click()
    assert not active("#player video")


def test_escape_closes_the_player_wherever_the_focus_is(browser: Chrome) -> None:
    one(card(browser, "b"), ".play").send_keys(Keys.ENTER)
    wait(browser, lambda b: one(b, "#player").is_displayed())
    ActionChains(browser).send_keys(Keys.ESCAPE).perform()
    assert not one(browser, "#player").is_displayed()


def test_a_closed_player_does_not_play(browser: Chrome) -> None:
    """The player is closed before the file is loaded, as on a slow disk."""
    one(card(browser, "b"), ".play").send_keys(Keys.ENTER)
    browser.execute_script("document.querySelector('#player button').click()")
    wait(browser, lambda b: b.execute_script("return document.querySelector('#player video').readyState") > 0)
    film = one(browser, "#player").find_element(By.TAG_NAME, "video")
    browser.execute_script("arguments[0].dispatchEvent(new Event('loadedmetadata'))", film)
    assert browser.execute_script("return arguments[0].paused", film)


def test_a_redraw_keeps_the_keyboard_focus(browser: Chrome) -> None:
    slide(browser, 0)
    wait(browser, lambda b: count_bars(b, "detection") == 9)
    one(card(browser, "b"), ".play").send_keys(Keys.TAB, Keys.NULL)
    ActionChains(browser).send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT).perform()
    before = focused(browser)
    width = one(card(browser, "b"), "svg").get_attribute("width")
    resize(browser, 900, 900)
    wait(browser, lambda b: one(card(b, "b"), "svg").get_attribute("width") != width)
    assert focused(browser) == before
    assert before.startswith("run")


def test_a_class_with_odd_spaces_can_be_chosen(chrome: Chrome, tmp_path: Path) -> None:
    video = VideoEntry("v", 8.0, [0.5] * 12, {}, [], [Instance("high  jump ", 1, 2)])
    chrome.get(write(tmp_path / "odd.html", [video]))
    Select(one(chrome, "#class")).select_by_index(1)
    assert one(chrome, "#filter-summary").text.startswith("1 of 1 videos")


def test_only_classes_that_a_timeline_shows_can_be_chosen(chrome: Chrome, tmp_path: Path) -> None:
    video = VideoEntry("v", 8.0, [0.5] * 12, {"cluster-09": [0.5] * 12}, [], [Instance("jump", 1, 2)])
    chrome.get(write(tmp_path / "classes.html", [video]))
    assert [option.text for option in Select(one(chrome, "#class")).options] == ["all", "jump"]


def test_the_hint_shows_times_scores_and_curve_values(browser: Chrome) -> None:
    picture = one(card(browser, "b"), "svg")
    ActionChains(browser).move_to_element(one(picture, ".bar.detection")).perform()
    assert one(browser, "#hint").text == "jump (cluster-00), detected, score 0.9, 1.0 to 3.0 s"
    ActionChains(browser).move_to_element(one(picture, ".attention")).perform()
    parts = one(browser, "#hint").text.split(" · ")
    assert parts[0].endswith(" s")
    assert [w.rsplit(" ", 1)[0] for w in parts[1:]] == ["attention", "jump (cluster-00)"]
    ActionChains(browser).move_to_element(one(browser, "h1")).perform()
    assert not one(browser, "#hint").is_displayed()


@pytest.mark.parametrize("system", ["light", "dark"])
def test_the_theme_is_the_systems_until_the_button_is_pressed(browser: Chrome, system: str) -> None:
    def lightness() -> float:
        colour = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in colour[4:-1].split(",")) / 765

    prefer(browser, system)
    button_text = {"light": "Dark", "dark": "Light"}[system]
    assert (lightness() > 0.5) == (system == "light")
    wait(browser, lambda b: one(b, "#theme").text == button_text)
    one(browser, "#theme").click()
    assert (lightness() > 0.5) == (system == "dark")


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_is_wider_than_the_window(browser: Chrome, width: int) -> None:
    resize(browser, width, 800, phone=width < 500)
    wait(browser, lambda b: int(one(b, "article svg").get_attribute("width") or 0) < width)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


def open_all_sections(chrome: Chrome, tmp_path: Path) -> tuple[str, ...]:
    """Open a page with every section on a phone; returns the sections' names."""
    names = ("Scores", "Clusters", "Errors", "Videos", "Training", "Sources")
    sections = {name: render_timelines([]) if name == "Videos" else "<p>text</p>" * 50 for name in names}
    (tmp_path / "links.html").write_text(render_html_page("Actions", "", sections, build_page_data([], {}, GRID), "{}"))
    resize(chrome, 320, 800, phone=True)
    chrome.get((tmp_path / "links.html").as_uri())
    return names


def test_on_a_phone_the_menu_shows_every_section_and_hides_no_heading(chrome: Chrome, tmp_path: Path) -> None:
    for name in open_all_sections(chrome, tmp_path):
        link = one(chrome, "nav").find_element(By.LINK_TEXT, name)
        assert link.rect["x"] + link.rect["width"] <= one(chrome, "#theme").rect["x"]
        link.click()
        wait(
            chrome,
            lambda b, name=name: b.execute_script(
                "return document.querySelector(arguments[0]).getBoundingClientRect().top >= "
                "document.querySelector('nav').getBoundingClientRect().bottom",
                f"#{name.lower()} h2",
            ),
        )


def test_on_a_phone_nothing_covers_a_link(chrome: Chrome, tmp_path: Path) -> None:
    for name in open_all_sections(chrome, tmp_path):
        one(chrome, "nav").find_element(By.LINK_TEXT, name).click()
        assert chrome.current_url.endswith(f"#{name.lower()}")


def test_on_a_phone_a_cards_facts_have_a_line_of_their_own(browser: Chrome) -> None:
    resize(browser, 320, 800, phone=True)
    name, button, facts = (one(card(browser, "b"), selector) for selector in ("h3", ".play", "small"))
    assert name.rect["y"] < bottom(button) <= facts.rect["y"]
    assert facts.rect["height"] < 25


@pytest.mark.parametrize(("width", "stop"), [(360, "0"), (1280, None)])
def test_a_table_takes_the_focus_only_where_it_scrolls(browser: Chrome, width: int, stop: str | None) -> None:
    resize(browser, width, 800, phone=width < 500)
    box = one(browser, ".scroll")
    assert box.get_attribute("aria-label") == "In seconds"
    wait(browser, lambda b: box.get_attribute("tabindex") == stop)


def test_tables_of_a_report_fit_a_narrow_page_and_a_phone(chrome: Chrome, tmp_path: Path) -> None:
    averages, tiou = ("avg 0.1:0.5", "avg 0.3:0.7", "avg 0.1:0.7"), [f"0.{k}" for k in range(1, 8)]
    scores = render_html_table("mAP", ["tIoU", *averages, *tiou], [["95 % interval from", *["53.3"] * 10]])
    names = ["actions", "number", "missed at tIoU 0.5, %", "normalised mAP, %"]
    rows = render_html_table("By characteristic", names, [["coverage 0.067 to 0.1 of the video", "15", "14.3", "88.1"]])
    sections = {"Scores": scores, "Errors": rows}
    (tmp_path / "page.html").write_text(render_html_page("Actions", "", sections, build_page_data([], {}, GRID), "{}"))
    for width, fitting in ((800, [True, True]), (390, [False, True])):
        resize(chrome, width, 800, phone=width < 500)
        chrome.get((tmp_path / "page.html").as_uri())
        script = "return [...document.querySelectorAll('.scroll')].map(e => e.scrollWidth <= e.clientWidth)"
        assert chrome.execute_script(script) == fitting, width
    box, widest = one(chrome, ".scroll").rect, chrome.find_elements(By.CSS_SELECTOR, "thead th")[3].rect
    assert widest["x"] + widest["width"] <= box["x"] + box["width"], "the averages are in view"


def test_labels_of_an_axis_are_left_of_it_and_a_single_point_is_drawn(chrome: Chrome, tmp_path: Path) -> None:
    curves = render_curves({"total": [(20, -0.000249)]}, "losses")
    (tmp_path / "page.html").write_text(
        render_html_page("Actions", "", {"Training": curves}, build_page_data([], {}, GRID), "{}")
    )
    resize(chrome, 800, 600)
    chrome.get((tmp_path / "page.html").as_uri())
    low, plot = chrome.find_elements(By.CSS_SELECTOR, ".plot > span")[1], one(chrome, ".plot svg")
    assert low.text == "-0.000249"
    assert chrome.execute_script("return arguments[0].scrollWidth <= arguments[0].offsetWidth", low)
    assert low.rect["x"] + low.rect["width"] <= plot.rect["x"]
    style = "return getComputedStyle(document.querySelector('.plot polyline')).strokeLinecap"
    assert chrome.execute_script(style) == "round"


@pytest.mark.parametrize("width", [660, 1280])
@pytest.mark.parametrize("selector", [".play", ".bar"])
def test_a_focused_element_is_not_covered_by_the_controls(
    chrome: Chrome, folder: Path, width: int, selector: str
) -> None:
    resize(chrome, width, 400)
    chrome.get((folder / "page.html").as_uri())
    scroll_and_focus = "scrollTo(0, arguments[0].getBoundingClientRect().top + scrollY - 70); arguments[0].focus()"

    def is_uncovered(b: Chrome) -> bool:
        target = one(card(b, "a"), selector)
        b.execute_script(scroll_and_focus, target)
        return bool(target.rect["y"] >= bottom(one(b, ".controls")))

    wait(chrome, lambda b: b.find_elements(By.CSS_SELECTOR, "article svg"))
    wait(chrome, is_uncovered)


def test_of_many_videos_only_those_in_view_are_drawn(chrome: Chrome, tmp_path: Path) -> None:
    resize(chrome, 1280, 900)
    chrome.get(write(tmp_path / "many.html", [make_entry(f"v{k:03d}", 0.5, 1.0) for k in range(200)]))
    wait(chrome, lambda b: b.find_elements(By.CSS_SELECTOR, "article svg"))
    assert len(cards(chrome)) == 200
    assert len(chrome.find_elements(By.CSS_SELECTOR, "article svg")) < 40
    last = chrome.find_elements(By.TAG_NAME, "article")[-1]
    chrome.execute_script("arguments[0].scrollIntoView()", last)
    wait(chrome, lambda b: last.find_elements(By.TAG_NAME, "svg"))


def test_print_has_every_timeline_as_filtered(chrome: Chrome, tmp_path: Path) -> None:
    chrome.get(write(tmp_path / "many.html", [make_entry(f"v{k:03d}", 0.5, 1.0) for k in range(200)]))
    wait(chrome, lambda b: b.find_elements(By.CSS_SELECTOR, "article svg"))
    chrome.execute_cdp_cmd("Page.printToPDF", {})
    assert len(chrome.find_elements(By.CSS_SELECTOR, "article svg")) == 200
    slide(chrome, 1000)
    chrome.execute_cdp_cmd("Page.printToPDF", {})
    assert count_bars(chrome, "detection") == 200


def test_print_is_light_and_its_timelines_fit(browser: Chrome) -> None:
    prefer(browser, "dark", medium="print")
    browser.execute_script("document.body.style.width = '300px'")
    assert one(browser, "article svg").size["width"] < 300
    displayed = [one(browser, selector).is_displayed() for selector in ("#filter-summary", ".play", "nav", "#search")]
    assert displayed == [True, False, False, False]
    assert browser.execute_script("return getComputedStyle(document.body).color") == "rgb(29, 33, 41)"


def test_pages_without_videos_or_detections_work(chrome: Chrome, tmp_path: Path) -> None:
    chrome.get(write(tmp_path / "none.html", []))
    assert one(chrome, "#filter-summary").text == "0 of 0 videos; 0 of 0 detections, score 0 or more"
    chrome.get(write(tmp_path / "bare.html", [VideoEntry("v", 0.0, [], {})]))
    wait(chrome, lambda b: b.find_elements(By.CSS_SELECTOR, "article svg"))
    assert chrome.get_log("browser") == []
