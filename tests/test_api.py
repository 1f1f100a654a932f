"""The library behind `import clip_ae`: light, typed, and the same code as the workflow's."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import clip_ae
from clip_ae.core.provenance import Provenance
from clip_ae.core.score_columns import list_score_columns
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Detection, VideoFeatures
from clip_ae.data.shards import write_shard
from tests.builders import ROOT

ANNOTATIONS = {
    "database": {
        "a": {"subset": "test", "annotations": [{"label": "jump", "segment": [1.0, 4.0]}]},
        "b": {"subset": "test", "annotations": [{"label": "run", "segment": [2.0, 9.0]}]},
    }
}
PERFECT = [Detection("a", "jump", 0.9, 1.0, 4.0), Detection("b", "run", 0.8, 2.0, 9.0)]


def run_python(program: str, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_library_loads_no_heavy_module() -> None:
    heavy = "{'torch', 'numpy', 'pyarrow', 'yaml', 'av', 'snakemake', 'pandas'}"
    program = f"import sys, clip_ae; print(sorted({heavy} & set(sys.modules)))"
    assert run_python(program, ROOT) == "[]"


def test_every_public_name_is_there_and_documented() -> None:
    for name in clip_ae.__all__:
        value = getattr(clip_ae, name)
        assert name == "__version__" or value.__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'evaluat'"):
        clip_ae.evaluat  # noqa: B018


def test_perfect_detections_score_one() -> None:
    scores = clip_ae.evaluate(ANNOTATIONS, PERFECT, bootstrap_samples=0)
    assert scores.average_map == 1.0
    assert set(scores.map_by_tiou) == {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7}


def test_of_equally_wide_ranges_the_average_is_that_of_the_last_column() -> None:
    content = {"mAP": {}, "average": {"0.1:0.5": 0.4, "0.3:0.7": 0.2}}
    assert list_score_columns(content)[-1] == ("average", "0.3:0.7")
    assert clip_ae.Scores(content).average_map == 0.2


def test_frames_are_scored_if_a_frame_protocol_is_given() -> None:
    timed = {"database": {i: {**entry, "duration": 10.0} for i, entry in ANNOTATIONS["database"].items()}}
    scores = clip_ae.evaluate(timed, PERFECT, frame_protocol="charades", bootstrap_samples=0)
    assert scores.frame_map == pytest.approx(1.0)
    assert clip_ae.evaluate(timed, PERFECT, bootstrap_samples=0).frame_map is None
    with pytest.raises(clip_ae.UserError, match="frame_protocol: 'frames' is not one of charades"):
        clip_ae.evaluate(timed, PERFECT, frame_protocol="frames")
    with pytest.raises(clip_ae.UserError, match="video 'a' has no duration above 0"):
        clip_ae.evaluate(ANNOTATIONS, PERFECT, frame_protocol="charades")


def test_files_and_dictionaries_score_alike(tmp_path: Path) -> None:
    import json

    (tmp_path / "gt.json").write_text(json.dumps(ANNOTATIONS))
    shifted = [Detection(d.video_id, d.label, d.score, d.start + 1, d.stop + 1) for d in PERFECT]
    submission = clip_ae.Detections(shifted).to_dict()
    (tmp_path / "d.json").write_text(json.dumps(submission))
    one = clip_ae.evaluate(tmp_path / "gt.json", tmp_path / "d.json", tiou=[0.5, 0.7])
    other = clip_ae.evaluate(ANNOTATIONS, submission, tiou=[0.5, 0.7])
    assert one.content == other.content
    # Overlaps of 2/4 and 6/8.
    assert one.map_by_tiou == {0.5: 1.0, 0.7: 0.5}


def test_no_detections_score_zero() -> None:
    assert clip_ae.evaluate(ANNOTATIONS, []).average_map == 0.0


@pytest.mark.parametrize(
    ("detection", "words"),
    [
        (Detection("a", "jumpp", 0.9, 1.0, 4.0), "detections: label 'jumpp' .* did you mean 'jump'"),
        (Detection("a", "jump", float("nan"), 1.0, 4.0), "detections: video 'a', detection 0: score: nan"),
        (Detection("a", "jump", 0.9, float("inf"), 4.0), "detections: video 'a', detection 0: .*inf"),
        (Detection("a", "jump", 0.9, 4.0, 1.0), "detections: video 'a', detection 0"),
    ],
)
def test_bad_detections_are_refused_with_their_place(detection: Detection, words: str) -> None:
    with pytest.raises(clip_ae.ClipAeError, match=words):
        clip_ae.evaluate(ANNOTATIONS, [detection])


def test_several_subsets_need_a_choice() -> None:
    both = {"database": {**ANNOTATIONS["database"], "c": {"subset": "train", "annotations": []}}}
    with pytest.raises(clip_ae.UserError, match="test, train; give subset="):
        clip_ae.evaluate(both, PERFECT)


def test_compare_tells_a_better_result() -> None:
    database = {f"v{i}": ANNOTATIONS["database"]["a"] for i in range(30)}
    good = [Detection(f"v{i}", "jump", 0.9, 1.0, 4.0) for i in range(30)]
    bad = [Detection(f"v{i}", "jump", 0.9, 2.5, 5.5) for i in range(30)]
    scores = [clip_ae.evaluate({"database": database}, detections) for detections in (good, bad)]
    comparison = clip_ae.compare(*scores)
    assert comparison.is_significant
    assert comparison.metrics[-1].comparison.difference > 0.3
    assert repr(comparison) == "average over 0.1:0.7: +57.1 percentage points, 95 % from +57.1 to +57.1"
    assert not clip_ae.compare(scores[0], scores[0]).is_significant


def test_compare_needs_bootstrap_samples() -> None:
    scores = clip_ae.evaluate(ANNOTATIONS, PERFECT, bootstrap_samples=0)
    with pytest.raises(clip_ae.UserError, match="first: has fewer than 100 bootstrap samples"):
        clip_ae.compare(scores, scores)


def test_dataframes_have_a_row_for_each_thing() -> None:
    pytest.importorskip("pandas")
    scores = clip_ae.evaluate(ANNOTATIONS, PERFECT)
    assert list(scores.to_dataframe().columns) == ["tiou", "mAP"]
    assert len(clip_ae.Detections(PERFECT).to_dataframe()) == 2


def test_detections_print_as_a_short_table() -> None:
    assert repr(clip_ae.Detections(PERFECT)) == (
        "2 detections in 2 videos\na      1.00 to     4.00 s  0.900  jump\nb      2.00 to     9.00 s  0.800  run"
    )
    assert repr(clip_ae.Detections(PERFECT * 6)).count("\n") == 11
    assert repr(clip_ae.Detections(PERFECT * 6)).endswith("\n...")
    assert repr(clip_ae.Detections([])) == "0 detections in 0 videos"


def video(name: str) -> VideoFeatures:
    times = np.arange(3) * 0.64
    return VideoFeatures(name, times, times + 0.64, np.ones(3, np.float32), np.full((3, 4), 2, np.float16))


def test_shards_load_as_features(tmp_path: Path) -> None:
    provenance = Provenance("extract", {}, "code")
    for stream in ("rgb", "flow"):
        write_shard(tmp_path / stream / "0000-of-0001.parquet", stream, 4, [video("a"), video("b")], provenance)
    features = clip_ae.load_features(tmp_path)
    assert features.streams == ["flow", "rgb"]
    assert list(features) == ["a", "b"]
    assert features["a"]["rgb"].feature.shape == (3, 4)
    assert clip_ae.load_features(tmp_path, ["rgb"]).streams == ["rgb"]
    assert repr(features["a"]["rgb"]) == "VideoFeatures('a', 3 snippets, 4 dimensions)"
    with pytest.raises(KeyError, match="c: no such video; known: a, b"):
        features["c"]
    assert "c" not in features


def test_npy_files_load_as_features(tmp_path: Path) -> None:
    (tmp_path / "rgb").mkdir()
    np.save(tmp_path / "rgb/a.npy", np.ones((3, 4), np.float32))
    features = clip_ae.load_features(tmp_path)
    assert features["a"]["rgb"].start.tolist() == pytest.approx([0, 0.64, 1.28])


def test_a_file_of_all_videos_loads_as_features(tmp_path: Path) -> None:
    np.savez(tmp_path / "all.npz", a=np.ones((3, 4), np.float32), b=np.full((2, 4), 2, np.float32))
    features = clip_ae.load_features(tmp_path / "all.npz", ["clip"], SnippetGrid(1, 1, 1))
    assert features["b"]["clip"].feature.tolist() == [[2] * 4] * 2
    assert features["a"]["clip"].stop.tolist() == [1, 2, 3]
    with pytest.raises(clip_ae.UserError, match="layout npz does not name its streams"):
        clip_ae.load_features(tmp_path / "all.npz")
    (tmp_path / "rgb").mkdir()
    (tmp_path / "rgb/c.npy").write_bytes(b"text")
    with pytest.raises(clip_ae.UserError, match=r"fits 2 layouts, streams .* and npz"):
        clip_ae.load_features(tmp_path)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "rgb").mkdir()
    np.save(tmp_path / "rgb/a.npy", np.ones((3, 4), np.float32))
    (tmp_path / "rgb/c.npy").write_bytes(b"text")
    with pytest.raises(clip_ae.RefusedInput, match=r"^c: c\.npy is not a \.npy file of numbers"):
        clip_ae.load_features(tmp_path)


def test_a_folder_without_features_is_refused(tmp_path: Path) -> None:
    with pytest.raises(clip_ae.UserError, match="no features in a known layout"):
        clip_ae.load_features(tmp_path)
    with pytest.raises(clip_ae.UserError, match="no such folder"):
        clip_ae.load_features(tmp_path / "absent")


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(clip_ae.UserError, match="no finished run"):
        clip_ae.Localizer.load(tmp_path, device="cpu")


BLOCK = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BLOCKED: raise ModuleNotFoundError(f"No module named {name!r}", name=name)
BLOCKED = {"snakemake", "pandas", "av", "decord"}
sys.meta_path.insert(0, Absent())
"""


