"""What sound does on the simulated benchmark, for videos of each kind of sound: scores, and where attention goes.

python -m benchmarks.sounds [FOLDER]     every run of results/simulated, or another, means over seeds and test videos

AP: mean over the kind's classes and tIoU. Follows: how likely attention is higher within actions (within sounds) than
outside, 50 % by chance.
"""

import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import ROOT
from benchmarks.methods import BASE
from clip_ae.core.config.simulation import SimulatedWorld
from clip_ae.core.timeline import SnippetGrid
from clip_ae.data.parquet import read_rows
from clip_ae.worlds.simulated_events import (
    Event,
    SimulatedVideo,
    draw_class_properties,
    get_annotated_labels,
    plan_videos,
)

ALL, SILENT = "all", "no audio"
KINDS = ("marks extents", "at any time", "none", SILENT, ALL)


def main(dataset: Path) -> None:
    spec = json.loads((dataset / "world/manifest.json").read_text())["provenance"]["spec"]
    world, grid = SimulatedWorld(**spec["world"]), SnippetGrid(**spec["grid"])
    videos = {v.video_id: v for v in plan_videos(world)}
    print(f"{'run':20} {'sound':14} {'AP':>6} {'follows actions':>16} {'follows sounds':>15}")
    for run in sorted(path for path in dataset.glob("runs/*") if list(path.glob("seed-*/map.json"))):
        ap, (actions, sounds) = precision(world, run), followed(world, videos, run, grid)
        for kind in KINDS:
            figures = f"{ap[kind]:6.1f} {actions[kind]:16.0f} {sounds[kind]:15.0f}"
            print(f"{run.name:20} {kind:14} {figures}", flush=True)


def kind_of(world: SimulatedWorld, action: int) -> str:
    if action in draw_class_properties(world).helpful_audio:
        return KINDS[0]
    return KINDS[1] if action in draw_class_properties(world).misleading_audio else KINDS[2]


def precision(world: SimulatedWorld, run: Path) -> dict[str, float]:
    found: dict[str, list[float]] = defaultdict(list)
    for path in run.glob("seed-*/map.json"):
        by_class = json.loads(path.read_text())["per_class"]
        for action in range(world.classes):
            for kind in (kind_of(world, action), ALL):
                found[kind] += by_class[get_annotated_labels(world, action)[0]].values()
    return percent(found)


def followed(
    world: SimulatedWorld, videos: Mapping[str, SimulatedVideo], run: Path, grid: SnippetGrid
) -> list[dict[str, float]]:
    """Of actions, then of sounds."""
    found: dict[str, dict[str, list[float]]] = {"actions": defaultdict(list), "sounds": defaultdict(list)}
    for video_id, attention in (pair for path in run.glob("seed-*/curves.parquet") for pair in curves(path)):
        video = videos[video_id]
        for name, by_kind in found.items():
            inside = within(getattr(video, name), len(attention), grid)
            if inside.any() and not inside.all() and not (video.mute and name == "sounds"):
                for kind in (SILENT if video.mute else kind_of(world, video.main_class), ALL):
                    by_kind[kind].append(likely_higher(attention, inside))
    return [percent(by_kind) for by_kind in found.values()]


def curves(path: Path) -> Iterator[tuple[str, NDArray[np.float64]]]:
    by_video = defaultdict(list)
    for row in read_rows(path):
        by_video[row["video_id"]].append((row["snippet"], row["attention"]))
    for video_id, pairs in by_video.items():
        yield video_id, np.array([attention for _, attention in sorted(pairs)])


def within(events: Sequence[Event], snippets: int, grid: SnippetGrid) -> NDArray[np.bool_]:
    centres = grid.centre(0) + grid.stride_s * np.arange(snippets)
    return np.array([(e.start <= centres) & (centres < e.stop) for e in events]).reshape(-1, snippets).any(axis=0)


def likely_higher(values: NDArray[np.float64], inside: NDArray[np.bool_]) -> float:
    """Area under the ROC curve."""
    from scipy.stats import mannwhitneyu

    pairs = inside.sum() * (~inside).sum()
    return float(mannwhitneyu(values[inside], values[~inside]).statistic / pairs)


def percent(found: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {kind: 100 * statistics.fmean(found[kind]) if found.get(kind) else np.nan for kind in KINDS}


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "results" / BASE)
