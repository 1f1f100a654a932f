"""Run a tiny scenario of the whole workflow, from generated videos to map.json, and collect its numbers.

In the root of the repository:
    python -m tests.golden.make_numbers             make numbers.npz and numbers.json anew
    python -m tests.golden.make_numbers --compare   compare with them, as tests/test_golden_numbers.py does

The golden file holds tensors and numbers under names of its own, so that a change of names, paths or metadata does not
change it. All names of the project stand in the table below: after a rename, edit the table and nothing else.
"""

import argparse
import copy
import csv
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from clip_ae.core.config.schema import I3dOptions, VggishOptions
from clip_ae.encoders.networks import i3d, vggish
from clip_ae.workflow import config_files
from tests.golden import arrays
from tests.golden.arrays import Array, Arrays, Machine

# ------------------------------------------------------------------------------------------------------------------
# The table of names. In a mapping the key is the name in the golden file, which stays, unless a comment says otherwise.

# Files and folders of the project that the workflow needs. Those that do not exist are left out.
PARTS = ("Snakefile", "config.yaml", "configs", "workflow", "clip_ae", "envs", "profiles")
CONFIG, CONFIGS = "config.yaml", "configs"
# Config entries that the scenario removes: the workflow starts faster, and all runs have one schedule.
UNUSED = (
    "datasets.thumos14", "datasets.activitynet12", "datasets.simulated_activitynet", "datasets.simulated.fewshot",
    "datasets.simulated.run_overrides",
)  # fmt: skip
SHORT = {"epochs": 4, "batch_size": 8, "learning_rate": 0.002}
# Config key: its value in the scenario.
SETTINGS: dict[str, Any] = {
    "torch_threads": 1,
    "runtime.device": "cpu",
    "runtime.num_workers": 1,
    "pretrain.num_clips": 48,
    "pretrain.i3d": SHORT,
    "pretrain.clip": SHORT,
    "pretrain.vggish": SHORT,
    **{f"weights.demo_{name}.source": "pretrain" for name in ("rgb", "flow", "clip", "audio")},
    "runs.clip_ae.descriptor": "fused",
    "runs.ugct_post.clustering": "kmeans",
    "datasets.demo.demo": {"seed": 0, "train_videos": 9, "test_videos": 4, "seconds_min": 4, "seconds_max": 6},
    "datasets.demo.shards": 1,
    "datasets.demo.rounds": 2,
    "datasets.demo.seeds": [0],
    "datasets.demo.runs": ["clip_ae", "ugct", "ugct_weak", "ugct_post", "ugct_tuned"],
    "datasets.demo.main_run": "clip_ae",
    "datasets.demo.search_spaces": ["clip", "post_pretrained"],
    "datasets.demo.training.snippets": 8,
    "datasets.demo.training.batch_size": 4,
    "datasets.demo.training.steps": 30,
    "datasets.demo.training.learning_rate": 0.02,
    "datasets.demo.training.width": 8,
    "datasets.demo.training.log_every": 10,
    "datasets.demo.adapter_training.steps": 4,
    "datasets.demo.adapter_training.batch_size": 2,
    "datasets.demo.adapter_training.width": 8,
    "datasets.demo.adapter_training.tuning.blocks": 1,
    "datasets.demo.adapter_training.tuning.steps": 2,
    "datasets.demo.adapter_training.tuning.batch_size": 2,
    "datasets.demo.fewshot.shots": [1],
    "datasets.demo.fewshot.episodes": 3,
    "datasets.demo.evaluation.bootstrap_samples": 20,
    "datasets.demo.evaluation.chance_permutations": 2,
    "datasets.simulated.simulate": {
        "seed": 0, "train_videos": 12, "test_videos": 6, "classes": 4, "group_size": 2, "video_longest": 40.0,
        "rgb_dim": 48, "flow_dim": 40, "clip_dim": 36,
    },
    "datasets.simulated.classes": 4,
    "datasets.simulated.shards": 2,
    "datasets.simulated.rounds": 1,
    "datasets.simulated.seeds": [0],
    "datasets.simulated.search_spaces": ["clip"],
    "datasets.simulated.training.snippets": 16,
    "datasets.simulated.training.batch_size": 6,
    "datasets.simulated.training.steps": 30,
    "datasets.simulated.training.learning_rate": 0.01,
    "datasets.simulated.training.width": 8,
    "datasets.simulated.training.log_every": 10,
    "datasets.simulated.evaluation.bootstrap_samples": 20,
    "datasets.simulated.evaluation.chance_permutations": 2,
}  # fmt: skip

