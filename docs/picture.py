"""Write docs/page.png, a screenshot of the demo's page in Debian's chromium.

Run `make demo` first, then `python -m docs.picture`.
"""

from pathlib import Path

from selenium.webdriver import Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.pages.browser import chromium, resize

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "results/demo_report.html"
WIDTH, HEIGHT = 1180, 660


def main() -> None:
    with chromium() as browser:
        resize(browser, WIDTH, HEIGHT)
        browser.get(PAGE.as_uri())
        wait = WebDriverWait(browser, 20)
        browser.find_element(By.CSS_SELECTOR, "#search-text").send_keys("looping ring", Keys.ENTER)
        browser.execute_script("document.querySelector('#search').scrollIntoView()")
        wait.until(lambda b: b.find_elements(By.CSS_SELECTOR, "article svg"))
        browser.find_element(By.CSS_SELECTOR, ".bar.detection").click()
        browser.execute_script("const v = document.querySelector('#player video'); v.pause(); v.controls = false")
        wait.until(lambda b: b.execute_script("return document.querySelector('#player video').readyState") > 2)
        browser.execute_script("document.querySelectorAll('#hint, .cursor').forEach(e => e.style.display = 'none')")
        browser.save_screenshot(str(ROOT / "docs/page.png"))


if __name__ == "__main__":
    main()
