"""Annotations as npy files, with one element for each video."""

import numpy as np
import pytest

from clip_ae.core.errors import UserError
from clip_ae.core.types import Annotation, Instance
from clip_ae.data.annotations import annotations_digest, read_annotation_facts, read_annotations, read_subsets
from tests.data.npy_sets import write_npy_set, write_objects

ROWS = [
    {"videoname": "v1", "subset": "validation", "segments": [[1.5, 2.0], [3.0, 4.0]], "labels": ["run", "jump"],
     "duration": 9.5},
    {"videoname": "v2", "subset": "test", "segments": [], "labels": [], "duration": 3.0},
]  # fmt: skip
ANNOTATIONS = {
    "v1": Annotation("validation", (Instance("run", 1.5, 2.0), Instance("jump", 3.0, 4.0)), 9.5),
    "v2": Annotation("test", (), 3.0),
}


def test_npy_set_is_read_as_annotations(tmp_path):
    folder = write_npy_set(tmp_path / "set", ROWS)
    assert read_annotations(folder) == ANNOTATIONS
    assert read_subsets(folder) == {"v1": "validation", "v2": "test"}
    assert read_annotation_facts(folder)["v1"] == ("validation", 9.5)


def test_digest_changes_with_the_content_only(tmp_path):
    before = annotations_digest(write_npy_set(tmp_path / "set", ROWS))
    assert annotations_digest(write_npy_set(tmp_path / "copy", ROWS)) == before
    ROWS[1]["subset"], original_subset = "validation", ROWS[1]["subset"]
    assert annotations_digest(write_npy_set(tmp_path / "set", ROWS)) != before
    ROWS[1]["subset"] = original_subset


def test_durations_are_optional(tmp_path):
    assert read_annotations(write_npy_set(tmp_path / "set", ROWS, durations=False))["v1"].duration is None


def test_list_of_ambiguous_spans_in_the_folder_is_read(tmp_path):
    folder = write_npy_set(tmp_path / "set", ROWS)
    (folder / "Ambiguous_test.txt").write_text("v2  0.5 1.0\nv3  1.0 2.0\n")
    annotations = read_annotations(folder)
    assert annotations["v2"].ambiguous == ((0.5, 1.0),)
    assert annotations["v3"] == Annotation("test", (), None, ((1.0, 2.0),))


def test_files_of_different_sets_are_refused(tmp_path):
    folder = write_npy_set(tmp_path / "set", ROWS)
    write_objects(folder / "labels.npy", [["run"]])
    with pytest.raises(UserError, match=r"labels.npy: 1 elements where videoname.npy has 2"):
        read_annotations(folder)
    write_objects(folder / "labels.npy", [["run"], []])
    with pytest.raises(UserError, match="video 'v1': expected a label for each segment"):
        read_annotations(folder)
    (folder / "labels.npy").unlink()
    with pytest.raises(UserError, match=r"labels.npy: no such file"):
        read_annotations(folder)


def test_numbers_in_place_of_lists_are_refused(tmp_path):
    folder = write_npy_set(tmp_path / "set", ROWS)
    np.save(folder / "segments.npy", np.zeros(2))
    with pytest.raises(UserError, match="expected a label for each segment"):
        read_annotations(folder)
