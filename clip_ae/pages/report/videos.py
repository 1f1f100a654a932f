"""The section Videos, and the data that the page's script draws: actions and curves of every video, in few bytes.

{"labels": [[class, cluster or null], ...], "colours": {class: colour},
 "videos": [{"id", "file" (path from the page, or null), "duration", "ap" (or null), "num_detections" (of the video),
             "ground_truth": [[label, start, stop], ...], "detections": [[label, score, start, stop], ...], best first,
             "first_time": time of a curve's first point, "time_step": from one point to the next,
             "attention": curve, "activation": {label: curve}, "loudness": curve or null}, ...],
 "texts": moments to search, if there are any (pages/report/search.py)}

Times are in seconds. A label is an index of `labels`. A curve is base64 of one byte a point, 255 for the value 1.
"""

import base64
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Detection, Instance
from clip_ae.pages import charts
from clip_ae.pages.report import search

# Limits for all videos together: the page is smaller than 8 MB up to 5,000 videos (ActivityNet), ...
MAX_DETECTIONS, MAX_POINTS = 100_000, 2_500_000
# ... a moment takes as many bytes as this number of points, ...
POINTS_PER_MOMENT = 20
# ... and limits for one video: more would not be visible.
MAX_VIDEO_DETECTIONS, MAX_VIDEO_POINTS, MAX_VIDEO_ACTIVATIONS = 200, 600, 3
# Loudness in dB of full scale that is drawn as 0: the noise of a quiet room.
MIN_LOUDNESS_DB = -60.0
PageLabel = tuple[str, str | None]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class VideoEntry:
    """One video of the page. The labels of detections and activations are clusters in unsupervised runs."""

    video_id: str
    duration: float
    attention: Floats
    activation: Mapping[str, Floats]
    detections: Sequence[Detection] = ()
    ground_truth: Sequence[Instance] = ()
    loudness: Sequence[float | None] | None = None
    ap: float | None = None
    file: str | None = None


@dataclass(frozen=True)
class _PackLimits:
    """Detections and curve points of one video, at most."""

    detections: int
    points: int