# Rounds of an unsupervised run, by dataset.
ROUNDS = {"demo": 2, "simulated": 1}
SHARDS = {"demo": ("0000-of-0001",), "simulated": ("0000-of-0002", "0001-of-0002")}
# Runs, by dataset.
RUNS = {
    "demo": {
        "clip_ae": "clip_ae", "ugct": "ugct", "weak": "ugct_weak", "adapted": "ugct_post", "tuned": "ugct_tuned",
    },
    "simulated": {
        "clip_ae": "clip_ae", "caf": "caf", "ccp": "ccp", "full": "oracle", "apsl": "apsl_reconstructed",
        "tcam": "tcam", "wsal_bm": "wsal_bm", "tscn": "tscn", "stpn_sparse": "stpn_sparse",
    },
}  # fmt: skip
# Runs with supervision labels. They have one round.
SUPERVISED = ("weak", "full")
# Runs of the simulated dataset that the workflow scores. It scores all runs of the demo.
SCORED = ("clip_ae", "full")
MAIN = {"demo": "clip_ae", "simulated": "clip_ae"}
STREAMS = ("rgb", "flow", "clip", "audio")
ADAPTED_STREAMS = ("rgb", "flow")
# Networks that the workflow trains, by stream.
PRETRAINED = {"rgb": "demo_rgb", "flow": "demo_flow", "clip": "demo_clip", "audio": "demo_audio"}
# Networks of the demo's encoders. Those that are not trained here have fixed random weights, from a local file: their
# features are near on every machine, whereas training amplifies rounding.
NETWORKS = {"rgb": "fixed_rgb", "flow": "fixed_flow", "clip": "demo_clip", "audio": "fixed_audio"}
FIXED = ("rgb", "flow", "audio")
# Config: where networks are, where a network comes from, its options by kind, and which network an encoder has.
WEIGHTS, SOURCE, ENCODER_WEIGHTS = "weights", "source", "datasets.demo.streams.{stream}.weights"
BUILD: dict[str, tuple[Any, Any]] = {"i3d": (i3d.build, I3dOptions), "vggish": (vggish.build, VggishOptions)}
ADAPTERS = {"prototypes": "post_pretrained", "names": "base_classes", "encoder": "tuned"}
# Adapters whose features a run reads; the adapter on tuned encoders.
ADAPTERS_READ = ("prototypes", "encoder")
TUNED = "encoder"
SPACES = {"demo": {"clip": "clip", "prototypes": "post_pretrained"}, "simulated": {"clip": "clip"}}

# Result files.
FILES = {
    "annotations": "results/{dataset}/world/annotations.json",
    "sentences": "results/{dataset}/world/sentences.json",
    "texts": "results/{dataset}/world/texts.parquet",
    "videos": "results/{dataset}/videos.parquet",
    "failures": "results/{dataset}/failures.parquet",
    "pretrained": "results/pretrained/{network}.safetensors",
    "network": "results/weights/{network}.safetensors",
    "features": "results/{dataset}/features/{stream}/{shard}.parquet",
    "tuned_network": "results/{dataset}/adapters/{adapter}/weights/{stream}.safetensors",
    "tuned_losses": "results/{dataset}/adapters/{adapter}/tuning/{stream}.jsonl",
    "tuned_features": "results/{dataset}/adapters/{adapter}/encoded/{stream}/{shard}.parquet",
    "adapter": "results/{dataset}/adapters/{adapter}/model.safetensors",
    "adapter_losses": "results/{dataset}/adapters/{adapter}/training.jsonl",
    "adapted_features": "results/{dataset}/adapters/{adapter}/features/{stream}/{shard}.parquet",
    "labels": "results/{dataset}/runs/{run}/seed-0/round-{round}/labels.parquet",
    "model": "results/{dataset}/runs/{run}/seed-0/round-{round}/model.safetensors",
    "losses": "results/{dataset}/runs/{run}/seed-0/round-{round}/training.jsonl",
    "detections": "results/{dataset}/runs/{run}/seed-0/detections.json",
    "curves": "results/{dataset}/runs/{run}/seed-0/curves.parquet",
    "scores": "results/{dataset}/runs/{run}/seed-0/map.json",
    "names": "results/{dataset}/runs/{run}/seed-0/names.json",
    "index": "results/{dataset}/index/{space}.arrow",
    "moments": "results/{dataset}/moments.json",
    "main_scores": "results/{dataset}_map.json",
    "main_detections": "results/{dataset}_detections.json",
    "table": "results/{dataset}_table.csv",
    "diagnosis": "results/{dataset}_diagnosis.json",
    "fewshot": "results/{dataset}_fewshot.json",
    "grounding": "results/{dataset}_grounding.json",
}
# Results to make besides those of each run, by dataset.
TARGETS = {
    "demo": ("main_scores", "main_detections", "table", "diagnosis", "fewshot", "grounding", "moments", "names"),
    "simulated": ("main_scores", "diagnosis", "grounding"),
}

