"""Effect of sound on the simulated benchmark, by the kind of sound: AP, and how attention follows actions and sounds.

python -m benchmarks.sounds [FOLDER]     all runs of results/simulated or FOLDER: means over seeds and test videos

AP: mean over the classes of the kind and over tIoU. Follows: probability in % that attention is higher inside an action
(inside a sound) than outside, 50 by chance.
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
from benchmarks.methods import SIMULATED_DATASET
from clip_ae.core.config.simulation import SimulatedWorld
from clip_ae.core.timeline import SnippetGrid
from clip_ae.data.parquet import read_rows
from clip_ae.scoring.curve_auc import compute_roc_auc, mask_snippets
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
        ap, (actions, sounds) = compute_ap(world, run), measure_attention_auc(world, videos, run, grid)
        for kind in KINDS:
            columns = f"{ap[kind]:6.1f} {actions[kind]:16.0f} {sounds[kind]:15.0f}"
            print(f"{run.name:20} {kind:14} {columns}", flush=True)


def find_sound_kind(world: SimulatedWorld, action: int) -> str:
    if action in draw_class_properties(world).helpful_audio:
        return KINDS[0]
    return KINDS[1] if action in draw_class_properties(world).misleading_audio else KINDS[2]


def compute_ap(world: SimulatedWorld, run: Path) -> dict[str, float]:
    values_by_kind: dict[str, list[float]] = defaultdict(list)
    for path in run.glob("seed-*/map.json"):
        by_class = json.loads(path.read_text())["per_class"]
        for action in range(world.classes):
            for kind in (find_sound_kind(world, action), ALL):
                values_by_kind[kind] += by_class[get_annotated_labels(world, action)[0]].values()
    return average_percent(values_by_kind)


def measure_attention_auc(
    world: SimulatedWorld, videos: Mapping[str, SimulatedVideo], run: Path, grid: SnippetGrid
) -> list[dict[str, float]]:
    """How attention follows actions, and how it follows sounds: percent by kind of sound."""
    values_by_kind: dict[str, dict[str, list[float]]] = {"actions": defaultdict(list), "sounds": defaultdict(list)}
    for video_id, attention in (pair for path in run.glob("seed-*/curves.parquet") for pair in read_attention(path)):
        video = videos[video_id]
        for name, values in values_by_kind.items():
            inside_mask = mask_events(getattr(video, name), len(attention), grid)
            if inside_mask.any() and not inside_mask.all() and not (video.mute and name == "sounds"):
                for kind in (SILENT if video.mute else find_sound_kind(world, video.main_class), ALL):
                    values[kind].append(compute_roc_auc(attention[inside_mask], attention[~inside_mask]))
    return [average_percent(values) for values in values_by_kind.values()]


def read_attention(path: Path) -> Iterator[tuple[str, NDArray[np.float64]]]:
    by_video = defaultdict(list)
    for row in read_rows(path):
        by_video[row["video_id"]].append((row["snippet"], row["attention"]))
    for video_id, pairs in by_video.items():
        yield video_id, np.array([attention for _, attention in sorted(pairs)])


def mask_events(events: Sequence[Event], snippets: int, grid: SnippetGrid) -> NDArray[np.bool_]:
    return mask_snippets([(e.start, e.stop) for e in events], snippets, grid)


def average_percent(values_by_kind: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {
        kind: 100 * statistics.fmean(values_by_kind[kind]) if values_by_kind.get(kind) else np.nan for kind in KINDS
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "results" / SIMULATED_DATASET)
