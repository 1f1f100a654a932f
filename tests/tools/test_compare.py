import json

import pytest

from clip_ae.cli import main


def truth(tmp_path, videos=40):
    database = {
        f"v{n:02d}": {"subset": "validation", "annotations": [{"label": "ab"[n % 2], "segment": [2.0, 6.0]}]}
        for n in range(videos)
    }
    path = tmp_path / f"gt{videos}.json"
    path.write_text(json.dumps({"database": database}))
    return path


def scored(tmp_path, name, right, videos=40, *words, offset=0):
    """A map.json of a detector that finds so many instances of every ten; offset says which."""
    found = {n: [2.0, 6.0] if (7 * n + offset) % 10 < right else [9.0, 12.0] for n in range(videos)}
    results = {
        f"v{n:02d}": [{"label": "ab"[n % 2], "score": 1 - n / 100, "segment": segment}] for n, segment in found.items()
    }
    det, out = tmp_path / f"{name}.det.json", tmp_path / f"{name}.json"
    det.write_text(json.dumps({"results": results}))
    command = ["evaluate", "--ground-truth", truth(tmp_path, videos), "--detections", det, "--out", out, *words]
    assert main([str(word) for word in command]) == 0
    return out


def compare(capsys, first, second):
    capsys.readouterr()
    code = main(["compare", str(first), str(second)])
    return code, capsys.readouterr()


def test_who_is_clearly_better_beats_in_either_order(tmp_path, capsys):
    good, bad = scored(tmp_path, "good", 9), scored(tmp_path, "bad", 4)
    for pair in ((good, bad), (bad, good)):
        code, said = compare(capsys, *pair)
        assert code == 0
        *table, verdict = said.out.splitlines()
        assert verdict.startswith(f"{good} beats {bad} (average over 0.1:0.7: {'+' if pair[0] == good else '-'}")
        assert len(table) == 1 + 7 + 1
        assert table[1].split()[:1] == ["0.1"]


def test_what_the_videos_cannot_tell_is_undecided(tmp_path, capsys):
    one = scored(tmp_path, "one", 7)
    assert "undecided" in compare(capsys, one, scored(tmp_path, "other", 7, offset=5))[1].out
    assert "undecided" in compare(capsys, one, one)[1].out


@pytest.mark.parametrize(
    ("videos", "words", "said"),
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
def test_unlike_results_are_not_compared(tmp_path, capsys, videos, words, said):
    one, other = scored(tmp_path, "one", 7), scored(tmp_path, "other", 7, videos, *words)
    code, output = compare(capsys, one, other)
    assert code == 2
    assert said in output.err


def test_another_file_is_no_result(tmp_path, capsys):
    code, output = compare(capsys, truth(tmp_path), truth(tmp_path))
    assert code == 2
    assert "not a map.json of `clip-ae evaluate`" in output.err


def test_the_verdict_is_on_the_widest_average(tmp_path, capsys):
    words = ("--set", 'evaluation.tiou_ranges=["0.1:0.7", "0.3:0.5"]')
    one, other = scored(tmp_path, "one", 9, 40, *words), scored(tmp_path, "other", 4, 40, *words)
    assert "average over 0.1:0.7" in compare(capsys, one, other)[1].out


@pytest.mark.parametrize(
    "damage", [{"bootstrap": {}}, {"bootstrap": {"mAP": {"0.1": "x"}, "average": {}}}, {"average": {}}]
)
def test_a_damaged_result_is_none(tmp_path, capsys, damage):
    one = scored(tmp_path, "one", 7)
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps({**json.loads(one.read_text()), **damage}))
    code, said = compare(capsys, one, broken)
    assert code == 2
    assert "broken.json: not a map.json of `clip-ae evaluate`" in said.err