# Columns of tables and keys of JSON files that the collector reads.
COLUMNS = {
    "video": "video_id", "start": "start", "stop": "stop", "coverage": "coverage", "loudness": "loudness",
    "feature": "feature", "cluster": "cluster", "label": "label", "segments": "segments", "attention": "attention",
    "activation": "activation",
}  # fmt: skip
# Columns of the table of videos that are compared.
FACTS = ("duration", "fps", "frames", "snippets", "width", "height", "audio_rate", "audio_channels")
INDEX = {
    "metadata": "index",
    "videos": "videos",
    "ends": "ends",
    "mean": "mean",
    "video": "video",
    "feature": "feature",
}
KEYS = {
    "results": "results", "label": "label", "score": "score", "segment": "segment", "step": "step", "texts": "texts",
    "text": "text", "moments": "moments", "names": "names", "name": "name", "provenance": "provenance",
}  # fmt: skip
# Keys of JSON files and columns of CSV tables that are not compared, at any depth.
SKIPPED = ("provenance", "external_data", "watched", "diagnostics", "truth", "protocol", "training minutes")
# Key of a JSON file with scores: name in the golden file, if another.
KEYS_IN_SCORES = {
    "headline": "main",
    "views": "spaces",
    "clip, asked for another": "clip/others",
    "post_pretrained": "prototypes",
    "post_pretrained, asked for another": "prototypes/others",
    "the whole video": "whole",
    "base_classes": "names",
}
# Name of a loss: name in the golden file, if another.
LOSSES = {"pseudo_truth": "pseudo_ground_truth"}
# Part of a tensor's name between two dots, or several such parts: its name in the golden file, if another.
TENSORS = {
    "caf.layers": "caf.stages",
    "adapters.rgb.projection": "adapters.rgb.map", "adapters.flow.projection": "adapters.flow.map",
    "text_projection.weight": "text.weight",
    "nonlocal_block.output": "everywhere.back", "nonlocal_block": "everywhere", "dilated": "local",
    "reduction": "narrow", "cluster_vectors": "sides",
}  # fmt: skip
# ------------------------------------------------------------------------------------------------------------------

ROOT = Path(__file__).resolve().parents[2]
GOLDEN, MACHINE = Path(__file__).with_name("numbers.npz"), Path(__file__).with_name("numbers.json")
SNAKEMAKE = Path(sys.executable).parent / "snakemake"
CORES = 2
THREADS = int(SETTINGS["torch_threads"])

# On another kind of machine a float may differ by this share of the largest value of its array. Features are float16.
NEARLY_EXACT, NEAR = 1e-9, 5e-3
# Arrays that no training enters: generated data and what is known of videos; features by networks with fixed weights.
GENERATED = ("world/", "videos/", "labels/demo/weak/", "labels/simulated/full/")
UNTRAINED = (
    "features/simulated/", "index/simulated/", "texts/", "weights/network/rgb/sum", "weights/network/flow/sum",
    *(f"features/demo/{stream}/" for stream in FIXED),
)  # fmt: skip
# Arrays that have the same values and the same shape whatever training gives.
COUNTED = ("features/", "weights/", "losses/")
COUNTED_ENDS = ("/video", "/rows", "/start", "/stop", "/coverage", "/tensor", "/form", "/step", "/name")


