import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clip_ae.cli import main
from clip_ae.core.provenance import Provenance
from clip_ae.data.parquet import CURVES_SCHEMA, write_rows


@pytest.fixture
def files(tmp_path):
    database = {
        f"v{n}": {
            "subset": "test",
            "duration": 20.0,
            "annotations": [{"label": "ab"[n % 2], "segment": [2.0, 6.0 + n]}],
        }
        for n in range(6)
    }
    (tmp_path / "gt.json").write_text(json.dumps({"database": database}))
    return tmp_path


def write_detections(tmp_path, rows):
    results = {}
    for video, label, score, start, stop in rows:
        results.setdefault(video, []).append({"label": label, "score": score, "segment": [start, stop]})
    (tmp_path / "det.json").write_text(json.dumps({"results": results}))


def run_diagnose(tmp_path, *options):
    command = ["diagnose", "--ground-truth", tmp_path / "gt.json", "--detections", tmp_path / "det.json"]
    assert main([str(w) for w in [*command, "--subset", "test", "--out", tmp_path / "d.json", *options]]) == 0
    return json.loads((tmp_path / "d.json").read_text())


def test_the_figures_and_the_table_of_anyones_detections(files, capsys):
    write_detections(
        files, [(f"v{n}", "ab"[n % 2], 0.9, 2.0, 6.0 + n) for n in range(4)] + [("v4", "b", 0.95, 2.0, 10.0)]
    )
    diagnosis = run_diagnose(files)
    assert diagnosis["kinds"]["1G"] == {
        "true": 4, "double": 0, "wrong label": 1, "localization": 0, "confusion": 0, "background": 0,
    }  # fmt: skip
    assert diagnosis["missed"] == pytest.approx(2 / 6)
    assert diagnosis["cost"]["wrong label"]["average"] > 0
    assert diagnosis["cost"]["double"]["average"] == 0
    assert sum(group["actions"] for group in diagnosis["traits"]["length"]) == 6
    assert diagnosis["traits"]["coverage"][0]["from"] == 0.2
    # One group of all actions. AP of a: 2 of 3 found; of b: after a false detection, precision 2 / 3 at both.
    assert [group["group_mAP"] for group in diagnosis["traits"]["instances"]] == [pytest.approx((2 / 3 + 4 / 9) / 2)]
    assert diagnosis["boundary_error"]["start"] == {"median_absolute_s": 0.0, "mean_signed_s": 0.0}
    # The detection of v4 has the wrong label, but is a proposal.
    assert diagnosis["proposals"]["AR"]["10"] == pytest.approx(5 / 6)
    assert "curves" not in diagnosis
    assert diagnosis["videos"] == {"v0": 1.0, "v1": 1.0, "v2": 1.0, "v3": 1.0, "v4": 0.0, "v5": 0.0}
    table = capsys.readouterr().out
    assert "33.3 % of the actions are missed at tIoU 0.5" in table
    assert table.splitlines()[1].split() == ["true", "80.0", "80.0", "80.0"]
    assert "boundary of 4 true detections" in table
    assert "AUC, %" not in table


def test_clusters_get_the_names_that_their_scores_gave_them(files):
    write_detections(files, [("v0", "cluster-00", 0.8, 2.0, 6.0)])
    weights = {"cluster-00": {"a": 1.0, "b": 0.5}}
    (files / "map.json").write_text(
        json.dumps({"mapping": {"headline": "soft_majority", "soft_majority": {"weights": weights}}})
    )
    diagnosis = run_diagnose(files, "--scores", files / "map.json")
    # Once as `a`, where it is true, once as `b`.
    assert diagnosis["kinds"]["10G"]["true"] == 1
    assert diagnosis["kinds"]["10G"]["wrong label"] == 1


def write_curves(path, attention_by_video, activation_by_video):
    rows = [
        {
            "video_id": video_id,
            "snippet": k,
            "attention": value,
            "activation": [(label, curve[k]) for label, curve in activation_by_video[video_id].items()],
        }
        for video_id, attention in attention_by_video.items()
        for k, value in enumerate(attention)
    ]
    grid = {"fps": 25.0, "frames": 50, "stride": 50}
    write_rows(path, CURVES_SCHEMA, rows, Provenance("localize", {"grid": grid}, ""))


