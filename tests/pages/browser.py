"""A headless Chromium for tests of the page: Debian's, with the driver that comes with it; and what they look for."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

# What a machine that must run these tests sets; elsewhere they are skipped where there is no browser.
REQUIRED = "CLIP_AE_BROWSER_REQUIRED"
WORDS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")


@contextmanager
def chromium() -> Iterator[Chrome]:
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        missing = "needs Debian's chromium and chromium-driver"
        pytest.fail(missing) if os.environ.get(REQUIRED) else pytest.skip(missing)
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for word in WORDS:
        options.add_argument(word)
    opened = Chrome(service=Service(driver), options=options)
    try:
        yield opened
    finally:
        opened.quit()


def resize(browser: Chrome, width: int, height: int, *, phone: bool = False) -> None:
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def prefer(browser: Chrome, theme: str, *, medium: str = "") -> None:
    """What the system says about light and dark, on a screen or as on paper ("print")."""
    feature = {"name": "prefers-color-scheme", "value": theme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": medium, "features": [feature]})


def wait(browser: Chrome, what: Any) -> Any:
    """A redraw may replace what was just found: then it is looked for again."""
    return WebDriverWait(browser, 20, 0.05, [StaleElementReferenceException]).until(what)


def one(where: Chrome | WebElement, selector: str) -> WebElement:
    return where.find_element(By.CSS_SELECTOR, selector)


def cards(browser: Chrome) -> list[str]:
    return [card.text for card in browser.find_elements(By.CSS_SELECTOR, "article h3")]


def card(browser: Chrome, name: str) -> WebElement:
    return next(c for c in browser.find_elements(By.TAG_NAME, "article") if one(c, "h3").text == name)


def second(browser: Chrome) -> float:
    return float(browser.execute_script("return document.querySelector('#player video').currentTime"))


def focused(browser: Chrome) -> str:
    """What the element is called that has the keyboard."""
    return str(wait(browser, lambda b: b.switch_to.active_element.get_attribute("aria-label")))
