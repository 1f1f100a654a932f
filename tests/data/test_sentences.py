"""Sentences with their moments, in both published forms."""

import json
from pathlib import Path
from typing import Any

import pytest

from clip_ae.core.errors import UserError
from clip_ae.core.types import GroundingQuery
from clip_ae.data.sentences import read_sentences

MOMENTS = [[0, 2.5], [3, 9]]


def write(folder: Path, content: Any, name: str = "sentences.json") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def video(moments: Any = MOMENTS, texts: Any = ("a man jumps", "he lands"), duration: Any = 10.0) -> dict[str, Any]:
    return {"v": {"duration": duration, "timestamps": moments, "sentences": texts}}


def test_activitynet_captions_are_sorted_by_video_then_in_file_order(tmp_path: Path) -> None:
    path = write(tmp_path, video([["3", 9.0], [0, 2.5]], [" he lands\n", "a man  jumps"]) | {"a": video()["v"]})
    assert read_sentences(path) == [
        GroundingQuery("a", "a man jumps", ((0.0, 2.5),)),
        GroundingQuery("a", "he lands", ((3.0, 9.0),)),
        GroundingQuery("v", "he lands", ((3.0, 9.0),)),
        GroundingQuery("v", "a man jumps", ((0.0, 2.5),)),
    ]


def test_lines_of_charades_sta(tmp_path: Path) -> None:
    text = "3MSZA 24.3 30.4##person turn a light on.\n\nAB12C 0 6##a person ## waves.\n"
    assert read_sentences(write(tmp_path, text, "sta.txt")) == [
        GroundingQuery("3MSZA", "person turn a light on.", ((24.3, 30.4),)),
        GroundingQuery("AB12C", "a person ## waves.", ((0.0, 6.0),)),
    ]


@pytest.mark.parametrize("name", ["sentences.json", "sta.txt"])
def test_repeated_sentence_of_a_video_is_one_query_with_two_moments(tmp_path: Path, name: str) -> None:
    lines = "v 0 2.5##he lands\nw 1 2##he lands\nv 3 9##he lands\n"
    content = video(texts=["he lands", " he lands"]) | {"w": video([[1, 2]], ["he lands"])["v"]}
    assert read_sentences(write(tmp_path, lines if name == "sta.txt" else content, name)) == [
        GroundingQuery("v", "he lands", ((0.0, 2.5), (3.0, 9.0))),
        GroundingQuery("w", "he lands", ((1.0, 2.0),)),
    ]


def test_moment_is_cut_at_the_stated_end_of_its_video(tmp_path: Path) -> None:
    moments = [[1, 10.4], [11, 12]]
    first, second = read_sentences(write(tmp_path, video(moments)))
    assert (first.moments, second.moments) == (((1.0, 10.0),), ((10.0, 10.0),))
    assert read_sentences(write(tmp_path, video(moments, duration=None)))[1].moments == ((11.0, 12.0),)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not a JSON file"),
        ([1], "expected videos by id"),
        ({}, "contains no sentence"),
        (video([], []), "contains no sentence"),
        ({"v": [1]}, 'video \'v\': has no lists of "timestamps" and "sentences"'),
        (video(texts=None), "has no lists of"),
        (video([[0, 1]]), "has 1 timestamps for 2 sentences"),
        (video([[0, 1], [2, 1]]), "video 'v', sentence 1: segment ends at 1 s, before its start at 2 s"),
        (video([[0, 1], [0, float("nan")]]), "sentence 1: segment: nan is not a finite number"),
        (video([[0, 1], 5]), "sentence 1: segment 5 is not [start, end]"),
        (video(texts=["a", " \n"]), 'sentence 1: has no "sentence"'),
        (video(texts=["a", 3]), 'sentence 1: has no "sentence"'),
        (video(duration="long"), 'duration: "long" is not a number'),
    ],
)
def test_error_names_file_video_and_fault_in_one_line(tmp_path: Path, content: Any, words: str) -> None:
    assert_refused(write(tmp_path, content), words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\n", "contains no sentence"),
        ("v 1 2##a\nv 1##a\n", "line 2: expected a video, a start, an end and a sentence"),
        ("v 1 2##\n", 'line 1: has no "sentence"'),
        ("v 1 2\n", 'line 1: has no "sentence"'),
        ("v 2 1##a\n", "line 1: segment ends at 1 s, before its start at 2 s"),
        ("v 1 inf##a\n", "line 1: segment: inf is not a finite number"),
        ("v one 2##a\n", 'line 1: segment: "one" is not a number'),
    ],
)
def test_error_names_file_line_and_fault_in_one_line(tmp_path: Path, text: str, words: str) -> None:
    assert_refused(write(tmp_path, text, "sta.txt"), words)


def test_missing_file(tmp_path: Path) -> None:
    assert_refused(tmp_path / "none.json", "cannot read the sentences")


def assert_refused(path: Path, words: str) -> None:
    with pytest.raises(UserError) as caught:
        read_sentences(path)
    assert words in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
