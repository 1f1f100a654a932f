"""Runs with half and with twice as many clusters as classes: cluster, train, localize and evaluate, in two rounds."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clip_ae.core.config.checks import load_config
from clip_ae.core.config.simulation import SIMULATED_SHARDS
from clip_ae.core.config.stages import build_stage_spec
from clip_ae.data.detections import read_detections
from clip_ae.data.labels import read_labels
from clip_ae.stages import cluster, evaluate, localize, simulate, train
from clip_ae.weights.network_file import read_weights_metadata

CLASSES, ROUNDS = 4, 2
CLUSTERS = {"usual": CLASSES, "half": CLASSES // 2, "double": 2 * CLASSES}
WORLD = {"classes": CLASSES, "group_size": 2, "twins": 0, "train_videos": 24, "test_videos": 6, "video_longest": 40.0}
DIMS = {f"{stream}_dim": 32 for stream in ("rgb", "flow", "clip", "audio")}
CONFIG = load_config(
    {
        "runs": {
            "usual": {"method": "ugct"},
            "half": {"method": "ugct", "clusters": CLUSTERS["half"]},
            "double": {"method": "ugct", "clusters": CLUSTERS["double"]},
        },
        "datasets": {
            "tiny": {
                "simulate": WORLD | DIMS,
                "classes": CLASSES,
                "rounds": ROUNDS,
                "runs": ["usual", "half", "double"],
                "main_run": "usual",
                "training": {"snippets": 32, "batch_size": 8, "steps": 60, "learning_rate": 1e-3, "width": 32},
                "evaluation": {"bootstrap_samples": 0, "chance_permutations": 2},
            }
        },
        "weights": {},
        "torch_threads": 1,
    }
)


def spec(stage: str, run: str = "usual", number: int = 0) -> Any:
    return build_stage_spec(CONFIG, stage, {"dataset": "tiny", "run": run, "seed": "0", "round": str(number)})


def make_run(at: Path, run: str) -> None:
    """All rounds of a run, in the folder at / run."""
    folder, model = at / run, at / run / "model-1.safetensors"
    inputs: dict[str, Any] = {"features": (at / "features",), "shards": SIMULATED_SHARDS}
    for number in range(ROUNDS):
        labels, previous = folder / f"labels-{number}.parquet", folder / f"model-{number - 1}.safetensors"
        cluster.run(
            spec("cluster", run, number), **inputs, out=labels, annotations=at / "a.json",
            previous_model=previous if number else None, device="cpu",
        )  # fmt: skip
        model = folder / f"model-{number}.safetensors"
        log = folder / "training.jsonl"
        train.run(spec("train", run), **inputs, labels=labels, out=model, log=log, device="cpu")
    outputs = localize.Outputs(folder / "detections.json", folder / "other.json", folder / "curves.parquet")
    localize.run(
        spec("localize", run), **inputs, model=model, outputs=outputs, annotations=at / "a.json", device="cpu"
    )  # fmt: skip
    evaluate.run(
        spec("evaluate", run), detections=folder / "detections.json", ground_truth=at / "a.json",
        out=folder / "map.json", labels=tuple(folder / f"labels-{number}.parquet" for number in range(ROUNDS)),
    )  # fmt: skip


@pytest.fixture(scope="module")
def get_run_dir(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    at = tmp_path_factory.mktemp("simulated")
    simulate.run(
        spec("simulate"), features=at / "features", annotations=at / "a.json", text_embeddings=at / "t.parquet",
        manifest=at / "m.json",
    )  # fmt: skip
    for run in CLUSTERS:
        (at / run).mkdir()
        make_run(at, run)
    return lambda run: at / run


@pytest.mark.parametrize("run", CLUSTERS)
def test_every_round_has_the_clusters_of_the_run(get_run_dir: Callable[[str], Path], run: str) -> None:
    for number in range(ROUNDS):
        clusters = {label.cluster for label in read_labels(get_run_dir(run) / f"labels-{number}.parquet")}
        assert clusters == set(range(CLUSTERS[run]))
        metadata = read_weights_metadata(get_run_dir(run) / f"model-{number}.safetensors")
        assert len(metadata["localizer_config"]["labels"]) == CLUSTERS[run]
    assert {d.label for d in read_detections(get_run_dir(run) / "detections.json")} <= {
        f"cluster-{k:02d}" for k in range(CLUSTERS[run])
    }


@pytest.mark.parametrize("run", CLUSTERS)
def test_every_mapping_names_as_many_clusters_as_it_can(get_run_dir: Callable[[str], Path], run: str) -> None:
    result = json.loads((get_run_dir(run) / "map.json").read_text())
    assert [r["clusters"] for r in result["rounds"]] == [CLUSTERS[run]] * ROUNDS
    assert len(result["per_class"]) == CLASSES
    assert all(0 <= value <= 1 for value in result["mAP"].values())
    weights = {name: result["mapping"][name]["weights"] for name in ("soft_majority", "hard_majority", "hungarian")}
    assert all(len(by_cluster) == CLUSTERS[run] for by_cluster in weights.values())
    assert all(weights["soft_majority"].values())
    assert all(len(classes) == 1 for classes in weights["hard_majority"].values())
    one_to_one = [name for classes in weights["hungarian"].values() for name in classes]
    assert len(one_to_one) == len(set(one_to_one)) <= min(CLASSES, CLUSTERS[run])
