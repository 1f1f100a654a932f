"""The map file of the main run in its documented form, and the tables on disk."""

import csv
import json
import re
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clip_ae.core.config.checks import load_config
from clip_ae.core.config.dataclass_config import to_canonical_json, to_plain_data
from clip_ae.core.config.methods import Run
from clip_ae.core.config.schema import CLUSTER_MAPPING_NAMES
from clip_ae.core.config.specs import SummarizeSpec
from clip_ae.core.config.stages import build_stage_spec
from clip_ae.core.errors import UserError
from clip_ae.core.paths import SUMMARIES, SUMMARY_TABLES
from clip_ae.core.provenance import Provenance
from clip_ae.core.types import Detection, Failure, VideoInfo
from clip_ae.data.detections import WITHOUT_FEATURES, read_detections, read_submission, write_detections
from clip_ae.data.parquet import FAILURES_SCHEMA, VIDEOS_SCHEMA, write_rows
from clip_ae.provenance.read_provenance import read_provenance
from clip_ae.scoring.bootstrap_io import bootstrap_summary
from clip_ae.scoring.bounds import PERFECT_CURVES
from clip_ae.stages import summarize
from clip_ae.stages.summarize import NO_TABLE_FILES, TableFiles
from tests.builders import shipped_config

SEEDS = (0, 3)
PROVENANCE = Provenance("evaluate", {}, "code")
MAIN_RUN = SummarizeSpec("x", "stpn", SEEDS)
ALL_RUNS = replace(MAIN_RUN, runs={"stpn": Run(method="stpn"), "ugct": Run(method="ugct")}, published="thumos14")
KEYS = {"dataset", "run", "mAP", "average", "per_class", "mapping", "counts", "seeds", "protocol", "provenance"}


def build_scores(value: float) -> dict[str, Any]:
    scores = {"mAP": {"0.1": value, "0.5": value / 2}, "average": {"0.1:0.5": 0.75 * value}}
    rules = {name: {**scores, "weights": {}} for name in CLUSTER_MAPPING_NAMES}
    return {
        **scores,
        "per_class": {"jump": {"0.1": value, "0.5": value / 2}},
        "mapping": {"headline": "soft_majority", "contingency": {}, **rules},
        "chance": {"mAP": {"0.1": 0.1, "0.5": 0.0}, "average": {"0.1:0.5": 0.05}, "shuffles": 20},
        "rounds": [
            {"purity": value, "nmi": 0, "ari": 0, "classes": 5, "covered": 4, "smallest": 1, "largest": 9},
        ],
        "counts": {
            "videos": 2,
            "videos_with_detections": 2,
            "videos_without_features": 0,
            "detections": round(10 * value),
        },
        "protocol": "words",
        "cut_from": {"curve": "weighted", "smoothing_s": 0.0},
        "num_parameters": 70,
        "other_curve": {**scores, "cut_from": {"curve": "activation", "smoothing_s": 0.0}},
        "provenance": to_plain_data(PROVENANCE),
    }


@pytest.fixture
def results_dir(tmp_path: Path) -> Path:
    rows = [
        vars(VideoInfo("a", "a.mp4")) | {"subset": "training"},
        vars(VideoInfo("b", "b.mp4", status="failed")) | {"subset": "training"},
        vars(VideoInfo("c", "", status="missing")) | {"subset": "validation"},
    ]
    write_rows(tmp_path / "videos.parquet", VIDEOS_SCHEMA, rows, PROVENANCE)
    write_rows(tmp_path / "failures.parquet", FAILURES_SCHEMA, [Failure("b", "probe", "empty", "m")], PROVENANCE)
    for run, gain in (("stpn", 0), ("ugct", 0.1)):
        for seed, value in zip(SEEDS, (0.4, 0.6), strict=True):
            folder = tmp_path / "runs" / run / f"seed-{seed}"
            found = [Detection("a", "cluster-00", value, 0, 1)]
            write_detections(folder / "detections.json", found, PROVENANCE, ["d"], **{WITHOUT_FEATURES: ["d"]})
            (folder / "map.json").write_text(json.dumps(build_scores(value + gain)))
    return tmp_path


def write(results_dir: Path, summary: str, spec: SummarizeSpec, files: TableFiles = NO_TABLE_FILES) -> Path:
    out = results_dir / f"x_{summary}"
    summarize.run(
        spec, summary=summary, runs=results_dir / "runs", catalog=results_dir / "videos.parquet",
        failures=results_dir / "failures.parquet", out=out, table_files=files,
    )  # fmt: skip
    return out


