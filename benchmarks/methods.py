"""Every method on the simulated benchmark: `make bench-methods`. The results are files of the workflow, and resume.

python -m benchmarks.methods              all runs of `simulated`, all seeds and rounds, on the CPU
python -m benchmarks.methods --smoke      the same in four minutes: one seed, one round, four runs, fewer steps
python -m benchmarks.methods --sweep      one knob of the world, or one reading of the paper, at a time
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

from benchmarks.measure import BIN, ROOT, tell

Tree = dict[str, Any]
# Two trainings side by side on two cores are faster than one on both.
RUN = ("--nolock", "--rerun-incomplete", "--keep-going", "--quiet", "rules", "host")
BASE = "simulated"
# Every knob with the runs that it can change: CAF alone hears, CCP alone sees CLIP's features, and a moved knob of one
# stream leaves the layout and the other streams bit for bit as they were. The first is the world as it is.
HEARING, SEEING, ALL = ("caf", "clip_ae"), ("ccp", "clip_ae"), ("ugct", "caf", "ccp", "clip_ae")
KNOBS: tuple[tuple[Tree, tuple[str, ...]], ...] = (
    ({}, ALL),
    ({"audio_missing": 1.0}, HEARING),
    ({"audio_helpful": 0.0}, HEARING),
    ({"audio_misleading": 0.5}, HEARING),
    ({"audio_helpful": 1.0, "audio_misleading": 0.0, "audio_missing": 0.0}, HEARING),
    ({"clip_extent": 0.7}, SEEING),
    ({"clip_extent": 0.45}, SEEING),
    ({"clip_confusion": 0.5}, SEEING),
    ({"i3d_outer": 0.6}, ALL),
    ({"seed": 1}, ALL),
)
# Readings of what the paper leaves open, each as a change of the run `clip_ae`; the world as it is has that run itself.
READINGS: Mapping[str, Tree] = {
    "caf-stages-1": {"caf": {"num_layers": 1}},
    "caf-scale-20": {"caf": {"scale": 20.0}},
    "caf-layer-norm": {"caf": {"layer_norm": True}},
    "caf-normalized-values": {"caf": {"normalized_values": True}},
    "caf-audio-to-rgb": {"caf": {"audio_to": "rgb"}},
    "ccp-shared-qk": {"ccp": {"shared_qk": True}},
    "ccp-residual": {"ccp": {"residual": True}},
    "feed-residual": {"fusion_input": "residual"},
    "feed-layer-norm": {"fusion_input": "layer_norm"},
    "norm-at-once": {"ugct": {"ramp_norm_loss": False}},
    "targets-half": {"ugct": {"attention_targets": "half"}},
    "decor-literal": {"self_supervision": {"decor": "literal"}},
    "decor-softmax": {"self_supervision": {"decor": "softmax"}},
    "pairing-cross": {"self_supervision": {"pairing": "cross"}},
}
# A descriptor needs a second round to show; beside it stands `clip_ae` of the full benchmark, the same two seeds.
FUSED: Tree = {"descriptor": "fused"}
SEEDS: Tree = {"seeds": [0, 1]}


def main(words: list[str]) -> None:
    start = time.perf_counter()
    if "--smoke" in words:
        smoke()
    elif "--sweep" in words:
        sweep()
    elif "--paper" in words:
        paper()
    else:
        workflow({}, f"results/{BASE}_table.md", f"results/{BASE}_ablation.md", f"results/{BASE}_map.json")
        print((ROOT / f"results/{BASE}_ablation.md").read_text())
    tell("minutes", (time.perf_counter() - start) / 60, "min")


def smoke() -> None:
    data = dataset(seeds=[0], rounds=1, runs=["ugct", "clip_ae", "stpn", "oracle"])
    data["training"]["steps"] = 200
    workflow({"datasets": {"simulated_smoke": data}}, "results/simulated_smoke_table.md")
    print((ROOT / "results/simulated_smoke_table.md").read_text())


def paper() -> None:
    """As published: I3D's and CLIP's true widths, T = 750, 6,000 steps, bf16."""
    config = shipped()
    data = dataset()
    data["simulate"] |= {"rgb_dim": 1024, "flow_dim": 1024, "clip_dim": 512, "audio_dim": 128}
    data["training"] = {**config["datasets"]["thumos14"]["training"], "precision": "bf16"}
    data["rounds"] = config["datasets"]["thumos14"]["rounds"]
    workflow({"datasets": {"simulated_paper": data}}, "results/simulated_paper_ablation.md")
    print((ROOT / "results/simulated_paper_ablation.md").read_text())


def sweep() -> None:
    """Average mAP over tIoU 0.1 to 0.7 of every variant, in %, mean over its seeds."""
    short = {**SEEDS, "rounds": 1}
    worlds = {f"sweep_{_slug(knob)}": dataset(simulate=knob, runs=list(runs), **short) for knob, runs in KNOBS}
    worlds["sweep_readings"] = dataset(runs=list(READINGS), main_run=next(iter(READINGS)), **short)
    worlds["sweep_descriptor"] = dataset(runs=["fused"], main_run="fused", **SEEDS)
    base = shipped()["runs"]["clip_ae"]
    runs = {name: changed(base, change) for name, change in {**READINGS, "fused": FUSED}.items()}
    wanted = [path for name, data in worlds.items() for path in maps(name, data)]
    workflow({"datasets": worlds, "runs": runs}, *wanted)
    for name, data in worlds.items():
        for run in data["runs"]:
            found = [scored(path) for path in maps(name, data) if f"/{run}/" in path]
            tell(f"{name.removeprefix('sweep_')}, {run}", statistics.fmean(found), "%")


def workflow(more: Tree, *targets: str) -> None:
    """Make the targets with more datasets and runs than config.yaml has; what is there already stays."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump({**more, "torch_threads": 1}, file)
        file.flush()
        command = [str(BIN / "snakemake"), "--cores", "2", *RUN, "--configfile", file.name, "--", *targets]
        subprocess.run(command, cwd=ROOT, check=True)


def shipped() -> Tree:
    config: Tree = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    return config


def dataset(simulate: Tree | None = None, **changes: Any) -> Tree:
    """The simulated dataset with other values."""
    data = copy.deepcopy(shipped()["datasets"][BASE])
    data["simulate"] |= simulate or {}
    return {**data, **changes}


def changed(run: Tree, change: Tree) -> Tree:
    """A run with some switches, or parts of them, replaced."""
    return {**run, **{k: {**run[k], **v} if isinstance(v, dict) else v for k, v in change.items()}}


def maps(name: str, data: Tree) -> Iterator[str]:
    for run in data["runs"]:
        for seed in data["seeds"]:
            yield f"results/{name}/runs/{run}/seed-{seed}/map.json"


def scored(path: str) -> float:
    return 100 * float(json.loads((ROOT / path).read_text())["average"]["0.1:0.7"])


def _slug(knob: Tree) -> str:
    return "-".join(f"{name}-{value:g}".replace(".", "") for name, value in knob.items()) or "as_it_is"


if __name__ == "__main__":
    main(sys.argv[1:])