def build_page_data(
    videos: Sequence[VideoEntry],
    cluster_names: Mapping[str, str],
    grid: SnippetGrid,
    moments: search.MomentsByText | None = None,
) -> str:
    """The JSON text of the page's data; cluster_names are class names of clusters."""
    labels = _list_labels(videos, cluster_names)
    label_index = {label: i for i, label in enumerate(labels)}
    texts = search.pack_moments(moments, [v.video_id for v in videos]) if moments else []
    limits = _compute_limits(len(videos), sum(len(text_moments) for _, text_moments in texts))
    content = {
        "labels": labels,
        "colours": charts.assign_colours(sorted({name for name, _ in labels})),
        "videos": [_pack_video(video, grid, limits, label_index, cluster_names) for video in videos],
        **({"texts": texts} if texts else {}),
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _compute_limits(num_videos: int, num_moments: int) -> _PackLimits:
    num_videos = max(1, num_videos)
    max_points = MAX_POINTS - POINTS_PER_MOMENT * num_moments
    # Attention and loudness are two curves more.
    num_curves = 2 + MAX_VIDEO_ACTIVATIONS
    return _PackLimits(
        detections=min(MAX_VIDEO_DETECTIONS, max(1, MAX_DETECTIONS // num_videos)),
        points=min(MAX_VIDEO_POINTS, max(20, max_points // (num_videos * num_curves))),
    )


def _pack_video(
    video: VideoEntry,
    grid: SnippetGrid,
    limits: _PackLimits,
    label_index: Mapping[PageLabel, int],
    cluster_names: Mapping[str, str],
) -> dict[str, Any]:
    def get_index(label: str) -> int:
        return label_index[_make_label(label, cluster_names)]

    best_detections = sorted(video.detections, key=lambda d: -d.score)[: limits.detections]
    curves = _pack_curves(video, grid, limits.points)
    return {
        **curves,
        "activation": {get_index(name): curve for name, curve in curves["activation"].items()},
        "id": video.video_id,
        "file": video.file,
        "duration": round(video.duration, 2),
        "ap": None if video.ap is None else round(video.ap, 4),
        "num_detections": len(video.detections),
        "ground_truth": [[label_index[i.label, None], round(i.start, 2), round(i.stop, 2)] for i in video.ground_truth],
        "detections": [
            [get_index(d.label), float(f"{d.score:.4g}"), round(d.start, 2), round(d.stop, 2)] for d in best_detections
        ],
    }


def _pack_curves(video: VideoEntry, grid: SnippetGrid, max_points: int) -> dict[str, Any]:
    """Curves of at most max_points: each point is the maximum of a chunk of snippets, because peaks make detections."""
    chunk = max(1, math.ceil(len(video.attention) / max_points))
    strongest = sorted(video.activation, key=lambda name: -np.max(video.activation[name]))[:MAX_VIDEO_ACTIVATIONS]
    return {
        "first_time": round(grid.centre((chunk - 1) / 2), 4),
        "time_step": round(chunk * grid.stride_s, 4),
        "attention": encode_curve(video.attention, chunk),
        "activation": {name: encode_curve(video.activation[name], chunk) for name in strongest},
        "loudness": encode_curve(_scale_loudness(video.loudness), chunk) if video.loudness else None,
    }


def encode_curve(values: ArrayLike, chunk: int = 1) -> str:
    """Base64 of values in 0 ... 1: one byte for each chunk, its maximum."""
    curve = np.nan_to_num(np.asarray(values, np.float64), nan=0.0)
    maxima = np.maximum.reduceat(curve, np.arange(0, len(curve), chunk)) if len(curve) else curve
    return base64.b64encode(np.rint(255 * np.clip(maxima, 0, 1)).astype(np.uint8).tobytes()).decode()


def _scale_loudness(loudness: Sequence[float | None]) -> Floats:
    """Loudness in dB of full scale as 0 ... 1; 0 where there is no sound."""
    # None becomes nan.
    levels = np.asarray(loudness, np.float64)
    return np.where(np.isnan(levels), 0.0, 1 - np.maximum(levels, MIN_LOUDNESS_DB) / MIN_LOUDNESS_DB)


def _list_labels(videos: Sequence[VideoEntry], cluster_names: Mapping[str, str]) -> list[PageLabel]:
    """Annotated classes, then the labels of detections and activations."""
    classes: list[PageLabel] = [(name, None) for name in sorted({i.label for v in videos for i in v.ground_truth})]
    run_labels = {label for v in videos for label in (*(d.label for d in v.detections), *v.activation)}
    return list(dict.fromkeys([*classes, *(_make_label(label, cluster_names) for label in sorted(run_labels))]))


def _make_label(label: str, cluster_names: Mapping[str, str]) -> PageLabel:
    """Class and cluster of a label; no cluster if the label is a class, or a cluster without a class name."""
    name = cluster_names.get(label, label)
    return (name, None if name == label else label)


def render_timelines(videos: Sequence[VideoEntry], *, with_search: bool = False) -> str:
    """HTML of the section: controls, and empty elements that the script fills; with_search adds the search box."""
    annotated = '<span><i class="annotation"></i>annotated</span>' if any(v.ground_truth for v in videos) else ""
    return (
        "<noscript><p>The timelines need JavaScript, which is off in this browser.</p></noscript>"
        f"{_render_controls(_list_orders(videos), with_search=with_search)}"
        f'<p class="legend">{annotated}<span><i class="detection"></i>detected; paler means a lower score</span>'
        f"{search.render_search_legend() if with_search else ''}</p>"
        '<div id="list"></div>'
        '<aside id="player" aria-label="video player" hidden>'
        '<header><b></b><button type="button">Close</button></header>'
        '<video controls playsinline preload="metadata"></video><p class="note" role="status"></p>'
        '<label hidden>folder of the videos <input type="file" webkitdirectory multiple></label></aside>'
        '<div id="hint" aria-hidden="true" hidden></div>'
    )


def _list_orders(videos: Sequence[VideoEntry]) -> dict[str, str]:
    """Orders of the list, by the value that the script uses; orders by AP only if a video has one."""
    orders = {"name": "name", "longest": "longest first"}
    if any(v.ap is not None for v in videos):
        orders |= {"worst": "lowest AP first", "best": "highest AP first"}
    return orders


def _render_controls(orders: Mapping[str, str], *, with_search: bool) -> str:
    options = "".join(f'<option value="{value}">{text}</option>' for value, text in orders.items())
    return (
        f'<form class="controls" id="controls" hidden>{search.render_search_box() if with_search else ""}'
        '<label>video <input id="search" type="search" placeholder="part of its name"></label>'
        '<label>class <select id="class"><option value="">all</option></select></label>'
        f'<label>order <select id="order">{options}</select></label>'
        '<label class="wide">score <input id="score" type="range" min="0" max="1000" value="0"></label>'
        '<output id="filter-summary" for="search class order score" aria-live="polite"></output></form>'
    )