def test_scoring_works_without_snakemake_pandas_and_av(tmp_path: Path) -> None:
    program = f"""{BLOCK}
import clip_ae
annotations = {ANNOTATIONS!r}
scores = clip_ae.evaluate(annotations, {{"version": "1", "results": {{}}}})
print(scores.average_map)
try:
    scores.to_dataframe()
except clip_ae.UserError as error:
    print(error)
"""
    assert run_python(program, tmp_path, PYTHONPATH=str(ROOT)) == "0.0\nto_dataframe() needs pandas: pip install pandas"


@pytest.fixture(scope="module")
def installed_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked outside the checkout; its dependencies are those of this environment."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, ROOT],
        check=True,
    )
    (wheel,) = folder.glob("clip_ae-*.whl")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder / "site", wheel], check=True
    )
    return folder / "site"


def test_the_wheel_works_outside_the_checkout(installed_wheel: Path, tmp_path: Path) -> None:
    program = f"""
import clip_ae
assert {str(ROOT)!r} not in clip_ae.__file__, clip_ae.__file__
print(clip_ae.evaluate({ANNOTATIONS!r}, {{"version": "1", "results": {{}}}}).average_map)
"""
    assert run_python(program, tmp_path, PYTHONPATH=str(installed_wheel)) == "0.0"
    names = {str(path.relative_to(installed_wheel)) for path in installed_wheel.rglob("*") if path.is_file()}
    for name in (
        "py.typed",
        "resources/config.yaml",
        "resources/Snakefile",
        "resources/workflow/vocabularies/everyday.txt",
    ):
        assert f"clip_ae/{name}" in names
    assert "clip_ae/resources/workflow/schemas/config.schema.json" in names
    assert "clip_ae/pages/browser/style.css" in names


def test_commands_of_the_wheel_work_in_a_read_only_folder(installed_wheel: Path, tmp_path: Path) -> None:
    """`plan` and `features` find the shipped config and rules; a mistake ends in one line."""
    tmp_path.chmod(0o555)
    for words in (["plan", "results/thumos14_map.json"], ["features", "no.mp4", "--out", str(tmp_path / "x")]):
        done = subprocess.run(
            [sys.executable, "-m", "clip_ae", *words],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(installed_wheel), "HOME": str(tmp_path.parent)},
            check=False,
        )
        assert done.returncode in (2, 3), done.stderr
        assert "Traceback" not in done.stderr
        assert done.stderr.count("clip-ae: ") == 1, done.stderr