def run(results_dir: Path, summary: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(write(results_dir, summary, MAIN_RUN).read_text())
    return content


def test_means_and_deviations_over_the_seeds(results_dir: Path) -> None:
    content = run(results_dir, "map.json")
    assert content.keys() >= KEYS
    assert content["mAP"] == {"0.1": pytest.approx(0.5), "0.5": pytest.approx(0.25)}
    assert content["average"]["0.1:0.5"] == pytest.approx(0.375)
    assert content["sd"]["mAP"]["0.1"] == pytest.approx(statistics.stdev([0.4, 0.6]))
    assert content["per_class"]["jump"]["0.5"] == pytest.approx(0.25)
    assert content["mapping"]["hungarian"]["mAP"]["0.1"] == pytest.approx(0.5)
    assert content["seeds"]["3"]["rounds"][-1]["purity"] == 0.6
    assert (content["dataset"], content["run"], content["protocol"]) == ("x", "stpn", "words")


def test_frame_scores_are_summarized_like_the_others(results_dir: Path) -> None:
    for seed, value in zip(SEEDS, (0.4, 0.6), strict=True):
        frames = {"frame_mAP": {"charades": value / 4}}
        result = build_scores(value) | frames | {"frame_AP": {"jump": value}}
        result["mapping"] = {"headline": "soft_majority", **{n: {**result, **frames} for n in CLUSTER_MAPPING_NAMES}}
        result["chance"] |= {"frame_mAP": {"charades": 0.02}}
        (results_dir / f"runs/stpn/seed-{seed}/map.json").write_text(json.dumps(result))
    content = run(results_dir, "map.json")
    assert content["frame_mAP"]["charades"] == pytest.approx(0.125)
    assert content["sd"]["frame_mAP"]["charades"] == pytest.approx(statistics.stdev([0.1, 0.15]))
    assert content["frame_AP"]["jump"] == pytest.approx(0.5)
    assert content["mapping"]["hungarian"]["frame_mAP"]["charades"] == pytest.approx(0.125)
    assert content["chance"]["frame_mAP"]["charades"] == pytest.approx(0.02)
    assert content["seeds"]["3"]["frame_mAP"]["charades"] == pytest.approx(0.15)


def test_the_interval_is_of_the_mean_over_seeds(results_dir: Path) -> None:
    assert "interval" not in run(results_dir, "map.json")
    shared = np.random.default_rng(0).normal(0, 0.05, 1000)
    for seed, value in zip(SEEDS, (0.4, 0.6), strict=True):
        result = build_scores(value)
        names = {kind: result[kind] for kind in ("mAP", "average")}
        draws = {kind: dict.fromkeys(columns, 0.3 + shared) for kind, columns in names.items()}
        result |= bootstrap_summary(names, draws, ground_truth_digest="truth", protocol="activitynet")
        (results_dir / f"runs/stpn/seed-{seed}/map.json").write_text(json.dumps(result))
    content = run(results_dir, "map.json")
    # About the mean, and as wide as what the seeds share: they see the same videos in each draw.
    low, high = np.quantile(shared - shared.mean(), [0.025, 0.975])
    assert content["interval"]["mAP"]["0.1"] == pytest.approx([0.5 + low, 0.5 + high], abs=1e-4)
    assert content["bootstrap"]["truth"] == "truth"


def test_every_video_is_counted(results_dir: Path) -> None:
    counts = run(results_dir, "map.json")["counts"]
    assert (counts["videos_ok"], counts["videos_failed"], counts["videos_missing"], counts["failures"]) == (1, 1, 1, 1)
    assert counts["detections"] == 5


@pytest.mark.parametrize(
    ("subsets", "lost"),
    [(("", "", ""), ["b", "c", "d"]), (("training", "training", "validation"), ["c", "d"])],
    ids=["without annotations", "annotated"],
)
def test_every_test_video_of_the_catalog_is_in_the_detections(
    results_dir: Path, subsets: tuple[str, ...], lost: list[str]
) -> None:
    rows = [vars(VideoInfo(i, "")) | {"subset": subset} for i, subset in zip("abc", subsets, strict=True)]
    write_rows(results_dir / "videos.parquet", VIDEOS_SCHEMA, rows, PROVENANCE)
    results = run(results_dir, "detections.json")["results"]
    assert read_submission(results_dir / "x_detections.json").list_videos_without_features() == lost
    assert {video: len(found) for video, found in results.items()} == {"a": 1, **dict.fromkeys(lost, 0)}


def test_detections_are_those_of_the_first_seed(results_dir: Path) -> None:
    run(results_dir, "detections.json")
    assert read_detections(results_dir / "x_detections.json") == read_detections(
        results_dir / "runs/stpn/seed-0/detections.json"
    )
    provenance = read_provenance(results_dir / "x_detections.json")
    assert (provenance.stage, provenance.inputs.keys()) == ("summarize", {"catalog", "stpn/seed-0"})


def test_a_page_of_results_and_one_of_differences(results_dir: Path) -> None:
    results = write(results_dir, "table.md", ALL_RUNS).read_text()
    assert results.startswith("# Results on x\n")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in results.splitlines() if "| ours" in line]
    assert [row[1:] for row in rows] == [
        ["STPN", "stpn", "ours", "50.0 ± 14.1", "25.0 ± 7.1", "37.5 ± 10.6", "70", "-"],
        ["UGCT (reconstructed)", "ugct", "ours", "60.0 ± 14.1", "30.0 ± 7.1", "45.0 ± 10.6", "70", "-"],
    ]
    differences = write(results_dir, "ablation.md", ALL_RUNS).read_text()
    assert differences.startswith("# Ablation on x\n")
    assert re.search(r"\| +stpn +\| STPN +\| ours +\|.*\| +\+7\.50 \| +\[\+7\.50, \+7\.50\] \| +2 \|", differences)


