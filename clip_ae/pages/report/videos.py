"""What the page's script draws: every video's actions and curves, in few bytes.

{"labels": [[class, cluster or null], ...], "colours": {class: colour},
 "videos": [{"id", "file" (from the page, or null), "seconds", "ap" (or null), "all" (detections that there are),
             "truth": [[label, start, stop], ...], "found": [[label, score, start, stop], ...], the best first,
             "first", "step": seconds of a curve's first point, and from one to the next,
             "attention": curve, "activation": {label: curve}, "loudness": curve or null}, ...],
 "texts": what a search finds, where there is one (pages/report/search.py)}

A label is a place in the list of labels. A curve is base64 of a byte a point, 255 for 1.
"""

import base64
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Detection, Instance
from clip_ae.pages import charts
from clip_ae.pages.report import search

# The page stays below 8 MB up to 5,000 videos, ActivityNet's: so many detections and points of curves in all, ...
MAX_DETECTIONS, MAX_POINTS = 100_000, 2_500_000
# ... where moments take the room of points, ...
POINTS_PER_MOMENT = 20
# ... and never more of one video than its picture can show.
MAX_VIDEO_DETECTIONS, MAX_VIDEO_POINTS, MAX_VIDEO_ACTIVATIONS = 200, 600, 3
# A room's noise, in dB of full scale, is where loudness begins.
MIN_LOUDNESS_DB = -60.0
PageLabel = tuple[str, str | None]


@dataclass(frozen=True)
class VideoEntry:
    """One video, as it is known. Detections have their own labels, clusters where classes were not told."""

    video_id: str
    duration: float
    attention: Sequence[float]
    activation: Mapping[str, Sequence[float]]
    detections: Sequence[Detection] = ()
    ground_truth: Sequence[Instance] = ()
    loudness: Sequence[float | None] | None = None
    ap: float | None = None
    file: str | None = None


def build_page_data(
    videos: Sequence[VideoEntry],
    cluster_names: Mapping[str, str],
    grid: SnippetGrid,
    moments: search.MomentsByText | None = None,
) -> str:
    """The JSON text; names are the classes of clusters, where there are any."""
    labels = _labels(videos, cluster_names)
    place = {label: i for i, label in enumerate(labels)}
    keep = min(MAX_VIDEO_DETECTIONS, max(1, MAX_DETECTIONS // max(1, len(videos))))
    texts = search.pack_moments(moments, [v.video_id for v in videos]) if moments else []
    room = MAX_POINTS - POINTS_PER_MOMENT * sum(len(found) for _, found in texts)
    points = min(MAX_VIDEO_POINTS, max(20, room // (max(1, len(videos)) * (2 + MAX_VIDEO_ACTIVATIONS))))

    def of(label: str) -> int:
        return place[_named(label, cluster_names)]

    packed = [
        {
            **_curves(v, grid, points, of),
            "id": v.video_id,
            "file": v.file,
            "seconds": round(v.duration, 2),
            "ap": None if v.ap is None else round(v.ap, 4),
            "all": len(v.detections),
            "truth": [[place[i.label, None], round(i.start, 2), round(i.stop, 2)] for i in v.ground_truth],
            "found": [
                [of(d.label), float(f"{d.score:.4g}"), round(d.start, 2), round(d.stop, 2)]
                for d in sorted(v.detections, key=lambda d: -d.score)[:keep]
            ],
        }
        for v in videos
    ]
    colours = charts.assign_colours(sorted({name for name, _ in labels}))
    content = {"labels": labels, "colours": colours, "videos": packed, **({"texts": texts} if texts else {})}
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def render_timelines(videos: Sequence[VideoEntry], *, with_search: bool = False) -> str:
    """The controls and the places that the script fills; `searched` where there are moments to search."""
    orders = {"name": "name", "longest": "longest first"}
    if any(v.ap is not None for v in videos):
        orders |= {"worst": "worst first (AP)", "best": "best first (AP)"}
    order = "".join(f'<option value="{value}">{words}</option>' for value, words in orders.items())
    marks = '<span><i class="truth"></i>annotated</span>' if any(v.ground_truth for v in videos) else ""
    return (
        "<noscript><p>Timelines are drawn by the page's script, which is switched off here.</p></noscript>"
        f'<form class="controls" id="controls" hidden>{search.render_search_box() if with_search else ""}'
        '<label>video <input id="search" type="search" placeholder="part of its name"></label>'
        '<label>class <select id="class"><option value="">all</option></select></label>'
        f'<label>order <select id="order">{order}</select></label>'
        '<label class="wide">score <input id="score" type="range" min="0" max="1000" value="0"></label>'
        '<output id="told" for="search class order score" aria-live="polite"></output></form>'
        f'<p class="legend">{marks}<span><i class="found"></i>found, the fainter the lower its score</span>'
        f"{search.render_search_legend() if with_search else ''}</p>"
        '<div id="list"></div>'
        '<aside id="player" aria-label="video" hidden><header><b></b><button type="button">Close</button></header>'
        '<video controls playsinline preload="metadata"></video><p class="note" role="status"></p>'
        '<label hidden>folder of the videos <input type="file" webkitdirectory multiple></label></aside>'
        '<div id="hint" aria-hidden="true" hidden></div>'
    )


def _labels(videos: Sequence[VideoEntry], names: Mapping[str, str]) -> list[PageLabel]:
    """Annotated classes, then what detections and curves carry."""
    classes: list[PageLabel] = [(name, None) for name in sorted({i.label for v in videos for i in v.ground_truth})]
    carried = {label for v in videos for label in (*(d.label for d in v.detections), *v.activation)}
    return list(dict.fromkeys([*classes, *(_named(label, names) for label in sorted(carried))]))


def _named(label: str, names: Mapping[str, str]) -> PageLabel:
    """A class that was told is named by itself."""
    name = names.get(label, label)
    return (name, None if name == label else label)


def _curves(video: VideoEntry, grid: SnippetGrid, points: int, of: Callable[[str], int]) -> dict[str, Any]:
    """At most so many points: of neighbours the highest, as peaks are what detections are made of."""
    chunk = max(1, math.ceil(len(video.attention) / points))
    strongest = sorted(video.activation, key=lambda name: -max(video.activation[name]))[:MAX_VIDEO_ACTIVATIONS]
    return {
        "first": round(grid.centre((chunk - 1) / 2), 4),
        "step": round(chunk * grid.stride_s, 4),
        "attention": encode_curve(video.attention, chunk),
        "activation": {of(name): encode_curve(video.activation[name], chunk) for name in strongest},
        "loudness": encode_curve([_level(v) for v in video.loudness], chunk) if video.loudness else None,
    }


def encode_curve(values: Sequence[float], chunk: int = 1) -> str:
    """Values in 0 ... 1, a byte for each chunk of them."""
    highest = (max(values[k : k + chunk]) for k in range(0, len(values), chunk))
    return base64.b64encode(bytes(round(255 * min(1.0, max(0.0, v))) for v in highest)).decode()


def _level(loudness: float | None) -> float:
    return 0.0 if loudness is None else 1 - max(loudness, MIN_LOUDNESS_DB) / MIN_LOUDNESS_DB
