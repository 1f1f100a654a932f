import json

import pytest

from clip_ae.cli import main


def write_ground_truth(tmp_path, videos=40):
    database = {
        f"v{n:02d}": {"subset": "validation", "annotations": [{"label": "ab"[n % 2], "segment": [2.0, 6.0]}]}
        for n in range(videos)
    }
    path = tmp_path / f"gt{videos}.json"
    path.write_text(json.dumps({"database": database}))
    return path


def write_scores(tmp_path, name, right, videos=40, *words, offset=0):
    """The path of a map.json: the detector finds `right` of ten instances, `offset` selects which ones."""
    segments = {n: [2.0, 6.0] if (7 * n + offset) % 10 < right else [9.0, 12.0] for n in range(videos)}
    results = {
        f"v{n:02d}": [{"label": "ab"[n % 2], "score": 1 - n / 100, "segment": segment}]
        for n, segment in segments.items()
    }
    det, out = tmp_path / f"{name}.det.json", tmp_path / f"{name}.json"
    det.write_text(json.dumps({"results": results}))
    command = [
        "evaluate",
        "--ground-truth",
        write_ground_truth(tmp_path, videos),
        "--detections",
        det,
        "--out",
        out,
        *words,
    ]
    assert main([str(word) for word in command]) == 0
    return out


def compare(capsys, first, second):
    capsys.readouterr()
    code = main(["compare", str(first), str(second)])
    return code, capsys.readouterr()


def test_the_better_result_beats_the_other_in_either_order(tmp_path, capsys):
    good, bad = write_scores(tmp_path, "good", 9), write_scores(tmp_path, "bad", 4)
    for pair in ((good, bad), (bad, good)):
        code, output = compare(capsys, *pair)
        assert code == 0
        *table, verdict = output.out.splitlines()
        assert verdict.startswith(f"{good} beats {bad} (average over 0.1:0.7: {'+' if pair[0] == good else '-'}")
        assert len(table) == 1 + 7 + 1
        assert table[1].split()[:1] == ["0.1"]


def test_similar_results_are_undecided(tmp_path, capsys):
    one = write_scores(tmp_path, "one", 7)
    assert "undecided" in compare(capsys, one, write_scores(tmp_path, "other", 7, offset=5))[1].out
    assert "undecided" in compare(capsys, one, one)[1].out


@pytest.mark.parametrize(
    ("videos", "words", "message"),
    [
        (39, (), "different ground truth, or different videos"),
        (
            40,
            ("--protocol", "non-interpolated"),
            "scored by the protocol activitynet and by the protocol non-interpolated",
        ),
        (40, ("--tiou", "0.5"), "scored at tIoU 0.1, 0.2"),
        (
            40,
            ("--bootstrap", "500"),
            "scored with 1000 bootstrap samples and with 500 bootstrap",
        ),
        (40, ("--bootstrap", "0"), "fewer than 100 bootstrap samples; score it again with --bootstrap 1000"),
    ],
)
def test_results_scored_differently_are_refused(tmp_path, capsys, videos, words, message):
    one, other = write_scores(tmp_path, "one", 7), write_scores(tmp_path, "other", 7, videos, *words)
    code, output = compare(capsys, one, other)
    assert code == 2
    assert message in output.err


def test_a_file_that_is_no_result_is_refused(tmp_path, capsys):
    code, output = compare(capsys, write_ground_truth(tmp_path), write_ground_truth(tmp_path))
    assert code == 2
    assert "not a map.json of `clip-ae evaluate`" in output.err


def test_the_verdict_is_on_the_widest_average(tmp_path, capsys):
    words = ("--set", 'evaluation.tiou_ranges=["0.1:0.7", "0.3:0.5"]')
    one, other = write_scores(tmp_path, "one", 9, 40, *words), write_scores(tmp_path, "other", 4, 40, *words)
    assert "average over 0.1:0.7" in compare(capsys, one, other)[1].out


@pytest.mark.parametrize(
    "damage", [{"bootstrap": {}}, {"bootstrap": {"mAP": {"0.1": "x"}, "average": {}}}, {"average": {}}]
)
def test_a_damaged_result_is_refused(tmp_path, capsys, damage):
    one = write_scores(tmp_path, "one", 7)
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps({**json.loads(one.read_text()), **damage}))
    code, output = compare(capsys, one, broken)
    assert code == 2
    assert "broken.json: not a map.json of `clip-ae evaluate`" in output.err
