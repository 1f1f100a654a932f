"""The report's page with many videos, in headless Chromium: its size, its first paint, a turn of its slider.

python -m benchmarks.page      needs Debian's chromium and chromium-driver
"""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import tell
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Detection, Instance
from clip_ae.pages.page import render_html_page
from clip_ae.pages.report.videos import VideoEntry, build_page_data, render_timelines
from tests.pages.browser import chromium, resize

GRID, CLASSES, TURNS = SnippetGrid(), 20, 40
# From one redraw's request to the frame after it.
SLIDE = """
const done = arguments[0], slider = document.getElementById("score"), times = [];
function turn(k) {
  if (!k) return done(times);
  const start = performance.now();
  slider.value = 25 * k;
  slider.dispatchEvent(new Event("input", { bubbles: true }));
  requestAnimationFrame(() => requestAnimationFrame(() => { times.push(performance.now() - start); turn(k - 1); }));
}
turn(%d);
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        resize(browser, 1280, 900)
        for number in (500, 5000):
            path = Path(folder) / f"{number}.html"
            path.write_text(written(number))
            tell(f"page of {number} videos", path.stat().st_size / 1e6, "MB", 8)
            paints = [first_paint(browser, path) for _ in range(5)]
            tell("   first paint, median of 5", statistics.median(paints) / 1000, "s", 1 if number == 500 else None)
            browser.execute_script("document.getElementById('videos').scrollIntoView()")
            time.sleep(1)
            turns = browser.execute_async_script(SLIDE % TURNS)
            tell("   a turn of the slider, median", statistics.median(turns), "ms")


def first_paint(browser: Any, path: Path) -> float:
    browser.get(path.as_uri())
    time.sleep(1)
    found = browser.execute_script("return performance.getEntriesByName('first-contentful-paint')[0].startTime")
    return float(found)


def written(number: int) -> str:
    videos = [video(k, np.random.default_rng(k)) for k in range(number)]
    names = {f"cluster-{k:02d}": f"class {k}" for k in range(CLASSES)}
    return render_html_page(
        "Actions", "drawn", {"Videos": render_timelines(videos)}, build_page_data(videos, names, GRID), "{}"
    )


def video(number: int, rng: np.random.Generator) -> VideoEntry:
    """As THUMOS14's: minutes long, fifteen actions, two hundred detections of three clusters."""
    rows = int(rng.integers(150, 900))
    seconds, clusters = rows * GRID.stride_s, [f"cluster-{k:02d}" for k in rng.choice(CLASSES, 3, replace=False)]
    starts, lengths = rng.uniform(0, 0.9 * seconds, 200), rng.exponential(8, 200) + 1
    found = [
        Detection("", clusters[k % 3], float(score), float(a), float(min(seconds, a + n)))
        for k, (score, a, n) in enumerate(zip(rng.random(200) ** 4, starts, lengths, strict=True))
    ]
    truth = [Instance(f"class {number % CLASSES}", float(a), float(a) + 5) for a in starts[:15]]
    activation = {name: rng.random(rows).tolist() for name in clusters}
    levels = (-60 * rng.random(rows)).tolist()
    return VideoEntry(
        f"video_test_{number:07d}", seconds, rng.random(rows).tolist(), activation, found, truth, levels, 0.5, "v.mp4"
    )


if __name__ == "__main__":
    main()
