"""CLIP-AE on variants of the simulated benchmark. A second call continues from the workflow's results.

python -m benchmarks.methods --sweep      one key of the world, or one interpretation of the paper, at a time
python -m benchmarks.methods --paper      features, T, d and steps as published, for a GPU
"""

import copy
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from benchmarks.measure import BIN, ROOT, print_result
from clip_ae.workflow.config_files import read_config

Tree = dict[str, Any]
SNAKEMAKE_OPTIONS = ("--nolock", "--rerun-incomplete", "--keep-going", "--quiet", "rules", "host")
SIMULATED_DATASET = "simulated"
# Changes of the world with the runs that they can affect: only CAF reads audio, only CCP reads CLIP features. A change
# of one stream leaves the layout and the other streams bit-identical. The first entry is the unchanged world.
AUDIO_RUNS, CLIP_RUNS, ALL_RUNS = ("caf", "clip_ae"), ("ccp", "clip_ae"), ("ugct", "caf", "ccp", "clip_ae")
WORLD_CHANGES: tuple[tuple[Tree, tuple[str, ...]], ...] = (
    ({}, ALL_RUNS),
    ({"audio_missing": 1.0}, AUDIO_RUNS),
    ({"audio_helpful": 0.0}, AUDIO_RUNS),
    ({"audio_misleading": 0.5}, AUDIO_RUNS),
    ({"audio_helpful": 1.0, "audio_misleading": 0.0, "audio_agreement": 1.0, "audio_missing": 0.0}, AUDIO_RUNS),
    ({"clip_extent": 0.7}, CLIP_RUNS),
    ({"clip_extent": 0.45}, CLIP_RUNS),
    ({"clip_confusion": 0.5}, CLIP_RUNS),
    ({"i3d_outer": 0.6}, ALL_RUNS),
    ({"seed": 1}, ALL_RUNS),
)
# What the paper leaves open: each entry changes the run `clip_ae`, on the default world.
INTERPRETATIONS: Mapping[str, Tree] = {
    "caf-num-layers-1": {"caf": {"num_layers": 1}},
    "caf-scale-20": {"caf": {"scale": 20.0}},
    "caf-layer-norm": {"caf": {"layer_norm": True}},
    "caf-normalized-values": {"caf": {"normalized_values": True}},
    "caf-audio-to-rgb": {"caf": {"audio_to": "first"}},
    "ccp-shared-qk": {"ccp": {"shared_qk": True}},
    "ccp-residual": {"ccp": {"residual": True}},
    "fusion-input-residual": {"fusion_input": "residual"},
    "fusion-input-layer-norm": {"fusion_input": "layer_norm"},
    "norm-at-once": {"ugct": {"ramp_norm_loss": False}},
    "targets-half": {"ugct": {"attention_targets": "half"}},
    "decor-literal": {"self_supervision": {"decor": "literal"}},
    "decor-softmax": {"self_supervision": {"decor": "softmax"}},
    "pairing-cross": {"self_supervision": {"pairing": "cross"}},
}
# A descriptor has an effect from the second round on. Compare with `clip_ae` of the full benchmark on the same seeds.
FUSED: Tree = {"descriptor": "fused"}
SEEDS: Tree = {"seeds": [0, 1]}


def main(arguments: list[str]) -> None:
    if arguments not in (["--sweep"], ["--paper"]):
        sys.exit(__doc__)
    start = time.perf_counter()
    if arguments == ["--sweep"]:
        run_sweep()
    else:
        run_paper()
    print_result("minutes", (time.perf_counter() - start) / 60, "min")


def run_paper() -> None:
    """Run at the published size: widths of I3D and CLIP, T = 750, 6,000 steps, bf16."""
    config = read_project_config()
    data = build_dataset()
    data["simulate"] |= {"rgb_dim": 1024, "flow_dim": 1024, "clip_dim": 512, "audio_dim": 128}
    data["training"] = {**config["datasets"]["thumos14"]["training"], "precision": "bf16"}
    data["rounds"] = config["datasets"]["thumos14"]["rounds"]
    run_workflow({"datasets": {"simulated_paper": data}}, "results/simulated_paper_ablation.md")
    print((ROOT / "results/simulated_paper_ablation.md").read_text())


def run_sweep() -> None:
    """Print the average mAP over tIoU 0.1 to 0.7 of each variant, in %, mean over its seeds."""
    config_changes = build_sweep()
    worlds = config_changes["datasets"]
    targets = [path for name, data in worlds.items() for path in list_map_paths(name, data)]
    run_workflow(config_changes, *targets)
    for name, data in worlds.items():
        for run in data["runs"]:
            scores = [read_average_map(path) for path in list_map_paths(name, data) if f"/{run}/" in path]
            print_result(f"{name.removeprefix('sweep_')}, {run}", statistics.fmean(scores), "%")


def build_sweep() -> Tree:
    """The datasets and runs of the sweep, which are added to those of the project."""
    short_schedule = {**SEEDS, "rounds": 1}
    worlds = {
        f"sweep_{_slug(change)}": build_dataset(simulate=change, runs=list(runs), **short_schedule)
        for change, runs in WORLD_CHANGES
    }
    names = list(INTERPRETATIONS)
    worlds["sweep_interpretations"] = build_dataset(runs=names, main_run=names[0], **short_schedule)
    worlds["sweep_descriptor"] = build_dataset(runs=["fused"], main_run="fused", **SEEDS)
    base = read_project_config()["runs"]["clip_ae"]
    runs = {name: change_run(base, change) for name, change in {**INTERPRETATIONS, "fused": FUSED}.items()}
    return {"datasets": worlds, "runs": runs}


def run_workflow(config_changes: Tree, *targets: str) -> None:
    """Make the targets, with datasets and runs in addition to those of the project; existing results stay.

    Two trainings in parallel, with one thread each, are faster on two cores than one training with two threads. The
    number of threads is part of what made a result: a change of it makes everything again.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump({"torch_threads": 1, **config_changes}, file)
        file.flush()
        command = [
            str(BIN / "snakemake"),
            "--cores",
            "2",
            *SNAKEMAKE_OPTIONS,
            "--configfile",
            file.name,
            "--",
            *targets,
        ]
        subprocess.run(command, cwd=ROOT, check=True)


def read_project_config() -> Tree:
    """The config of the project: configs/*.yaml, then config.yaml."""
    return read_config(ROOT / "configs", [ROOT / "config.yaml"]).data


def build_dataset(name: str = SIMULATED_DATASET, simulate: Tree | None = None, **changes: Any) -> Tree:
    """A simulated dataset of the project with some values replaced."""
    data = copy.deepcopy(read_project_config()["datasets"][name])
    data["simulate"] |= simulate or {}
    return {**data, **changes}


def change_run(run: Tree, change: Tree) -> Tree:
    """A run with some switches, or parts of them, replaced."""
    return {**run, **{k: {**run.get(k, {}), **v} if isinstance(v, dict) else v for k, v in change.items()}}


def list_map_paths(name: str, data: Tree) -> Iterator[str]:
    for run in data["runs"]:
        for seed in data["seeds"]:
            yield f"results/{name}/runs/{run}/seed-{seed}/map.json"


def read_average_map(path: str) -> float:
    return 100 * float(json.loads((ROOT / path).read_text())["average"]["0.1:0.7"])


def _slug(change: Tree) -> str:
    return "-".join(f"{name}-{value:g}".replace(".", "") for name, value in change.items()) or "as_it_is"


if __name__ == "__main__":
    main(sys.argv[1:])
