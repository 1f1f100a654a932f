"""What CAF and CCP feed the head on the simulated benchmark, and what attention does without each part of it.

python -m benchmarks.head_input [FOLDER [RUN...]]     runs of results/simulated, or another, means over seeds, last rounds

Fed: root mean square over snippets of P(part), beside that of the stream's own features; all less their mean over the
video. Follows: how likely attention is higher within actions than outside, 50 % by chance; with everything, and with
P's columns of the part at 0.
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
from benchmarks.methods import BASE
from benchmarks.sounds import likely_higher, within
from clip_ae.core.config.methods import I3D_STREAMS
from clip_ae.core.config.simulation import SimulatedWorld
from clip_ae.core.timeline import SnippetGrid
from clip_ae.data.streams import read_streams
from clip_ae.localizers.feature_table import FeatureTable
from clip_ae.localizers.front_end import FusionFrontEnd, StreamFrontEnd
from clip_ae.localizers.inference import predict_video
from clip_ae.localizers.localizer import Localizer
from clip_ae.localizers.model_state import restore_localizer
from clip_ae.weights.network_file import read_weights
from clip_ae.worlds.simulated_events import SimulatedVideo, plan_videos

VIDEOS = 60
NONE = slice(0, 0)


def main(dataset: Path, runs: list[str]) -> None:
    spec = json.loads((dataset / "world/manifest.json").read_text())["provenance"]["spec"]
    world, grid = SimulatedWorld(**spec["world"]), SnippetGrid(**spec["grid"])
    videos = {v.video_id: v for v in plan_videos(world) if v.subset == "validation"}
    torch.set_num_threads(1)
    print(f"{'run':20} {'without':10} {'follows actions':>16} {'fed beside rgb':>15} {'fed beside flow':>16}")
    for run in runs or sorted(path.name for path in (dataset / "runs").iterdir()):
        found = [measured(model, dataset, videos, grid) for model in models(dataset / "runs" / run)]
        for part in found[0] if found else ():
            follows, *fed = (statistics.fmean(values) for values in zip(*(seed[part] for seed in found), strict=True))
            shown = "".join(f"{share:16.2f}" for share in fed)
            print(f"{run:20} {part:10} {100 * follows:16.1f} {shown}", flush=True)


def models(run: Path) -> Iterator[Path]:
    """The last round's, of every seed; those of methods without a front end are passed over."""
    for seed in sorted(run.glob("seed-*")):
        *_, last = sorted(seed.glob("round-*/model.safetensors"))
        blueprint = read_weights(last).metadata["localizer_config"]
        if blueprint.get("caf") or blueprint.get("ccp"):
            yield last


def measured(
    model: Path, dataset: Path, videos: Mapping[str, SimulatedVideo], grid: SnippetGrid
) -> dict[str, tuple[float, ...]]:
    """By part: how well attention follows actions without it, and how much it feeds each stream."""
    file = read_weights(model)
    localizer = restore_localizer(file.tensors, file.metadata, "cpu")
    shards = len(list((dataset / "features/rgb").glob("*.parquet")))
    streams = read_streams(dataset / "features", tuple(file.metadata["localizer_config"]["dims"]), shards, set(videos))
    library = FeatureTable(streams, "cpu")
    found: dict[str, tuple[float, ...]] = {"nothing": (followed(localizer, library, videos, grid),)}
    for part in columns(localizer, "rgb"):
        fed = (statistics.fmean(shares(localizer, library, part, name)) for name in I3D_STREAMS)
        found[part] = (followed(without(localizer, part), library, videos, grid), *fed)
    return found


def front_end(localizer: Localizer, stream: str) -> StreamFrontEnd:
    assert isinstance(localizer.front_end, FusionFrontEnd)
    return localizer.front_end.streams[stream]


def columns(localizer: Localizer, stream: str) -> dict[str, slice]:
    """P's columns of each part, in the order in which the front end puts them side by side."""
    front = front_end(localizer, stream)
    names = ["chi_v"] * bool(front.caf) + ["chi_a"] * front.uses_audio + ["Z_CBP", "Z_VLP"] * bool(front.ccp)
    width = front.projection.in_features // len(names)
    return {name: slice(k * width, (k + 1) * width) for k, name in enumerate(names)}


def without(localizer: Localizer, part: str) -> Localizer:
    changed = copy.deepcopy(localizer)
    for name in I3D_STREAMS:
        front_end(changed, name).projection.weight.data[:, columns(changed, name).get(part, NONE)] = 0.0
    return changed


@torch.inference_mode()
def shares(localizer: Localizer, library: FeatureTable, part: str, stream: str) -> Iterator[float]:
    """What a part feeds beside the stream's features, a video at a time."""
    front = front_end(localizer, stream)
    place = columns(localizer, stream).get(part, NONE)
    weight = front.projection.weight[:, place]
    for video in library.video_ids[:VIDEOS]:
        batch = library.full_video_batch(video)
        x, seen = batch.features[stream], batch.masks[stream]
        caught: list[Tensor] = []
        hook = front.projection.register_forward_pre_hook(lambda _, inputs, kept=caught: kept.append(inputs[0]))
        front(x, batch, seen)
        hook.remove()
        yield spread(caught[0][..., place] @ weight.T) / spread(x)


def spread(x: Tensor) -> float:
    """Root mean square of [1, T, D], less the mean over T."""
    return float((x - x.mean(dim=1, keepdim=True)).square().mean().sqrt())


def followed(
    localizer: Localizer, library: FeatureTable, videos: Mapping[str, SimulatedVideo], grid: SnippetGrid
) -> float:
    found = []
    for video in library.video_ids[:VIDEOS]:
        attention = predict_video(localizer, library, video, rgb_weight=0.5).attention
        inside = within(videos[video].actions, len(attention), grid)
        if inside.any() and not inside.all():
            found.append(likely_higher(attention, inside))
    return statistics.fmean(found)


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if sys.argv[1:] else ROOT / "results" / BASE
    main(folder, sys.argv[2:])