def run_scenario(folder: Path, environment: Mapping[str, str] | None = None) -> float:
    """Copy the project into a new folder, change its config, run Snakemake there. Returns the seconds it took."""
    make_project(folder)
    began = time.monotonic()
    completed = subprocess.run(
        [str(SNAKEMAKE), "--cores", str(CORES), "--scheduler", "greedy", *targets()],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
        # Not the caller's environment: variables for threads or processors would change the last bits.
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": os.environ.get("HOME", "/tmp"), "LANG": "C.UTF-8"}
        | dict(environment or {}),
    )
    if completed.returncode:
        raise RuntimeError(f"the scenario failed in {folder}:\n{(completed.stdout + completed.stderr)[-20_000:]}")
    return time.monotonic() - began


def make_project(folder: Path) -> None:
    folder.mkdir(parents=True)
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, folder / part)
    data = read_config(folder)
    for path in UNUSED:
        *parents, leaf = path.split(".")
        _inner(data, parents).pop(leaf, None)
    for path, value in SETTINGS.items():
        _set(data, path, copy.deepcopy(value))
    (folder / "networks").mkdir()
    for stream in FIXED:
        entry = data[WEIGHTS][PRETRAINED[stream]]
        file = f"networks/{stream}.safetensors"
        save_file(fixed_weights(entry), folder / file)
        data[WEIGHTS][NETWORKS[stream]] = {**entry, SOURCE: file, "integrity": None}
        _set(data, ENCODER_WEIGHTS.format(stream=stream), NETWORKS[stream])
    # The project merges these files with CONFIG, so entries that were removed would come back.
    for file_path in (folder / CONFIGS).glob("*.yaml"):
        file_path.unlink()
    (folder / CONFIG).write_text(yaml.safe_dump(data, sort_keys=False))


def fixed_weights(entry: Mapping[str, Any]) -> dict[str, NDArray[np.float32]]:
    """Random tensors of a network of the config that keep the size of signals: the same on every machine."""
    (network,) = [build(options(**entry[name])) for name, (build, options) in BUILD.items() if name in entry]
    rng = np.random.default_rng(0)
    tensors = {}
    for name, tensor in sorted(network.state_dict().items()):
        shape = tuple(tensor.shape)
        if name.endswith("num_batches_tracked"):
            continue
        if name.endswith("running_var") or (name.endswith("weight") and len(shape) == 1):
            value = rng.uniform(0.6, 1.5, shape)
        elif name.endswith("weight"):
            value = rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)
        else:
            value = rng.normal(0, 0.2, shape)
        tensors[name] = value.astype(np.float32)
    return tensors


def read_config(folder: Path) -> dict[str, Any]:
    """The project's config, from all its files. Anchors are gone: a value changed in one dataset must stay in it."""
    merged = config_files.read_config(folder / CONFIGS, [folder / CONFIG])
    return json.loads(json.dumps(merged.data))  # type: ignore[no-any-return]


def targets() -> list[str]:
    target_paths = [
        FILES[file].format(dataset=dataset, run=RUNS[dataset][MAIN[dataset]])
        for dataset, files in TARGETS.items()
        for file in files
    ]
    for dataset, names in RUNS.items():
        for name, run in names.items():
            file = "scores" if dataset == "demo" or name in SCORED else "detections"
            target_paths.append(FILES[file].format(dataset=dataset, run=run))
    target_paths += [FILES["pretrained"].format(network=network) for network in PRETRAINED.values()]
    return list(dict.fromkeys(target_paths))


def collect(project: Path) -> Arrays:
    """All numbers of a finished scenario, by name in the golden file."""
    found: Arrays = {}
    for dataset in RUNS:
        found |= _of_dataset(project, dataset)
    for kind, networks in (("pretrained", PRETRAINED), ("network", NETWORKS)):
        for name, network in networks.items():
            found |= _under(f"weights/{kind}/{name}", weights(_path(project, kind, network=network)))
    for name, adapter in ADAPTERS.items():
        found |= _of_adapter(project, "demo", name, adapter)
    return found


