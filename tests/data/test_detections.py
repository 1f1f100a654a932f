import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clip_ae.core.errors import UserError
from clip_ae.core.provenance import Provenance
from clip_ae.core.types import Detection
from clip_ae.data.detections import (
    WITHOUT_FEATURES,
    read_detections,
    read_json_provenance,
    read_submission,
    write_detections,
)

PROVENANCE = Provenance("localize", {"method": "stpn"}, "c0de")
MICRO = st.integers(0, 10_000_000).map(lambda n: n / 1e6)
DETECTIONS = st.builds(
    lambda video, label, score, start, length: Detection(video, label, score, start, round(start + length, 6)),
    st.sampled_from(["a", "b/ä"]), st.sampled_from(["cluster-00", "cluster-01"]), MICRO, MICRO, MICRO,
)  # fmt: skip


@given(st.lists(DETECTIONS), st.randoms())
def test_round_trip_and_bytes_do_not_depend_on_order(tmp_path_factory, detections, random):
    path = tmp_path_factory.mktemp("d") / "detections.json"
    write_detections(path, detections, PROVENANCE)
    first = path.read_bytes()
    key = lambda d: (d.video_id, d.label, d.score, d.start, d.stop)  # noqa: E731
    assert sorted(read_detections(path), key=key) == sorted(detections, key=key)
    random.shuffle(detections)
    write_detections(path, detections, PROVENANCE)
    assert path.read_bytes() == first


def test_submission_form_with_falling_scores_and_provenance(tmp_path):
    path = tmp_path / "detections.json"
    write_detections(path, [Detection("v", "c", 0.1, 0, 1), Detection("v", "c", 0.9, 2, 3.00000049)], PROVENANCE)
    content = json.loads(path.read_text())
    assert set(content) == {"version", "results", "external_data"}
    assert content["results"]["v"][0] == {"label": "c", "score": 0.9, "segment": [2.0, 3.0]}
    assert read_json_provenance(path) == PROVENANCE


def test_videos_without_detections_have_an_empty_list(tmp_path):
    path = tmp_path / "detections.json"
    write_detections(path, [Detection("a", "c", 0.1, 0, 1)], PROVENANCE, ["b", "a"])
    results = json.loads(path.read_text())["results"]
    assert {video: len(found) for video, found in results.items()} == {"a": 1, "b": 0}
    assert [d.video_id for d in read_detections(path)] == ["a"]


def test_a_submission_of_another_program_names_no_videos_without_features(tmp_path):
    path = tmp_path / "detections.json"
    write_detections(path, [], PROVENANCE)
    assert read_submission(path).list_videos_without_features() == []
    for content, words in (("x", "is not a list of videos"), ([1], 'has no "video"')):
        write_detections(path, [], PROVENANCE, **{WITHOUT_FEATURES: content})
        with pytest.raises(UserError, match=words):
            read_submission(path).list_videos_without_features()


def test_detections_of_a_run_say_what_they_were_cut_from_and_how_large_the_localizer_is(tmp_path):
    path, facts = tmp_path / "detections.json", {"cut_from": {"curve": "weighted"}, "num_parameters": 7}
    write_detections(path, [], PROVENANCE, **facts)
    assert read_submission(path).get_localizer_facts() == facts
    for name in facts:
        write_detections(path, [], PROVENANCE, **{key: value for key, value in facts.items() if key != name})
        with pytest.raises(UserError, match="how large the localizer is; run localize again"):
            read_submission(path).get_localizer_facts()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, 'no "results"'),
        ({"results": {"v": {}}}, "'v': detections are not a list"),
        ({"results": {"v": [{"label": "c", "score": 1}]}}, "'v', detection 0: segment null is not"),
        ({"results": {"v": [{"label": "c", "score": 1, "segment": [2, 1]}]}}, "before its start"),
        ({"results": {"v": [{"label": "c", "score": float("inf"), "segment": [0, 1]}]}}, "finite"),
        (
            {"results": {"v": [{"label": "c", "score": 1, "segment": [0, 1e308]}]}},
            "e+308 s is longer than any video",
        ),
        ({"results": {"v": [{"label": "c" * 1001, "score": 1, "segment": [0, 1]}]}}, "1,001 characters; use at most"),
    ],
)
def test_error_names_the_fault(tmp_path, content, words):
    path = tmp_path / "detections.json"
    path.write_text(json.dumps(content))
    with pytest.raises(UserError) as caught:
        read_detections(path)
    assert words in str(caught.value)


def test_file_without_provenance_is_refused(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("{}")
    with pytest.raises(UserError, match="has no provenance"):
        read_json_provenance(path)


@given(st.lists(DETECTIONS, min_size=1))
def test_numbers_as_text_and_whole_numbers_are_read_like_others(tmp_path_factory, detections):
    folder = tmp_path_factory.mktemp("d")
    write_detections(folder / "plain.json", detections, PROVENANCE)
    content = json.loads((folder / "plain.json").read_text())
    for items in content["results"].values():
        for item in items:
            item["score"] = str(item["score"])
            item["segment"] = [int(t) if t == int(t) else str(t) for t in item["segment"]]
    (folder / "text.json").write_text(json.dumps(content))
    assert read_detections(folder / "text.json") == read_detections(folder / "plain.json")
