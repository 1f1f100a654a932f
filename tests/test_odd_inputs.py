"""Odd inputs of commands and of the Python API: each ends in one line with its exit code, and no file is lost."""

import json
import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import clip_ae
from clip_ae.cli import main
from clip_ae.core.errors import ClipAeError, RefusedInput, UserError
from clip_ae.core.provenance import Provenance
from clip_ae.core.types import Detection, VideoFeatures
from clip_ae.data.layouts.npz_file import open_npz
from clip_ae.data.shards import write_shard
from clip_ae.provenance.run_folder import TrainedRun, find_trained_run
from tests.tools.test_compare import write_scores

TRUTH = {
    "database": {"v1": {"subset": "validation", "duration": 10, "annotations": [{"label": "a", "segment": [1, 2]}]}}
}
VIDEO = VideoFeatures("a", np.arange(4.0), np.arange(1.0, 5), np.ones(4, np.float32), np.ones((4, 3), np.float16))
FOUND = {"results": {"v1": [{"label": "a", "score": 0.5, "segment": [1.0, 2.0]}]}}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "gt.json").write_text(json.dumps(TRUTH))
    (tmp_path / "det.json").write_text(json.dumps(FOUND))
    monkeypatch.chdir(tmp_path)
    return tmp_path


MAKE_DEMO = ["make_demo", "--videos", "v", "--annotations", "a", "--sentences", "s", "--manifest", "m"]
DIAGNOSE = [
    "diagnose",
    "--subset",
    "validation",
    "--ground-truth",
    "gt.json",
    "--detections",
    "det.json",
    "--out",
    "o.json",
]
EVALUATE = ["evaluate", "--subset", "validation", "--ground-truth", "gt.json", "--detections", "det.json", "--out"]


def error_of(words: list[str], capsys: pytest.CaptureFixture[str], code: int = 2) -> str:
    """The one line of a command that ends with this code."""
    capsys.readouterr()
    assert main(words) == code
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("clip-ae: ")]
    assert len(lines) == 1
    return lines[0]


# --- files that are no files ---


@pytest.mark.parametrize("kind", ["pipe", "device", "link to a pipe"])
def test_an_output_never_takes_the_place_of_a_pipe_or_a_device(
    kind: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "out.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        try:
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        except PermissionError:
            pytest.skip("devices cannot be made here")
    else:
        os.mkfifo(folder / "pipe")
        path.symlink_to(folder / "pipe")
    before = path.lstat()
    assert "is a pipe or a device; name a file" in error_of([*EVALUATE, "out.json"], capsys)
    assert path.lstat().st_mode == before.st_mode


def test_a_link_to_itself_is_replaced(folder: Path) -> None:
    (folder / "o.json").symlink_to("o.json")
    assert main([*EVALUATE, "o.json"]) == 0
    assert not (folder / "o.json").is_symlink()


def test_an_output_that_is_a_link_is_written_where_the_link_points(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "out.json").symlink_to("elsewhere/map.json")
    assert main([*EVALUATE, "out.json"]) == 0
    assert (folder / "out.json").is_symlink()
    assert json.loads((folder / "elsewhere/map.json").read_text())["mAP"]


@pytest.mark.parametrize("path", ["/dev/zero", "pipe"])
def test_inputs_that_never_end_are_refused(path: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(folder / "pipe")
    for words in (
        ["show", path, "v1"],
        ["evaluate", "--ground-truth", path, "--detections", "det.json", "--out", "o.json"],
        ["evaluate", "--ground-truth", "gt.json", "--detections", path, "--out", "o.json"],
        ["compare", path, path],
        ["repro", path],
    ):
        assert "is a pipe or a device" in error_of(words, capsys)


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.parquet", "a.h5"])
def test_a_pipe_among_feature_files_ends(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "f/rgb").mkdir(parents=True)
    os.mkfifo(folder / "f/rgb" / name)
    assert main(["import", "f", "--out", "o"]) in (0, 2, 3)


# --- paths that the system refuses ---


@pytest.mark.parametrize(
    "words",
    [
        [*EVALUATE, "LONG"],
        ["evaluate", "--ground-truth", "LONG", "--detections", "det.json", "--out", "o.json"],
        ["import", "LONG", "--out", "o"],
        ["import", "f", "--out", "LONG"],
        ["explain", "LONG.json"],
        ["ground", "LONG", "a query"],
    ],
    ids=" ".join,
)
def test_names_that_are_too_long(words: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "f/rgb").mkdir(parents=True)
    np.save(folder / "f/rgb/a.npy", np.ones((4, 3), np.float32))
    assert "name too long" in error_of([word.replace("LONG", "x" * 300) for word in words], capsys)


def test_names_that_are_not_utf_8(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = os.fsdecode(b"g\xff.json")
    (folder / name).write_text(json.dumps(TRUTH))
    words = ["annotations", "thumos14", "--from", name, "--out", "a.json"]
    error = error_of(words, capsys)
    assert "not UTF-8; rename the file" in error
    assert len(error) < 200


def test_a_folder_that_was_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for name, content in (("gt.json", TRUTH), ("det.json", FOUND)):
        (tmp_path / name).write_text(json.dumps(content))
    words = ["evaluate", "--ground-truth", f"{tmp_path}/gt.json", "--detections", f"{tmp_path}/det.json", "--out", "o"]
    assert main(words) == 2
    assert capsys.readouterr().err.startswith("clip-ae: ")


# --- options ---


@pytest.mark.parametrize("option", ["--fps=-1", "--fps=0", "--fps=nan", "--stride=0", "--frames=-5"])
def test_a_grid_that_cannot_be(option: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "f/rgb").mkdir(parents=True)
    np.save(folder / "f/rgb/a.npy", np.ones((4, 3), np.float32))
    name = option[2:].partition("=")[0]
    assert f"import.{name}: " in error_of(["import", "f", "--out", "o", option], capsys)


def test_an_import_never_replaces_the_features_that_it_reads(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "f/rgb").mkdir(parents=True)
    path = folder / "f/rgb/0000-of-0001.parquet"
    write_shard(path, "rgb", 3, [VIDEO], Provenance("extract", {}, "code"))
    before = path.read_bytes()
    assert "is the folder of the features" in error_of(["import", "f", "--out", "./f"], capsys)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["verify", "--root", "nope"], "--root nope: no such folder"),
        ([*MAKE_DEMO, "--num-workers", "0"], "--num-workers 0: expected at least 1"),
        (["verify", "--config-json", "{"], "--config-json: not JSON"),
        (["verify", "--config-json", "[" * 100_000], "--config-json: not JSON"),
        ([*EVALUATE, "o.json", "--set", "evaluation.tiou=[]"], "evaluation.tiou: expected rising numbers"),
        (
            [*DIAGNOSE, "--set", "tiou=[]"],
            "diagnose.tiou: expected rising numbers",
        ),
    ],
)
def test_options_that_say_nothing(
    words: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in error_of(words, capsys)


def test_a_video_whose_id_begins_with_a_dash_can_be_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "det.json").write_text(json.dumps(FOUND).replace("v1", "--fjG5"))
    assert main(["show", "det.json", "--", "--fjG5"]) == 0
    assert "--fjG5, 2.0 s" in capsys.readouterr().out


