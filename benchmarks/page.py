"""The report page with many videos in headless Chromium: file size, time of the first paint, time of a slider move.

python -m benchmarks.page      needs Debian's chromium and chromium-driver
"""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import print_result
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Detection, Instance
from clip_ae.pages.page import render_html_page
from clip_ae.pages.report.videos import VideoEntry, build_page_data, render_timelines
from tests.pages.browser import chromium, resize

GRID, CLASSES, SLIDER_MOVES = SnippetGrid(), 20, 40
# Times from a slider event to the second animation frame after it.
SLIDER_SCRIPT = """
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
        for num_videos in (500, 5000):
            path = Path(folder) / f"{num_videos}.html"
            path.write_text(render_page(num_videos))
            print_result(f"page of {num_videos} videos", path.stat().st_size / 1e6, "MB", goal=8)
            paints = [measure_first_paint(browser, path) for _ in range(5)]
            print_result(
                "   first paint, median of 5",
                statistics.median(paints) / 1000,
                "s",
                goal=1 if num_videos == 500 else None,
            )
            browser.execute_script("document.getElementById('videos').scrollIntoView()")
            time.sleep(1)
            slider_ms = browser.execute_async_script(SLIDER_SCRIPT % SLIDER_MOVES)
            print_result("   a move of the slider, median", statistics.median(slider_ms), "ms")


def measure_first_paint(browser: Any, path: Path) -> float:
    browser.get(path.as_uri())
    time.sleep(1)
    paint_ms = browser.execute_script("return performance.getEntriesByName('first-contentful-paint')[0].startTime")
    return float(paint_ms)


def render_page(num_videos: int) -> str:
    videos = [generate_video(k, np.random.default_rng(k)) for k in range(num_videos)]
    names = {f"cluster-{k:02d}": f"class {k}" for k in range(CLASSES)}
    return render_html_page(
        title="Actions",
        intro="drawn",
        sections={"Videos": render_timelines(videos)},
        data_json=build_page_data(videos, names, GRID),
        provenance="{}",
    )


def generate_video(index: int, rng: np.random.Generator) -> VideoEntry:
    """A video as in THUMOS14: minutes long, fifteen actions, two hundred detections of three clusters."""
    rows = int(rng.integers(150, 900))
    seconds, clusters = rows * GRID.stride_s, [f"cluster-{k:02d}" for k in rng.choice(CLASSES, 3, replace=False)]
    starts, lengths = rng.uniform(0, 0.9 * seconds, 200), rng.exponential(8, 200) + 1
    detections = [
        Detection("", clusters[k % 3], float(score), float(a), float(min(seconds, a + n)))
        for k, (score, a, n) in enumerate(zip(rng.random(200) ** 4, starts, lengths, strict=True))
    ]
    instances = [Instance(f"class {index % CLASSES}", float(a), float(a) + 5) for a in starts[:15]]
    activation = {name: rng.random(rows).tolist() for name in clusters}
    loudness = (-60 * rng.random(rows)).tolist()
    return VideoEntry(
        video_id=f"video_test_{index:07d}",
        duration=seconds,
        attention=rng.random(rows).tolist(),
        activation=activation,
        detections=detections,
        ground_truth=instances,
        loudness=loudness,
        ap=0.5,
        file="v.mp4",
    )


if __name__ == "__main__":
    main()