def write_training_times(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_the_minutes_of_a_run_are_those_of_its_rounds(results_dir: Path, tmp_path: Path) -> None:
    """The scores have one round: a time of an older second round does not count. STPN's second seed was killed."""
    header = "s\th:m:s\n"
    folder = write_training_times(tmp_path / "train", {
        "ugct/seed-0/round-0": f"{header}60.0\t0:01:00\n", "ugct/seed-3/round-0": f"{header}180.0\t0:03:00\n",
        "ugct/seed-0/round-1": f"{header}999.0\t0:16:39\n",
        "stpn/seed-0/round-0": f"{header}60.0\t0:01:00\n", "stpn/seed-3/round-0": "s\th:m",
    })  # fmt: skip
    table = write(results_dir, "table.csv", ALL_RUNS, TableFiles(training_times=folder))
    with table.open(newline="") as file:
        minutes = {row["run"]: row["training minutes"] for row in csv.DictReader(file) if row["source"] == "ours"}
    assert minutes == {"ugct": "2.0", "stpn": ""}


def test_the_bound_of_perfect_curves_is_in_both_tables_and_their_provenance(results_dir: Path) -> None:
    path = results_dir / "perfect_curves_map.json"
    path.write_text(json.dumps(build_scores(0.9) | {"method": PERFECT_CURVES}))
    files = TableFiles(perfect_curves=path)
    page = write(results_dir, "table.md", ALL_RUNS, files).read_text()
    assert "## Bounds" in page
    assert "bound: perfect curves (uses the annotations of the test videos)" in page
    assert read_provenance(results_dir / "x_table.md").inputs["perfect_curves"] == PROVENANCE.id
    assert "bound: perfect curves (uses the" in write(results_dir, "table.csv", ALL_RUNS, files).read_text()
    assert "perfect curves" not in write(results_dir, "table.md", ALL_RUNS).read_text()


def test_the_scores_of_a_run_are_no_bound(results_dir: Path) -> None:
    files = TableFiles(perfect_curves=results_dir / "runs/stpn/seed-0/map.json")
    with pytest.raises(UserError, match=r"--perfect-curves .*map\.json: not the scores of perfect curves"):
        write(results_dir, "table.md", ALL_RUNS, files)


def test_simulated_stands_in_the_titles(results_dir: Path) -> None:
    for summary in ("table.md", "ablation.md"):
        title = write(results_dir, summary, replace(ALL_RUNS, simulated=True)).read_text().splitlines()[0]
        assert title.endswith("on x (simulated)")


def test_tables_contain_the_provenance_of_every_run_and_seed(results_dir: Path) -> None:
    page = write(results_dir, "table.md", ALL_RUNS).read_text()
    found = re.findall(r"<!-- provenance (.*) -->", page)
    with write(results_dir, "table.csv", ALL_RUNS).open(newline="") as file:
        sheet = list(csv.DictReader(file))
    for text in (*found, sheet[0]["provenance"]):
        provenance = Provenance.from_json(text)
        assert provenance.stage == "summarize"
        assert provenance.inputs.keys() == {"catalog", "stpn/seed-0", "stpn/seed-3", "ugct/seed-0", "ugct/seed-3"}
        assert provenance.spec == to_plain_data(ALL_RUNS)
    assert len(found) == 1
    assert [row["0.1"] for row in sheet if row["source"] == "ours"] == ["50", "60"]


def test_another_run_makes_only_the_tables_again() -> None:
    data = shipped_config()
    data["runs"]["another"] = {"method": "tcam"}

    def specs() -> dict[str, str]:
        config = load_config(data)
        return {
            s: to_canonical_json(build_stage_spec(config, "summarize", {"dataset": "demo", "summary": s}))
            for s in SUMMARIES
        }

    before = specs()
    data["datasets"]["demo"]["runs"].append("another")
    after = specs()
    assert {s for s in before if before[s] != after[s]} == set(SUMMARY_TABLES)


def test_an_unknown_summary_is_an_error_with_the_valid_names(results_dir: Path) -> None:
    with pytest.raises(UserError, match=r"--summary plot\.md: .*map\.json, .*table\.csv, ablation\.md"):
        write(results_dir, "plot.md", ALL_RUNS)


def test_a_table_needs_the_settings_of_its_runs(results_dir: Path) -> None:
    with pytest.raises(UserError, match=r"runs: table\.md needs the settings of every run, also of stpn"):
        write(results_dir, "table.md", MAIN_RUN)


def test_a_run_that_was_not_scored_is_named(results_dir: Path) -> None:
    (results_dir / "runs/ugct/seed-3/map.json").unlink()
    with pytest.raises(UserError, match=r"ugct/seed-3/map\.json: cannot read the file"):
        write(results_dir, "table.md", ALL_RUNS)
