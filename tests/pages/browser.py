"""Headless Chromium (Debian's, with its driver) for tests of the page, and helpers to find elements."""

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

# If this variable is set, a missing browser is a failure; otherwise the tests are skipped.
REQUIRED = "CLIP_AE_BROWSER_REQUIRED"
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")


@contextmanager
def chromium() -> Iterator[Chrome]:
    browser_path, driver_path = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser_path or not driver_path:
        reason = "needs Debian's chromium and chromium-driver"
        pytest.fail(reason) if os.environ.get(REQUIRED) else pytest.skip(reason)
    options = webdriver.ChromeOptions()
    options.binary_location = browser_path
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for option in OPTIONS:
        options.add_argument(option)
    driver = Chrome(service=Service(driver_path), options=options)
    try:
        yield driver
    finally:
        driver.quit()


def resize(browser: Chrome, width: int, height: int, *, phone: bool = False) -> None:
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def prefer(browser: Chrome, theme: str, *, medium: str = "") -> None:
    """Set the colour scheme of the system, for the screen or for print (medium "print")."""
    feature = {"name": "prefers-color-scheme", "value": theme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": medium, "features": [feature]})


def wait(browser: Chrome, condition: Any) -> Any:
    """Wait for a condition; it is tried again if a redraw has replaced an element."""
    return WebDriverWait(browser, 20, 0.05, [StaleElementReferenceException]).until(condition)


def one(parent: Chrome | WebElement, selector: str) -> WebElement:
    return parent.find_element(By.CSS_SELECTOR, selector)


def cards(browser: Chrome) -> list[str]:
    """The ids of the listed videos."""
    return [card.text for card in browser.find_elements(By.CSS_SELECTOR, "article h3")]


def card(browser: Chrome, name: str) -> WebElement:
    return next(c for c in browser.find_elements(By.TAG_NAME, "article") if one(c, "h3").text == name)


def second(browser: Chrome) -> float:
    """The current time of the player."""
    return float(browser.execute_script("return document.querySelector('#player video').currentTime"))


def focused(browser: Chrome) -> str:
    """The label of the element with the keyboard focus."""
    return str(wait(browser, lambda b: b.switch_to.active_element.get_attribute("aria-label")))