def compare(golden: Mapping[str, Array], found: Mapping[str, Array], golden_machine: Machine) -> list[str]:
    """A line for each difference: bit for bit on the kind of machine of the golden file, else by `elsewhere`."""
    return arrays.differences(golden, found, arrays.exact if arrays.machine(THREADS) == golden_machine else elsewhere)


def elsewhere(name: str, golden: Array, found: Array) -> str | None:
    """Rule for another kind of machine.

    Rounding differs there, and training amplifies that: after 20 steps of pretraining, features of rgb differ by as
    much as their own size (measured with AVX2 in place of AVX-512). So all that comes after a training is compared by
    its type alone, and by shape or by value where neither depends on training. Features of networks with fixed weights
    are compared by a tolerance: float16 keeps 11 bits, and flow moves them by up to 1e-4 of the largest value.
    """
    if name.startswith(GENERATED):
        return arrays.near(golden, found, NEARLY_EXACT)
    if name.startswith(UNTRAINED) or (name.startswith(COUNTED) and name.endswith(COUNTED_ENDS)):
        return arrays.near(golden, found, NEAR)
    if name.startswith(COUNTED):
        return arrays.form(golden, found)
    return None if golden.dtype.kind == found.dtype.kind and golden.ndim == found.ndim else "another type"


# --- one function for each kind of file ---------------------------------------------------------------------------


def features(paths: Sequence[Path]) -> Arrays:
    """One stream, from all its shards, videos sorted by id: rows of each video, then columns of all rows."""
    columns = {name: COLUMNS[name] for name in ("start", "stop", "coverage", "loudness", "feature")}
    videos: dict[str, dict[str, Array]] = {}
    for path in paths:
        table = pq.read_table(path)
        ids = np.array(table[COLUMNS["video"]].to_pylist())
        values = {n: _column(table[c]) for n, c in columns.items() if c in table.column_names}
        for video in dict.fromkeys(ids.tolist()):
            videos[video] = {name: column[ids == video] for name, column in values.items()}
    ordered = [videos[video] for video in sorted(videos)]
    together = {name: np.concatenate([video[name] for video in ordered]) for name in ordered[0]}
    rows = np.array([len(video["start"]) for video in ordered])
    return {"video": np.array(sorted(videos)), "rows": rows, **together}


def weights(path: Path) -> Arrays:
    """Every tensor of a network, sorted by name: its shape, the sum of its values, and sha256 of its raw bytes."""
    tensors = {_renamed(name): tensor for name, tensor in load_file(path).items()}
    ordered = [(name, tensors[name]) for name in sorted(tensors)]
    return {
        "tensor": np.array([name for name, _ in ordered]),
        "form": np.array([f"{t.dtype} {list(t.shape)}" for _, t in ordered]),
        # fsum rounds once: no order of summation shows.
        "sum": np.array([math.fsum(t.astype(np.float64).ravel().tolist()) for _, t in ordered]),
        "sha256": np.stack([arrays.digest(t) for _, t in ordered]),
    }


def losses(path: Path) -> Arrays:
    """A training log: steps, names of losses, values [steps, losses]."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    step = KEYS["step"]
    rows = [{LOSSES.get(n, n): v for n, v in line.items() if n != step and n not in SKIPPED} for line in lines]
    names = sorted(rows[0])
    values = np.array([[row[name] for name in names] for row in rows], np.float64)
    return {"step": np.array([line[step] for line in lines]), "name": np.array(names), "value": values}


def labels(path: Path) -> Arrays:
    rows = pq.read_table(path).to_pylist()
    segments = [[number, *segment] for number, row in enumerate(rows) for segment in row[COLUMNS["segments"]]]
    return {
        "video": np.array([row[COLUMNS["video"]] for row in rows]),
        "cluster": np.array([row[COLUMNS["cluster"]] for row in rows], np.int32),
        "label": np.array([row[COLUMNS["label"]] for row in rows]),
        "segment": np.array(segments, np.float64).reshape(-1, 3),
    }


def curves(path: Path) -> Arrays:
    """Attention of every snippet, then the activations of its labels, snippet by snippet."""
    rows = pq.read_table(path).to_pylist()
    activation = [dict(row[COLUMNS["activation"]]) for row in rows]
    return {
        "video": np.array([row[COLUMNS["video"]] for row in rows]),
        "attention": np.array([row[COLUMNS["attention"]] for row in rows], np.float32),
        "label": np.array([label for row in activation for label in row]),
        "activation": np.array([value for row in activation for value in row.values()], np.float32),
    }


def detections(path: Path) -> Arrays:
    results = json.loads(path.read_text())[KEYS["results"]]
    found = [(video, d) for video, several in results.items() for d in several]
    return {
        "video": np.array([video for video, _ in found]),
        "label": np.array([d[KEYS["label"]] for _, d in found]),
        "score": np.array([d[KEYS["score"]] for _, d in found], np.float64),
        "segment": np.array([d[KEYS["segment"]] for _, d in found], np.float64).reshape(-1, 2),
    }


def scores(path: Path) -> Arrays:
    """Every number of a JSON file."""
    return arrays.tree(json.loads(path.read_text()), KEYS_IN_SCORES, SKIPPED)


def table(path: Path) -> Arrays:
    """Every number of a CSV file, row by row."""
    with path.open(newline="") as file:
        rows = [{name: cell for name, cell in row.items() if name not in SKIPPED} for row in csv.DictReader(file)]
    return {"value": np.array([n for row in rows for cell in row.values() for n in _number(cell)], np.float64)}


def annotations(path: Path) -> Arrays:
    """Every number of a generated dataset's annotations or sentences."""
    return arrays.tree(json.loads(path.read_text()), {}, ())


