"""A headless Chromium for tests of the page: Debian's, with the driver that comes with it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

# What a machine that must run these tests sets; elsewhere they are skipped where there is no browser.
REQUIRED = "CLIP_AE_BROWSER_REQUIRED"
WORDS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")


@contextmanager
def chromium() -> Iterator[webdriver.Chrome]:
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        missing = "needs Debian's chromium and chromium-driver"
        pytest.fail(missing) if os.environ.get(REQUIRED) else pytest.skip(missing)
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for word in WORDS:
        options.add_argument(word)
    opened = webdriver.Chrome(service=Service(driver), options=options)
    try:
        yield opened
    finally:
        opened.quit()


def resize(browser: webdriver.Chrome, width: int, height: int, *, phone: bool = False) -> None:
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def prefer(browser: webdriver.Chrome, theme: str, *, medium: str = "") -> None:
    """What the system says about light and dark, on a screen or as on paper ("print")."""
    feature = {"name": "prefers-color-scheme", "value": theme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": medium, "features": [feature]})
