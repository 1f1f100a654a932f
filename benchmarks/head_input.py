"""Effect of each part of CAF and CCP on attention, on the simulated benchmark.

python -m benchmarks.head_input [FOLDER [RUN...]]     runs of results/simulated or FOLDER: means over seeds, last rounds

P is the projection of the front end. Share: RMS of P's output for one part, divided by the RMS of the stream's
features; each minus its mean over the video. Follows: ROC AUC in % of attention, inside against outside actions
(50 = chance). Row `nothing`: all parts are kept. Other rows: one part is removed (its columns of P are set to 0).
Only the first 60 test videos are used.
"""

import copy
import json
import statistics
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.measure import ROOT
from benchmarks.methods import SIMULATED_DATASET
from benchmarks.sounds import mask_events
from clip_ae.core.config.simulation import SimulatedWorld
from clip_ae.core.timeline import SnippetGrid
from clip_ae.data.streams import read_streams
from clip_ae.localizers.feature_table import FeatureTable
from clip_ae.localizers.front_end import FusionFrontEnd, StreamFrontEnd
from clip_ae.localizers.inference import predict_video
from clip_ae.localizers.localizer import Localizer
from clip_ae.localizers.model_state import read_localizer_config, restore_localizer
from clip_ae.provenance.run_folder import TrainedRun
from clip_ae.scoring.curve_auc import compute_roc_auc
from clip_ae.weights.network_file import read_weights, read_weights_metadata
from clip_ae.worlds.simulated_events import SimulatedVideo, plan_videos

VIDEOS = 60
NO_COLUMNS = slice(0, 0)
CBP_STREAMS = ("rgb", "flow")


def main(dataset: Path, runs: list[str]) -> None:
    spec = json.loads((dataset / "world/manifest.json").read_text())["provenance"]["spec"]
    world, grid = SimulatedWorld(**spec["world"]), SnippetGrid(**spec["grid"])
    videos = {v.video_id: v for v in plan_videos(world) if v.subset == "validation"}
    torch.set_num_threads(1)
    print(f"{'run':20} {'without':10} {'follows actions':>16} {'share of rgb':>15} {'share of flow':>16}")
    for run in runs or sorted(path.name for path in (dataset / "runs").iterdir()):
        results = [measure_parts(model, dataset, videos, grid) for model in list_models(dataset / "runs" / run)]
        for part in results[0] if results else ():
            follows, *part_shares = (
                statistics.fmean(values) for values in zip(*(seed[part] for seed in results), strict=True)
            )
            shares_text = "".join(f"{share:16.2f}" for share in part_shares)
            print(f"{run:20} {part:10} {100 * follows:16.1f} {shares_text}", flush=True)


def list_models(run: Path) -> Iterator[Path]:
    """Paths of the models behind the detections of each seed; methods without a front end are skipped."""
    for detections in sorted(run.glob("seed-*/detections.json")):
        model = TrainedRun(detections.parent).model_path
        localizer_config = read_weights_metadata(model)["localizer_config"]
        if localizer_config.get("caf") or localizer_config.get("ccp"):
            yield model


def measure_parts(
    model: Path, dataset: Path, videos: Mapping[str, SimulatedVideo], grid: SnippetGrid
) -> dict[str, tuple[float, ...]]:
    """For each part: how well attention follows actions without it, and its share in each stream."""
    file = read_weights(model)
    localizer = restore_localizer(file.tensors, file.metadata, "cpu")
    shards = len(list((dataset / "features/rgb").glob("*.parquet")))
    streams = read_streams(dataset / "features", read_localizer_config(file.metadata).roles, shards, set(videos))
    feature_table = FeatureTable(streams, "cpu")
    results: dict[str, tuple[float, ...]] = {
        "nothing": (measure_attention_auc(localizer, feature_table, videos, grid),)
    }
    for part in find_columns(localizer, "rgb"):
        part_shares = (statistics.fmean(compute_shares(localizer, feature_table, part, name)) for name in CBP_STREAMS)
        results[part] = (measure_attention_auc(remove_part(localizer, part), feature_table, videos, grid), *part_shares)
    return results


def front_end(localizer: Localizer, stream: str) -> StreamFrontEnd:
    if not isinstance(localizer.front_end, FusionFrontEnd):
        raise TypeError("the localizer has no front end")
    return localizer.front_end.streams[stream]


def find_columns(localizer: Localizer, stream: str) -> dict[str, slice]:
    """P's columns of each part, in the order in which the front end concatenates them."""
    stream_front_end = front_end(localizer, stream)
    names = (
        ["chi_v"] * bool(stream_front_end.caf)
        + ["chi_a"] * stream_front_end.uses_audio
        + ["Z_CBP", "Z_VLP"] * bool(stream_front_end.ccp)
    )
    width = stream_front_end.projection.in_features // len(names)
    return {name: slice(k * width, (k + 1) * width) for k, name in enumerate(names)}


def remove_part(localizer: Localizer, part: str) -> Localizer:
    localizer_without_part = copy.deepcopy(localizer)
    for name in CBP_STREAMS:
        front_end(localizer_without_part, name).projection.weight.data[
            :, find_columns(localizer_without_part, name).get(part, NO_COLUMNS)
        ] = 0.0
    return localizer_without_part


@torch.inference_mode()
def compute_shares(localizer: Localizer, feature_table: FeatureTable, part: str, stream: str) -> Iterator[float]:
    """Spread of a part's output relative to that of the stream's features, for each video."""
    stream_front_end = front_end(localizer, stream)
    part_columns = find_columns(localizer, stream).get(part, NO_COLUMNS)
    weight = stream_front_end.projection.weight[:, part_columns]
    for video in feature_table.video_ids[:VIDEOS]:
        batch = next(feature_table.full_video_batches(video))
        x, mask = batch.features[stream], batch.masks[stream]
        inputs_of_p: list[Tensor] = []
        hook = stream_front_end.projection.register_forward_pre_hook(
            lambda _, inputs, saved=inputs_of_p: saved.append(inputs[0])
        )
        stream_front_end(x, batch, mask)
        hook.remove()
        yield compute_spread(inputs_of_p[0][..., part_columns] @ weight.T) / compute_spread(x)


def compute_spread(x: Tensor) -> float:
    """Root mean square of [1, T, D], after subtracting the mean over T."""
    return float((x - x.mean(dim=1, keepdim=True)).square().mean().sqrt())


def measure_attention_auc(
    localizer: Localizer, feature_table: FeatureTable, videos: Mapping[str, SimulatedVideo], grid: SnippetGrid
) -> float:
    results = []
    for video in feature_table.video_ids[:VIDEOS]:
        attention = predict_video(localizer, feature_table, video, stream_weights={}).attention
        inside_mask = mask_events(videos[video].actions, len(attention), grid)
        if inside_mask.any() and not inside_mask.all():
            results.append(compute_roc_auc(attention[inside_mask], attention[~inside_mask]))
    return statistics.fmean(results)


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if sys.argv[1:] else ROOT / "results" / SIMULATED_DATASET
    main(folder, sys.argv[2:])