def test_a_terminal_of_two_billion_columns(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "2000000000")
    assert main(["show", "det.json", "v1"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 1010


def test_a_config_whose_aliases_are_millions_of_keys(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["w:", "  k0: &k0 {a: 1}"]
    lines += [f"  k{i}: &k{i} {{{', '.join(f'a{j}: *k{i - 1}' for j in range(9))}}}" for i in range(1, 7)]
    (folder / "config.yaml").write_text("\n".join(["'x.y': 1", "x: {y: 1}", *lines]))
    assert "has 20,000 keys or more" in error_of(["verify"], capsys)
    deep = "d: " + "{d: " * 10 + "*k6" + "}" * 10
    (folder / "config.yaml").write_text("\n".join([*lines[:2], "  k6: &k6 {b: *k0}", deep]))
    assert "nested more than 8 deep" in error_of(["verify"], capsys)


# --- content of JSON files ---

Edit = Callable[[dict[str, Any]], object]
ODD_SCORES: dict[str, Edit] = {
    "text": lambda m: m["mAP"].update({"0.5": "abc"}),
    "nothing": lambda m: m["mAP"].update({"0.5": None}),
    "a list": lambda m: m["mAP"].update({"0.5": [1]}),
    "nan": lambda m: m["mAP"].update({"0.5": float("nan")}),
    "draws of nan": lambda m: m["bootstrap"]["mAP"].update({"0.5": m["bootstrap"]["mAP"]["0.5"] + " nan"}),
    "no truth": lambda m: m["bootstrap"].pop("truth"),
    "no protocol": lambda m: m["bootstrap"].pop("protocol"),
    "a number of 400 digits": lambda m: m["mAP"].update({"0.5": 10**400}),
    "an odd tIoU": lambda m: (m["mAP"].update(abc=0.5), m["bootstrap"]["mAP"].update(abc="0.5")),
    "an odd range": lambda m: (m["average"].update(zz=0.5), m["bootstrap"]["average"].update(zz="0.5")),
}


def test_scores_of_frames_have_draws_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A draw without a positive frame is left out of frame_mAP alone: an action may lie between two frames."""
    actions = {"v1": (10.0, [1.0, 9.0]), "v2": (100.0, [1.0, 1.5])}
    truth = {
        i: {"subset": "validation", "duration": d, "annotations": [{"label": "a", "segment": s}]}
        for i, (d, s) in actions.items()
    }
    found = {i: [{"label": "a", "score": 0.5, "segment": s}] for i, (_, s) in actions.items()}
    scores = clip_ae.evaluate({"database": truth}, {"results": found}, frame_protocol="charades")
    draws = [scores.content["bootstrap"][kind] for kind in ("mAP", "frame_mAP")]
    assert len({len(text.split()) for columns in draws for text in columns.values()}) == 2
    assert not any(metric.comparison.is_significant for metric in clip_ae.compare(scores, scores).metrics)


@pytest.mark.parametrize("name", ODD_SCORES)
def test_scores_that_cannot_be_compared(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_scores(tmp_path, "first", 5)
    content = json.loads(path.read_text())
    ODD_SCORES[name](content)
    (tmp_path / "odd.json").write_text(json.dumps(content))
    assert "odd.json" in error_of(["compare", str(tmp_path / "odd.json"), str(path)], capsys)


WEIGHTS = [
    [1], None, "x", {"headline": ["a"]}, {"headline": "m", "m": {"weights": {"c": {"a": "1"}}}},
    {"headline": "m", "m": {"weights": {"c": None}}}, {"headline": "m", "m": {"weights": {"c": [1]}}},
    {"headline": "m", "m": {"weights": {"c": {"a": float("nan")}}}},
    {"headline": "m", "m": {"weights": {"c": {"a": -0.5}}}},
]  # fmt: skip


@pytest.mark.parametrize("mapping", WEIGHTS, ids=str)
def test_cluster_weights_that_are_none(mapping: Any, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "map.json").write_text(json.dumps({"mapping": mapping}))
    assert "names no clusters" in error_of([*DIAGNOSE, "--scores", "map.json"], capsys)


@pytest.mark.parametrize("spec", [{}, {"main_run": "r", "seeds": []}, {"main_run": "r", "seeds": 5}])
def test_summaries_that_name_no_run(spec: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    provenance = {"stage": "summarize", "spec": spec, "code": "c", "inputs": {}, "libraries": {}, "format": 2}
    (tmp_path / "d_map.json").write_text(json.dumps({"provenance": provenance}))
    with pytest.raises(ClipAeError, match=r"d_map.json|no finished run"):
        find_trained_run(tmp_path / "d")


@pytest.mark.parametrize("content", [{}, {"names": []}, {"names": {"c": []}}, {"names": {"c": [5]}}], ids=str)
def test_names_of_clusters_that_are_none(content: Any, tmp_path: Path) -> None:
    (tmp_path / "names.json").write_text(json.dumps(content))
    with pytest.raises(RefusedInput, match="has no names of clusters"):
        _ = TrainedRun(tmp_path).cluster_names


def test_a_frozen_run_whose_config_is_a_thousand_deep(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config: dict[str, Any] = {}
    for _ in range(400):
        config = {"a": config}
    content = {"outputs": {}, "machine": {}, "provenance": {"spec": {"config": config}}}
    (folder / "repro.json").write_text(json.dumps(content))
    assert "nested too deep" in error_of(["repro", "repro.json", "--config", "c.yaml"], capsys)


def test_seeds_that_torch_cannot_take(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "config.yaml").write_text(yaml.safe_dump({"datasets": {"demo": {"seeds": [20240101120000]}}}))
    assert "datasets.demo.seeds" in error_of(["verify"], capsys)


# --- the Python API ---


def test_two_arrays_of_one_name_in_an_archive_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", v=np.ones((2, 3), np.float32))
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("v", archive.read("v.npy"))
    with pytest.raises(RefusedInput, match="two arrays of one name"):
        open_npz(tmp_path / "a.npz")


def test_a_video_in_two_shards_is_refused(tmp_path: Path) -> None:
    for index in range(2):
        path = tmp_path / f"rgb/000{index}-of-0002.parquet"
        write_shard(path, "rgb", 3, [VIDEO], Provenance("extract", {}, "code"))
    with pytest.raises(RefusedInput, match="'a' is in another shard too"):
        clip_ae.load_features(tmp_path)


def test_files_that_a_layout_leaves_out_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "f/rgb").mkdir(parents=True)
    np.save(folder / "f/rgb/a.npy", np.ones((4, 3), np.float32))
    assert main(["import", "f", "--out", "o"]) == 0
    assert "left out" not in capsys.readouterr().err
    np.savez(folder / "f/rgb/b.npz", v=np.ones((4, 3), np.float32))
    assert main(["import", "f", "--out", "o"]) == 0
    assert "f: 1 files are left out, as rgb/b.npz: not of the layout streams" in capsys.readouterr().err


def test_what_import_wrote_can_be_loaded(folder: Path) -> None:
    (folder / "f/rgb").mkdir(parents=True)
    np.save(folder / "f/rgb/a.npy", np.ones((4, 3), np.float32))
    assert main(["import", "f", "--out", "o"]) == 0
    assert list(clip_ae.load_features(folder / "o")) == ["a"]


def test_settings_of_evaluate_are_checked() -> None:
    for options in ({"tiou": [2.0]}, {"tiou": [-1.0]}, {"tiou": []}, {"bootstrap_samples": -1}):
        with pytest.raises(UserError):
            clip_ae.evaluate(TRUTH, FOUND, **options)  # type: ignore[arg-type]


def test_scores_may_be_numbers_of_numpy() -> None:
    found = [Detection("v1", "a", np.float32(0.5), np.float32(1), np.float32(2))]  # type: ignore[arg-type]
    assert clip_ae.evaluate(TRUTH, found).average_map == 1.0
