import json

import pytest

from clip_ae.core.errors import UserError
from clip_ae.core.types import Annotation, Instance
from clip_ae.data.annotations import read_annotations, read_subset_ids, read_subsets


def write(tmp_path, content):
    path = tmp_path / "annotations.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def video(segment, label="run"):
    return {"database": {"v1": {"subset": "training", "annotations": [{"label": label, "segment": segment}]}}}


def test_activitynet_form_and_database_alone(tmp_path):
    database = {
        "a": {"subset": "training", "duration": 9.5, "annotations": [{"label": "run", "segment": ["1.5", 2]}]},
        "b": {"subset": "validation"},
    }
    expected = {"a": Annotation("training", (Instance("run", 1.5, 2.0),), 9.5), "b": Annotation("validation", ())}
    assert read_annotations(write(tmp_path, {"version": "1", "database": database})) == expected
    path = write(tmp_path, database)
    assert read_annotations(path) == expected
    assert read_subsets(path) == {"a": "training", "b": "validation"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not a JSON file"),
        ("[" * 100_000, "not a JSON file"),
        ([1], 'no "database"'),
        ({"version": 1}, 'no "database"'),
        ({"database": {}}, "no videos"),
        ({"database": {"v1": {"annotations": []}}}, "'v1': has no \"subset\""),
        (video([2, 1]), "'v1', annotation 0: segment ends at 1 s, before its start at 2 s"),
        (video([0, float("nan")]), "nan is not a finite number"),
        (video(["x", 1]), '"x" is not a number'),
        (video([True, 1]), "true is not a number"),
        (video([1]), "is not [start, end]"),
        (video([0, 1], label=3), 'has no "label"'),
    ],
)
def test_error_names_file_video_and_fault_in_one_line(tmp_path, content, words):
    path = write(tmp_path, content)
    with pytest.raises(UserError) as caught:
        read_annotations(path)
    assert words in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match="cannot read the annotations"):
        read_subsets(tmp_path / "none.json")


def test_unknown_subset_is_refused_with_the_known_ones(tmp_path):
    path = write(tmp_path, video([0, 1]))
    assert read_subset_ids(path, "training") == {"v1"}
    with pytest.raises(UserError, match="no video is of subset 'test'; known: training"):
        read_subset_ids(path, "test")