def test_curves_are_compared_with_the_actions(files, capsys):
    """Snippets of 2 s: the action of v0 is 2 to 6 s, that of v1 is 2 to 7 s."""
    write_detections(files, [("v0", "cluster-00", 0.8, 2.0, 6.0)])
    weights = {"cluster-00": {"a": 1.0}, "cluster-01": {"b": 1.0}}
    mapping = {"headline": "soft_majority", "soft_majority": {"weights": weights}}
    (files / "map.json").write_text(json.dumps({"mapping": mapping}))
    curves = {"v0": [0.1, 0.9, 0.9, 0.1], "v1": [0.9, 0.1, 0.9, 0.9]}
    activation = {"v0": {"cluster-00": curves["v0"]}, "v1": {"cluster-00": curves["v1"]}}
    write_curves(files / "curves.parquet", curves, activation)
    diagnosis = run_diagnose(files, "--scores", files / "map.json", "--curves", files / "curves.parquet")
    assert diagnosis["curves"]["attention"] == {"auc": pytest.approx((1 + 0.25) / 2), "videos": 2}
    assert diagnosis["curves"]["activation"] == {"auc": 1.0, "pairs": 1, "pairs_without_curve": 1}
    assert "curves" in diagnosis["provenance"]["inputs"]
    assert "1 pair (1 more without a curve)" in capsys.readouterr().out


def test_a_broken_table_of_curves_is_refused_in_a_line(files, capsys):
    write_detections(files, [("v0", "a", 0.8, 2.0, 6.0)])
    pq.write_table(pa.Table.from_pylist([{"video_id": "v0"}]), files / "curves.parquet")
    options = ["--ground-truth", files / "gt.json", "--detections", files / "det.json", "--subset", "test"]
    options += ["--out", files / "d.json", "--curves", files / "curves.parquet"]
    assert main(["diagnose", *map(str, options)]) == 3
    assert "curves.parquet: not a table of this project" in capsys.readouterr().err


def test_without_a_video_length_coverage_has_no_groups(files):
    database = json.loads((files / "gt.json").read_text())["database"]
    for entry in database.values():
        del entry["duration"]
    (files / "gt.json").write_text(json.dumps({"database": database}))
    write_detections(files, [])
    diagnosis = run_diagnose(files, "--tiou", "0.3", "0.7")
    assert diagnosis["traits"]["coverage"] == []
    assert diagnosis["missed"] == 1.0
    assert diagnosis["boundary_error"] == {"actions": 0, "start": None, "stop": None}
    assert diagnosis["proposals"] == {"AR": {"10": 0.0, "50": 0.0, "100": 0.0}, "AUC": 0.0, "per_video": 0.0}
    assert {group["group_mAP"] for groups in diagnosis["traits"].values() for group in groups} == {0.0}
    assert set(diagnosis["cost"]["background"]) == {"0.3", "0.7", "average"}


def test_unknown_labels_and_scores_without_cluster_names_are_errors(files, capsys):
    write_detections(files, [("v0", "cluster-00", 0.8, 2.0, 6.0)])
    options = ["diagnose", "--ground-truth", files / "gt.json", "--detections", files / "det.json", "--subset", "test"]
    options = [str(word) for word in [*options, "--out", files / "d.json"]]
    assert main(options) == 2
    assert (
        "clusters need class names: use `clip-ae evaluate --labels` or `clip-ae diagnose --scores`"
        in capsys.readouterr().err
    )
    (files / "map.json").write_text(json.dumps({"mapping": {"headline": "hungarian", "hungarian": {"mAP": {}}}}))
    assert main([*options, "--scores", str(files / "map.json")]) == 2
    assert "map.json: names no clusters" in capsys.readouterr().err


def test_a_catalog_without_lengths_is_refused_in_a_line(files, capsys):
    write_detections(files, [("v0", "a", 0.8, 2.0, 6.0)])
    pq.write_table(pa.Table.from_pylist([{"video_id": "v0", "length": 3.0}]), files / "videos.parquet")
    options = ["--ground-truth", files / "gt.json", "--detections", files / "det.json", "--subset", "test"]
    options += ["--out", files / "d.json", "--catalog", files / "videos.parquet"]
    assert main(["diagnose", *map(str, options)]) == 3
    assert "videos.parquet: not a table of this project" in capsys.readouterr().err