def texts(path: Path) -> Arrays:
    """Every column of floats of a table."""
    columns = pq.read_table(path)
    rows = [[v for value in row.values() if isinstance(value, list) for v in value] for row in columns.to_pylist()]
    return {"value": np.array(rows, np.float32)}


def facts(videos: Path, failures: Path) -> Arrays:
    rows = sorted(pq.read_table(videos).to_pylist(), key=lambda row: str(row[COLUMNS["video"]]))
    return {
        "video": np.array([row[COLUMNS["video"]] for row in rows]),
        "fact": np.array([[row[name] for name in FACTS] for row in rows], np.float64),
        "failures": np.array(pq.read_metadata(failures).num_rows),
    }


def index(path: Path) -> Arrays:
    with pa.OSFile(str(path)) as file:
        read = pa.ipc.open_file(file).read_all().combine_chunks()
    stated = json.loads(read.schema.metadata[INDEX["metadata"].encode()])
    feature = read[INDEX["feature"]].combine_chunks()
    return {
        "video": np.array(stated[INDEX["videos"]]),
        "end": np.array(stated[INDEX["ends"]], np.float64),
        "mean": np.array(stated[INDEX["mean"]], np.float32),
        "number": read[INDEX["video"]].to_numpy(),
        "feature": feature.flatten().to_numpy().reshape(len(feature), -1),
    }


def moments(path: Path) -> Arrays:
    entries = json.loads(path.read_text())[KEYS["texts"]]
    found = [(entry[KEYS["text"]], *moment) for entry in entries for moment in entry[KEYS["moments"]]]
    return {
        "text": np.array([moment[0] for moment in found]),
        "video": np.array([moment[1] for moment in found]),
        "value": np.array([moment[2:] for moment in found], np.float64),
    }


def names(path: Path) -> Arrays:
    guesses = json.loads(path.read_text())[KEYS["names"]]
    found = [(cluster, guess) for cluster in sorted(guesses) for guess in guesses[cluster]]
    return {
        "cluster": np.array([cluster for cluster, _ in found]),
        "name": np.array([guess[KEYS["name"]] for _, guess in found]),
        "score": np.array([guess[KEYS["score"]] for _, guess in found], np.float64),
    }


# --- all files of a dataset, all files of an adapter ------------------------------------------------------------------


