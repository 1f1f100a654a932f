"""`clip-ae evaluate` on detections of any method: file forms, protocols, and one line for each mistake."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clip_ae.cli import main
from clip_ae.core.video_lists import VIDEO_LISTS

GROUND_TRUTH = {
    "a": [("run", 1.0, 3.0), ("jump", 5.0, 9.0)],
    "b": [("run", 0.0, 4.0), ("Ambiguous", 10.0, 12.0)],
    "c": [("jump", 2.0, 6.0)],
}
DETECTIONS = {
    "a": [("run", 0.9, 1.0, 3.0), ("jump", 0.8, 5.0, 9.0)],
    "b": [("run", 0.7, 0.0, 4.0)],
    "c": [("jump", 0.6, 2, 6)],
}


def write_ground_truth(tmp_path, videos=GROUND_TRUTH, text=False, **more):
    kind = str if text else float
    database = {
        i: {
            "subset": "test",
            "annotations": [{"label": name, "segment": [kind(a), kind(b)]} for name, a, b in listed],
            **more,
        }
        for i, listed in videos.items()
    }
    database["t"] = {"subset": "train", "annotations": [{"label": "swim", "segment": [0, 1]}]}
    return write_file(tmp_path / "gt.json", {"database": database})


def write_detections(tmp_path, videos=DETECTIONS):
    results = {
        i: [{"label": name, "score": s, "segment": [a, b]} for name, s, a, b in listed] for i, listed in videos.items()
    }
    return write_file(tmp_path / "det.json", {"results": results})


def write_file(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def evaluate(tmp_path, gt, det, *words):
    out = tmp_path / "map.json"
    code = main(["evaluate", "--ground-truth", str(gt), "--detections", str(det), "--out", str(out), *words])
    return code, json.loads(out.read_text()) if code == 0 else None


@pytest.mark.slow
def test_a_hundred_megabytes(tmp_path):
    """A million detections, as some methods submit them: all are read and scored."""
    videos = {f"v{k:04d}": [("run", 1.0, 3.0)] for k in range(1000)}
    one = '{{"label": "run", "score": {:.9f}, "segment": [{:.9f}, {:.9f}], "more": "{}"}}'
    listed = ",".join(one.format(1 - k / 1001, 1 + k, 3 + k, "x" * 20) for k in range(1000))
    path = tmp_path / "det.json"
    path.write_text('{"results": {' + ",".join(f'"{i}": [{listed}]' for i in videos) + "}}")
    assert path.stat().st_size > 1e8
    result = evaluate_test_subset(tmp_path, write_ground_truth(tmp_path, videos), path)
    assert result["counts"]["detections"] == 1_000_000
    assert result["mAP"]["0.5"] == pytest.approx(1.0)


def evaluate_test_subset(tmp_path, gt, det, *words):
    code, result = evaluate(tmp_path, gt, det, "--subset", "test", "--bootstrap", "20", *words)
    assert code == 0
    return result


def read_error_line(tmp_path, capsys, gt, det, *words):
    code, _ = evaluate(tmp_path, gt, det, "--subset", "test", *words)
    assert code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_flags_set_the_keys_of_the_spec_and_a_table_is_printed(tmp_path, capsys):
    result = evaluate_test_subset(
        tmp_path, write_ground_truth(tmp_path), write_detections(tmp_path), "--tiou", "0.5", "0.75"
    )
    assert result["mAP"] == {"0.5": 1.0, "0.75": 1.0}
    assert result["average"] == {"0.5:0.75": 1.0}
    assert result["interval"]["average"] == {"0.5:0.75": [1.0, 1.0]}
    assert result["provenance"]["spec"]["evaluation"]["tiou"] == [0.5, 0.75]
    assert "mapping" not in result
    assert result["rounds"] == []
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["tIoU", "0.5", "0.75", "avg", "0.5:0.75"]
    assert lines[1].split() == ["mAP,", "%", "100.0", "100.0", "100.0"]
    assert lines[-1] == "3 videos, 4 instances of 2 classes; 4 detections in 3 videos"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--tiou", "50"), "--tiou: 50.0 must be at most 1"),
        (("--protocol", "thumos"), '--protocol: "thumos" is not allowed; '),
        (("--set", "evaluation.tiou=[50]"), "--spec.evaluation.tiou[0]: 50.0 must be at most 1"),
    ],
)
def test_a_wrong_value_is_reported_under_the_option_that_set_it(tmp_path, capsys, words, message):
    line = read_error_line(tmp_path, capsys, write_ground_truth(tmp_path), write_detections(tmp_path), *words)
    assert line.startswith(f"clip-ae: {message}")


def test_segments_as_text_are_numbers(tmp_path):
    assert (
        evaluate_test_subset(tmp_path, write_ground_truth(tmp_path, text=True), write_detections(tmp_path))["mAP"][
            "0.7"
        ]
        == 1.0
    )


def test_a_table_of_detections_scores_as_the_submission(tmp_path):
    rows = [
        {"video_id": i, "label": name, "score": s, "start": a, "stop": float(b)}
        for i, listed in DETECTIONS.items() for name, s, a, b in listed
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "det.parquet")
    gt = write_ground_truth(tmp_path)
    result, other = (
        evaluate_test_subset(tmp_path, gt, tmp_path / "det.parquet"),
        evaluate_test_subset(tmp_path, gt, write_detections(tmp_path)),
    )
    assert {k: v for k, v in result.items() if k != "provenance"} == {
        k: v for k, v in other.items() if k != "provenance"
    }


def test_the_kits_text_files_are_a_ground_truth(tmp_path):
    folder = tmp_path / "kit"
    folder.mkdir()
    for name in ("run", "jump", "Ambiguous"):
        rows = [f"{i}  {a} {b}" for i, listed in GROUND_TRUTH.items() for label, a, b in listed if label == name]
        write_file(folder / f"{name}_test.txt", "\n".join(rows) + "\n")
    write_file(folder / "swim_val.txt", "t 0 1\n")
    result, other = (
        evaluate_test_subset(tmp_path, gt, write_detections(tmp_path)) for gt in (folder, write_ground_truth(tmp_path))
    )
    assert result["per_class"] == other["per_class"]
    assert result["counts"] == other["counts"]
    assert result["counts"]["ambiguous"] == 1


def test_protocols_by_name(tmp_path):
    det = write_detections(tmp_path, {**DETECTIONS, "b": [("run", 0.95, 11.0, 12.5), ("run", 0.7, 0.0, 4.0)]})
    by_name = {
        name: evaluate_test_subset(tmp_path, write_ground_truth(tmp_path), det, "--protocol", name)["per_class"]["run"][
            "0.5"
        ]
        for name in ("activitynet", "non-interpolated", "thumos14-2015")
    }
    assert by_name["activitynet"] == pytest.approx(2 / 3)
    assert by_name["non-interpolated"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert by_name["thumos14-2015"] == 1.0


def test_rounding_is_stated_in_the_protocol(tmp_path):
    det = write_detections(tmp_path, {"a": [("run", 0.9, 1.2, 2.6)]})
    plain, rounded = (
        evaluate_test_subset(tmp_path, write_ground_truth(tmp_path), det, "--tiou", "0.8", *words)
        for words in ((), ("--round-to-grid", "1"))
    )
    assert plain["per_class"]["run"]["0.8"] == 0.0
    assert rounded["per_class"]["run"]["0.8"] == 0.5
    assert "multiples of 1 s, which inflates mAP" in rounded["protocol"]
    assert "neither" in plain["protocol"]


FRAMES = ("--frame-protocol", "charades")


def test_frames_are_scored_with_intervals_and_ap_of_each_class(tmp_path, capsys):
    """25 s: frame k is at second k. The best detection of `run` covers 3 positive frames of 8 and 5 others."""
    det = write_detections(tmp_path, {"a": [("run", 0.9, 1.0, 8.0), ("jump", 0.8, 5.0, 9.0)]})
    gt = write_ground_truth(tmp_path, duration=25.0)
    result = evaluate_test_subset(tmp_path, gt, det, *FRAMES)
    frames = result["frame_AP"]
    assert set(frames) == {"run", "jump"}
    assert result["frame_mAP"] == {"charades": pytest.approx((frames["run"] + frames["jump"]) / 2)}
    # The 5 positive frames of b are somewhere among the 67 frames without a detection.
    tied = [3 / 8 * sum((1 + 2 / 7 * i) / (i + 1) for i in range(8))]
    tied.append(5 / 67 * sum((4 + 4 / 66 * i) / (9 + i) for i in range(67)))
    assert frames["run"] == pytest.approx(sum(tied) / 8)
    low, high = result["interval"]["frame_mAP"]["charades"]
    assert low <= result["frame_mAP"]["charades"] <= high
    assert len(result["bootstrap"]["frame_mAP"]["charades"].split()) == 20
    assert "charades frames: frame k of 25" in result["protocol"]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:4] == ["tIoU", "charades", "frames", "0.1"]
    plain = evaluate_test_subset(tmp_path, gt, det)
    assert {*result} - {*plain} == {"frame_mAP", "frame_AP"}
    assert plain["mAP"] == result["mAP"]


def test_results_with_frames_are_compared_with_each_other_only(tmp_path, capsys):
    ids = [f"v{n}" for n in range(30)]
    gt = write_ground_truth(tmp_path, {i: [("run", 1.0, 9.0)] for i in ids}, duration=25.0)
    paths = {}
    for name, shift, words in (("good", 0.0, FRAMES), ("bad", 2.0, FRAMES), ("plain", 0.0, ())):
        det = write_detections(tmp_path, {i: [("run", 0.9, 1.0 + shift, 9.0 + shift)] for i in ids})
        evaluate(tmp_path, gt, det, "--subset", "test", "--bootstrap", "100", *words)
        paths[name] = str((tmp_path / "map.json").rename(tmp_path / f"{name}.json"))
    capsys.readouterr()
    assert main(["compare", paths["good"], paths["bad"]]) == 0
    row = capsys.readouterr().out.splitlines()[1].split()
    # 7 of 9 detected frames are positive, and precision is lower still at the 2 missed ones.
    assert row[:3] == ["charades", "frames", "100.0"]
    assert 50 < float(row[3]) < 78
    assert main(["compare", paths["good"], paths["plain"]]) == 2
    assert "scored by the protocol activitynet, charades frames and by" in capsys.readouterr().err


def test_frames_need_durations(tmp_path, capsys):
    line = read_error_line(tmp_path, capsys, write_ground_truth(tmp_path), write_detections(tmp_path), *FRAMES)
    assert "annotations: video 'a' has no duration above 0, so its frames cannot be sampled (3 such videos)" in line
    assert "leave --frame-protocol out" in line


def test_a_list_of_videos(tmp_path, capsys):
    ids = sorted({f"video_test_{n:07d}" for n in range(1400, 1611)} | VIDEO_LISTS["210"])
    gt = write_ground_truth(tmp_path, {i: [("run", 0.0, 4.0)] for i in ids})
    det = write_detections(tmp_path, {ids[0]: [("run", 0.9, 0.0, 4.0)]})
    counts = {
        name: evaluate_test_subset(tmp_path, gt, det, "--video-list", name)["counts"]["videos"] for name in VIDEO_LISTS
    }
    assert counts == {"213": 213, "212": 212, "211": 211, "210": 210}
    own = write_file(tmp_path / "mine.txt", "\n".join(ids[:5]))
    assert evaluate_test_subset(tmp_path, gt, det, "--video-list", str(own))["counts"]["videos"] == 5
    write_file(own, "nowhere\n")
    assert "'nowhere' is not in subset 'test'" in read_error_line(tmp_path, capsys, gt, det, "--video-list", str(own))
    assert "no such list, and no file; did you mean '210'?" in read_error_line(
        tmp_path, capsys, gt, det, "--video-list", "209"
    )
    fewer = write_ground_truth(tmp_path, {i: [("run", 0.0, 4.0)] for i in ids[:50]})
    assert "the list 212 leaves" in read_error_line(tmp_path, capsys, fewer, det, "--video-list", "212")


def test_odd_detections_are_counted_and_printed(tmp_path, capsys):
    odd = {"a": [("run", 0.9, -1.0, 3.0), ("run", 0.8, 1.0, 99.0), ("run", 0.7, 2.0, 2.0)], "t": [("run", 0.9, 0, 1)]}
    result = evaluate_test_subset(
        tmp_path, write_ground_truth(tmp_path, duration=20.0), write_detections(tmp_path, odd)
    )
    names = ("outside_subset", "before_start", "beyond_end", "without_length")
    assert {name: result["counts"][f"detections_{name}"] for name in names} == dict.fromkeys(names, 1)
    lines = capsys.readouterr().out.splitlines()
    assert "1 detections of videos that are not scored, left out" in lines
    assert "1 detections end after their video" in lines


def test_no_detections_score_zero_with_a_message(tmp_path, capsys):
    result = evaluate_test_subset(tmp_path, write_ground_truth(tmp_path), write_detections(tmp_path, {}))
    assert set(result["mAP"].values()) == {0.0}
    assert "no detection was scored: mAP is 0 at every tIoU" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"a": [("runn", 0.9, 0, 1)]}, "label 'runn' is no class of the ground truth; did you mean 'run'?"),
        ({"a": [("cluster-03", 0.9, 0, 1)]}, "clusters need class names: use `clip-ae evaluate --labels`"),
        ({"a": [("run", float("nan"), 0, 1)]}, "video 'a', detection 0: score: nan is not a finite number"),
        ({"a": [("run", 0.9, 0, float("inf"))]}, "segment: inf is not a finite number"),
        ({"a": [("run", True, 0, 1)]}, "score: true is not a number"),
        ({"a": [("run", "1_0", 0, 1)]}, 'score: "1_0" is not a number'),
        ({"a": [(None, 0.9, 0, 1)]}, 'has no "label"'),
        ({"a": [("run", 0.9, 3, 1)]}, "ends at 1 s, before its start at 3 s"),
    ],
)
def test_detections_that_cannot_be_scored(tmp_path, capsys, found, words):
    assert words in read_error_line(tmp_path, capsys, write_ground_truth(tmp_path), write_detections(tmp_path, found))


def test_a_class_of_other_subsets_alone_is_known(tmp_path):
    result = evaluate_test_subset(
        tmp_path, write_ground_truth(tmp_path), write_detections(tmp_path, {"a": [("swim", 0.9, 0, 1)]})
    )
    assert set(result["per_class"]) == {"run", "jump"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"database": {"a": {"subset": "test"}, "a": {"subset": "test"}}}', "the key 'a' appears 2 times"),
        ('{"database": {"a": {"subset": "test", "annotations": []}}}', "no annotated action to score against"),
        ('{"database": {"a": {"subset": "x", "annotations": []}}}', "no video is of subset 'test'; known: x"),
        ('{"database": {"a": {"subset": "test", "annotations": [{"label": "r", "segment": [3, 1]}]}}}', "before its"),
        (
            '{"database": {"a": {"subset": "test", "annotations": [{"label": "r", "segment": ["x", 1]}]}}}',
            "not a number",
        ),
    ],
)
def test_ground_truth_that_cannot_be_used(tmp_path, capsys, content, words):
    gt = write_file(tmp_path / "gt.json", content)
    assert words in read_error_line(tmp_path, capsys, gt, write_detections(tmp_path))


def test_a_submission_that_names_a_video_twice(tmp_path, capsys):
    det = write_file(tmp_path / "det.json", '{"results": {"a": [], "a": []}}')
    assert "the key 'a' appears 2 times in one object" in read_error_line(
        tmp_path, capsys, write_ground_truth(tmp_path), det
    )


def test_a_folder_without_the_kits_files(tmp_path, capsys):
    folder = tmp_path / "kit"
    folder.mkdir()
    assert "no file CLASS_val.txt or CLASS_test.txt" in read_error_line(
        tmp_path, capsys, folder, write_detections(tmp_path)
    )
    write_file(folder / "run_test.txt", "a 1.0\n")
    line = read_error_line(tmp_path, capsys, folder, write_detections(tmp_path))
    assert "run_test.txt, line 1: expected a video, a start and an end, got 'a 1.0'" in line


def test_a_byte_order_mark_is_no_part_of_an_id(tmp_path):
    folder = tmp_path / "kit"
    folder.mkdir()
    (folder / "run_test.txt").write_bytes(b"\xef\xbb\xbfa 1.0 3.0\n")
    result = evaluate_test_subset(tmp_path, folder, write_detections(tmp_path, {"a": [("run", 0.9, 1.0, 3.0)]}))
    assert result["mAP"]["0.5"] == 1.0


def test_a_video_of_two_subsets_is_refused(tmp_path, capsys):
    folder = tmp_path / "kit"
    folder.mkdir()
    write_file(folder / "run_test.txt", "a 1 3\n")
    write_file(folder / "jump_val.txt", "a 5 9\n")
    line = read_error_line(tmp_path, capsys, folder, write_detections(tmp_path))
    assert "video 'a' is of subset validation in another file" in line


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"", b"[]", b'{"database": []}'])
def test_files_that_are_no_ground_truth(tmp_path, capsys, content):
    (tmp_path / "gt.json").write_bytes(content)
    assert "gt.json: " in read_error_line(tmp_path, capsys, tmp_path / "gt.json", write_detections(tmp_path))


def test_a_table_with_too_few_columns_or_without_an_id(tmp_path, capsys):
    row = {"video_id": None, "label": "run", "score": 0.5, "start": 0.0, "stop": 1.0}
    pq.write_table(pa.Table.from_pylist([{"video_id": "a", "score": 0.5}]), tmp_path / "few.parquet")
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "null.parquet")
    gt = write_ground_truth(tmp_path)
    assert "no column label, start, stop; expected" in read_error_line(tmp_path, capsys, gt, tmp_path / "few.parquet")
    assert 'row 0: has no "video_id"' in read_error_line(tmp_path, capsys, gt, tmp_path / "null.parquet")


def test_outputs_that_cannot_be_are_refused_before_any_work(tmp_path, capsys):
    gt, det = write_ground_truth(tmp_path), write_detections(tmp_path)
    before = gt.read_bytes()
    words = {str(gt): "is one of the inputs", str(tmp_path): "is a folder", str(gt / "x.json"): "cannot be written to"}
    for out, expected in words.items():
        assert main(["evaluate", "--ground-truth", str(gt), "--detections", str(det), "--out", out]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert expected in line
    assert gt.read_bytes() == before


def test_instances_without_length_are_counted_and_printed(tmp_path, capsys):
    gt = write_ground_truth(tmp_path, {"a": [("run", 1.0, 3.0), ("run", 5.0, 5.0), ("run", 7.1, 7.3)]})
    det = write_detections(tmp_path, {"a": [("run", 0.9, 1.0, 3.0)]})
    assert evaluate_test_subset(tmp_path, gt, det)["counts"]["instances_without_length"] == 1
    assert "1 instances have no length and cannot be detected" in capsys.readouterr().out
    rounded = evaluate_test_subset(tmp_path, gt, det, "--round-to-grid", "1")
    assert rounded["counts"]["instances_without_length"] == 2


def test_draws_pair_only_where_all_that_was_scored_against_is_the_same(tmp_path):
    det, inputs, digests = write_detections(tmp_path), [], []
    fewer = {**GROUND_TRUTH, "b": GROUND_TRUTH["b"][:1]}
    list_of_all = write_file(tmp_path / "all.txt", "a\nb\nc\n")
    for videos, words in ((GROUND_TRUTH, ()), (fewer, ()), (GROUND_TRUTH, ("--video-list", str(list_of_all)))):
        result = evaluate_test_subset(tmp_path, write_ground_truth(tmp_path, videos), det, *words)
        digests.append(result["bootstrap"]["truth"])
        inputs.append(result["provenance"]["inputs"])
    assert digests[0] == digests[2] != digests[1]
    assert "videos" in inputs[2]
    assert "videos" not in inputs[0]
    rounded = evaluate_test_subset(tmp_path, write_ground_truth(tmp_path), det, "--round-to-grid", "1")
    assert rounded["bootstrap"]["protocol"] == "activitynet, rounded to 1 s"


def test_names_with_line_breaks_make_one_line(tmp_path, capsys):
    line = read_error_line(
        tmp_path, capsys, write_ground_truth(tmp_path), write_detections(tmp_path, {"a": [("ru\nn\x1b[2J", 0.9, 0, 1)]})
    )
    assert "\x1b" not in line
