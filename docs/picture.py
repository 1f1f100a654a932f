"""Draw docs/demo.svg: a demo video's frames above its timeline.  python docs/picture.py [VIDEO_ID], after make demo."""

import base64
import json
import re
import sys
from pathlib import Path

import cv2
import numpy as np

from clip_ae.core.checks import load_config
from clip_ae.core.timeline import Grid
from clip_ae.core.types import Detection
from clip_ae.io.annotations import read_annotations
from clip_ae.io.config_file import read_config_file
from clip_ae.io.detections import read_detections
from clip_ae.io.parquet import read_rows
from clip_ae.pages import charts
from clip_ae.worlds import untrimmed

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "results/demo"
FRAMES, WIDTH, HEIGHT = 9, 88, 66
STYLE = """<style>
text { fill: #667085; font: 11px system-ui, sans-serif } .axis { stroke: #e3e5e8 }
.attention { fill: #98a2b3; fill-opacity: .35; stroke: #98a2b3 }
</style>"""


def main(video_id: str) -> None:
    demo = load_config(read_config_file(ROOT / "config.yaml")).datasets["demo"]
    world = demo.demo
    assert world is not None
    video = next(plan for plan in untrimmed.plan(world) if plan.video_id == video_id)
    run = DEMO / "runs" / demo.headline / f"seed-{demo.seeds[0]}"
    names = cluster_names(run / "map.json")
    truth = read_annotations(DEMO / "world/annotations.json")[video_id].instances
    found = [d for d in read_detections(run / "detections.json") if d.video_id == video_id]
    found = [Detection(d.video_id, names.get(d.label, d.label), d.score, d.start, d.stop) for d in found]
    strongest = sorted(found, key=lambda d: -d.score)[:6]
    rows = [row for row in read_rows(run / "curves.parquet") if row["video_id"] == video_id]
    attention = [(min(Grid().centre(row["snippet"]), video.seconds), row["attention"]) for row in rows]
    colour = charts.colours(sorted(action.label for action in untrimmed.ACTIONS))
    timeline = charts.timeline(video.seconds, truth, strongest, attention, colour)
    height = float(re.search(r'viewBox="0 0 \d+ ([\d.]+)"', timeline)[1]) + HEIGHT + 8  # type: ignore[index]
    inner = timeline[timeline.index(">") + 1 : timeline.rindex("<")]
    (ROOT / "docs/demo.svg").write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {charts.WIDTH} {height:g}">{STYLE}'
        f'<rect width="100%" height="100%" fill="white"/>{film(video)}'
        f'<g transform="translate(0 {HEIGHT + 8})">{inner}</g></svg>\n'
    )


def film(video: untrimmed.VideoPlan) -> str:
    """Frames at even times, each above its own time."""
    frames = list(untrimmed.frames(video))
    space = charts.WIDTH - charts.LEFT - 8
    parts = []
    for i in range(FRAMES):
        frame = frames[int((i + 0.5) / FRAMES * len(frames))]
        _, data = cv2.imencode(".jpg", np.ascontiguousarray(frame[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 85])
        link = "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()
        x = charts.LEFT + (i + 0.5) / FRAMES * space - WIDTH / 2
        parts.append(f'<image x="{x:.1f}" y="4" width="{WIDTH}" height="{HEIGHT}" href="{link}"/>')
    return "".join(parts)


def cluster_names(path: Path) -> dict[str, str]:
    mapping = json.loads(path.read_text(encoding="utf-8"))["mapping"]
    weights = mapping[mapping["headline"]]["weights"]
    return {cluster: max(classes, key=classes.get) for cluster, classes in weights.items() if classes}


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "demo_test_000")