def _of_dataset(project: Path, dataset: str) -> Arrays:
    def path(file: str, **wildcards: object) -> Path:
        return _path(project, file, dataset=dataset, **wildcards)

    found = _under(f"world/{dataset}/annotations", annotations(path("annotations")))
    found |= _under(f"videos/{dataset}", facts(path("videos"), path("failures")))
    if dataset == "demo":
        found |= _under(f"world/{dataset}/sentences", annotations(path("sentences")))
        found |= _under(f"moments/{dataset}", moments(path("moments")))
        found |= _under(f"names/{dataset}", names(path("names", run=RUNS[dataset][MAIN[dataset]])))
        found |= _under(f"table/{dataset}", table(path("table")))
        found |= _under(f"scores/{dataset}/fewshot", scores(path("fewshot")))
        found |= _under(f"detections/{dataset}/main", detections(path("main_detections")))
    else:
        found |= _under(f"texts/{dataset}", texts(path("texts")))
    for stream in STREAMS:
        shards = [path("features", stream=stream, shard=shard) for shard in SHARDS[dataset]]
        found |= _under(f"features/{dataset}/{stream}", features(shards))
    for file in ("main_scores", "diagnosis", "grounding"):
        found |= _under(f"scores/{dataset}/{file}", scores(path(file)))
    for name, space in SPACES[dataset].items():
        found |= _under(f"index/{dataset}/{name}", index(path("index", space=space)))
    for name, run in RUNS[dataset].items():
        for number in range(1 if name in SUPERVISED else ROUNDS[dataset]):
            for file, read in (("labels", labels), ("model", weights), ("losses", losses)):
                kind = "weights" if file == "model" else file
                found |= _under(f"{kind}/{dataset}/{name}/{number}", read(path(file, run=run, round=number)))
        found |= _under(f"detections/{dataset}/{name}", detections(path("detections", run=run)))
        found |= _under(f"curves/{dataset}/{name}", curves(path("curves", run=run)))
        if dataset == "demo" or name in SCORED:
            found |= _under(f"scores/{dataset}/{name}", scores(path("scores", run=run)))
    return found


def _of_adapter(project: Path, dataset: str, name: str, adapter: str) -> Arrays:
    def path(file: str, **wildcards: object) -> Path:
        return _path(project, file, dataset=dataset, adapter=adapter, **wildcards)

    found = _under(f"weights/adapter/{name}", weights(path("adapter")))
    found |= _under(f"losses/adapter/{name}", losses(path("adapter_losses")))
    for stream in ADAPTED_STREAMS:
        kinds = [
            *(["adapted_features"] if name in ADAPTERS_READ else []),
            *(["tuned_features"] if name == TUNED else []),
        ]
        for kind in kinds:
            shards = [path(kind, stream=stream, shard=shard) for shard in SHARDS[dataset]]
            found |= _under(f"features/{kind}/{name}/{stream}", features(shards))
        if name == TUNED:
            found |= _under(f"weights/tuned/{stream}", weights(path("tuned_network", stream=stream)))
            found |= _under(f"losses/tuned/{stream}", losses(path("tuned_losses", stream=stream)))
    return found


def _path(project: Path, file: str, **wildcards: object) -> Path:
    return project / FILES[file].format(**wildcards)


def _under(prefix: str, found: Mapping[str, Array]) -> Arrays:
    return {f"{prefix}/{name}": array for name, array in found.items()}


def _inner(data: dict[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    for key in keys:
        data = data.setdefault(key, {})
    return data


def _set(data: dict[str, Any], path: str, value: Any) -> None:
    *parents, leaf = path.split(".")
    _inner(data, parents)[leaf] = value


def _column(column: pa.ChunkedArray) -> Array:
    """A column of numbers, or of arrays of one shape. Null is nan."""
    whole = column.combine_chunks()
    if isinstance(whole, pa.FixedShapeTensorArray):
        return np.array(whole.to_numpy_ndarray())
    return np.array(whole.to_numpy(zero_copy_only=False))


def _renamed(tensor: str) -> str:
    for name, golden in TENSORS.items():
        tensor = f".{tensor}.".replace(f".{name}.", f".{golden}.").strip(".")
    return tensor


def _number(cell: str) -> Iterator[float]:
    try:
        yield float(cell)
    except ValueError:
        return


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the golden numbers of the workflow anew, or compare with them.")
    parser.add_argument("--compare", action="store_true", help="compare; write nothing")
    parser.add_argument("--folder", type=Path, help="new folder for the scenario; kept afterwards")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary) / "project"
        print(f"the scenario took {run_scenario(folder):.0f} s")
        found = collect(folder)
    if options.compare:
        return arrays.report(compare(arrays.load(GOLDEN), found, arrays.load_machine(MACHINE)))
    arrays.save_golden(GOLDEN, MACHINE, found, THREADS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
