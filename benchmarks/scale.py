"""Time and peak memory where a dataset is large: a million detections, 20,000 videos.

python -m benchmarks.scale      2 GB on disk, a few minutes
"""

import json
import multiprocessing
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.measure import BIN, print_result, run_measured
from clip_ae.core.provenance import Provenance
from clip_ae.core.types import Detection, Label, VideoInfo
from clip_ae.data.detections import write_detections
from clip_ae.data.labels import write_labels
from clip_ae.data.parquet import CURVES_SCHEMA, FAILURES_SCHEMA, VIDEOS_SCHEMA, open_table_writer, write_rows

PROVENANCE = Provenance("benchmark", {}, "")
TEST_VIDEOS, CLASSES, DETECTIONS = 5000, 200, 1_000_000
PAGE_VIDEOS, PAGE_DETECTIONS, PAGE_SNIPPETS = 20_000, 50, 200
POINTS, POINT_DIM = 20_000, 2048
REPORT_SPEC = {"dataset": "large", "main_run": "run", "seeds": [0], "rounds": 1, "streams": ["rgb"], "method": "stpn"}
CLUSTER_PROGRAM = f"""
import numpy as np
from clip_ae.clustering.spectral import prepare
rng = np.random.default_rng(0)
z = rng.standard_normal(({CLASSES}, {POINT_DIM}))[rng.integers(0, {CLASSES}, {POINTS})]
prepare(z + 4 * rng.standard_normal(z.shape), 0)({CLASSES})
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # A child begins with the peak memory of its parent, so the large files are written by another process.
        writer = multiprocessing.get_context("spawn").Process(target=write_files, args=(folder,))
        writer.start()
        writer.join()
        for label, options in (("class", []), ("cluster", ["--labels", "labels.parquet"])):
            words = f"--detections {label}.json --ground-truth truth.json --out {label}_map.json".split()
            measure(f"evaluate {DETECTIONS} detections ({label})", folder, 30.0, "evaluate", *words, *options)
        words = ["--detections", "class.json", "--ground-truth", "truth.json", "--out", "diagnosis.json"]
        measure(f"diagnose {DETECTIONS} detections", folder, 30.0, "diagnose", *words)
        tables = ["--catalog", "videos.parquet", "--failures", "failures.parquet"]
        words = ["--runs", "runs", *tables, "--out", "page.html"]
        measure(f"page of {PAGE_VIDEOS} videos", folder, None, "report", "--spec", json.dumps(REPORT_SPEC), *words)
        print_result("   size", (folder / "page.html").stat().st_size / 1e6, "MB")
        seconds, peak, _ = run_measured([sys.executable, "-c", CLUSTER_PROGRAM], folder)
        print_result(f"{CLASSES} spectral clusters of {POINTS} descriptors", seconds, "s")
        print_result("   peak memory, with the descriptors", peak, "MB")


def write_files(folder: Path) -> None:
    truth = write_truth(folder)
    for label in ("class", "cluster"):
        write_submission(folder / f"{label}.json", truth, label)
    write_run(folder)


def measure(name: str, folder: Path, goal: float | None, *words: str) -> None:
    seconds, peak, code = run_measured([str(BIN / "clip-ae"), *words], folder)
    if code:
        raise SystemExit(f"clip-ae {' '.join(words)}: failed")
    print_result(name, seconds, "s", goal)
    print_result("   peak memory", peak, "MB", goal=None if goal is None else 1000)


def write_truth(folder: Path) -> dict[str, list[tuple[int, float, float]]]:
    """Annotations and cluster labels: a class and one or two actions a video. Returns the actions of test videos."""
    rng = np.random.default_rng(0)
    test: dict[str, list[tuple[int, float, float]]] = {}
    database, labels = {}, []
    for k in range(2 * TEST_VIDEOS):
        video_id, class_index, is_test = f"v{k:05}", int(rng.integers(CLASSES)), k < TEST_VIDEOS
        actions = [(class_index, start, start + rng.uniform(2, 28)) for start in rng.uniform(0, 90, rng.integers(1, 3))]
        annotated = [{"label": f"class-{c:03}", "segment": [start, stop]} for c, start, stop in actions]
        subset = "validation" if is_test else "training"
        database[video_id] = {"subset": subset, "duration": 120.0, "annotations": annotated}
        if is_test:
            test[video_id] = actions
        else:
            cluster = class_index if rng.random() < 0.6 else int(rng.integers(CLASSES))
            labels.append(Label(video_id, cluster, f"cluster-{cluster:03}"))
    (folder / "truth.json").write_text(json.dumps({"database": database}))
    write_labels(folder / "labels.parquet", labels, PROVENANCE)
    return test


def write_submission(path: Path, truth: dict[str, list[tuple[int, float, float]]], label: str) -> None:
    """Detections near the actions; a quarter of them has the action's class."""
    rng = np.random.default_rng(1)
    detections = []
    for video_id, actions in truth.items():
        for k in range(DETECTIONS // len(truth)):
            class_index, start, stop = actions[k % len(actions)]
            shown = class_index if k % 4 == 0 else int(rng.integers(CLASSES))
            first = start + rng.normal(0, 0.3) * (stop - start)
            last = first + (stop - start) * rng.lognormal(0, 0.4)
            detections.append(
                Detection(video_id, f"{label}-{shown:03}", float(rng.random()), float(first), float(last))
            )
    write_detections(path, detections, PROVENANCE)


def write_run(folder: Path) -> None:
    """What the report of a dataset without annotations reads."""
    rng = np.random.default_rng(2)
    run_dir = folder / "runs/run/seed-0"
    ids = [f"v{k:05}" for k in range(PAGE_VIDEOS)]
    rows = [vars(VideoInfo(i, f"{i}.mp4", duration=0.64 * PAGE_SNIPPETS)) | {"subset": ""} for i in ids]
    write_rows(folder / "videos.parquet", VIDEOS_SCHEMA, rows, PROVENANCE)
    write_rows(folder / "failures.parquet", FAILURES_SCHEMA, [], PROVENANCE)
    detections = [
        Detection(i, f"cluster-{rng.integers(100):02}", float(rng.random()), float(start), float(start + 9))
        for i in ids
        for start in rng.uniform(0, 110, PAGE_DETECTIONS)
    ]
    write_detections(run_dir / "detections.json", detections, PROVENANCE, ids)
    with open_table_writer(run_dir / "curves.parquet", CURVES_SCHEMA, PROVENANCE) as write_table:
        for video_id in ids:
            curves = rng.random((PAGE_SNIPPETS, 3)).tolist()
            snippets = [
                {
                    "video_id": video_id,
                    "snippet": k,
                    "attention": a,
                    "activation": [("cluster-01", p), ("cluster-02", q)],
                }
                for k, (a, p, q) in enumerate(curves)
            ]
            write_table(pa.Table.from_pylist(snippets, schema=CURVES_SCHEMA))
    labels = [Label(i, k % 100, f"cluster-{k % 100:02}") for k, i in enumerate(ids)]
    write_labels(run_dir / "round-0/labels.parquet", labels, PROVENANCE)
    log_line = {"step": 1, "total": 1.0, "classification": 1.0, "diagnostics": {}}
    (run_dir / "round-0/training.jsonl").write_text(json.dumps(log_line) + "\n")


if __name__ == "__main__":
    main()
