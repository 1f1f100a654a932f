"""`clip-ae annotations`: a benchmark's annotations in any form, converted to one file."""

import json
import os

import pytest

from clip_ae.core.errors import UserError
from clip_ae.core.types import Annotation, Instance
from clip_ae.data.annotations import read_annotations
from clip_ae.tools import annotations as tool
from tests.data.npy_sets import write_npy_set
from tests.media_files import write_video

DIVES = (Instance("CliffDiving", 0.2, 1.0), Instance("Diving", 0.2, 1.0))
V1, T1 = "video_validation_0000051", "video_test_0000004"


@pytest.fixture
def kit(tmp_path):
    """The THUMOS14 kit: one folder for each subset, as in the archives."""
    for subset, video in (("val", V1), ("test", T1)):
        folder = tmp_path / f"kit/TH14_{subset}/annotation"
        folder.mkdir(parents=True)
        for label in ("CliffDiving", "Diving"):
            (folder / f"{label}_{subset}.txt").write_text(f"{video}  0.2 1.0\n")
    (folder / "Ambiguous_test.txt").write_text(f"{T1}  1.2 1.4\n")
    return tmp_path / "kit"


def test_all_forms_give_the_same_annotations(kit, tmp_path):
    rows = [
        {"videoname": name, "subset": subset, "segments": [[0.2, 1.0]] * 2, "labels": ["CliffDiving", "Diving"]}
        for name, subset in ((V1, "validation"), (T1, "test"))
    ]
    other = {"videoname": "video_validation_0000001", "subset": "validation", "segments": [], "labels": []}
    numpy = write_npy_set(tmp_path / "npy", [*rows, other], durations=False)
    (numpy / "Ambiguous_test.txt").write_text(f"{T1}  1.2 1.4\n")
    segments = [{"label": i.label, "segment": [str(i.start), str(i.stop)]} for i in DIVES]
    ambiguous = [{"label": "Ambiguous", "segment": [1.2, 1.4]}]
    database = {
        V1: {"subset": "train", "annotations": segments},
        T1: {"subset": "Test", "annotations": segments + ambiguous},
    }
    (tmp_path / "gt.json").write_text(json.dumps({"database": database}))
    for source in (kit, numpy, tmp_path / "gt.json"):
        tool.run("thumos14", from_=source, out=tmp_path / "out.json")
        assert read_annotations(tmp_path / "out.json") == {
            T1: Annotation("test", DIVES, None, ((1.2, 1.4),)),
            V1: Annotation("validation", DIVES),
        }


def test_differences_from_the_release_are_printed(kit, tmp_path, capsys):
    tool.run("thumos14", from_=kit, out=tmp_path / "out.json")
    printed = capsys.readouterr().out
    assert "validation: 1 videos, the release has 200" in printed
    assert "are Diving as well" not in printed


def test_missing_videos_are_listed_and_durations_are_measured(kit, tmp_path, capsys):
    (tmp_path / "videos/test").mkdir(parents=True)
    write_video(tmp_path / f"videos/test/{T1}.mp4", frames=50)
    tool.run(
        "thumos14", from_=kit, out=tmp_path / "out.json", videos=(tmp_path / "videos",), missing=tmp_path / "no.txt"
    )
    assert f"1 of 2 videos are missing: {V1}" in capsys.readouterr().out
    assert (tmp_path / "no.txt").read_text() == f"{V1}\n"
    annotations = read_annotations(tmp_path / "out.json")
    assert (annotations[T1].duration, annotations[V1].duration) == (2.0, None)


def test_a_broken_video_has_no_duration(kit, tmp_path, capsys):
    (tmp_path / "videos").mkdir()
    (tmp_path / f"videos/{T1}.mp4").write_bytes(b"junk")
    tool.run("thumos14", from_=kit, out=tmp_path / "out.json", videos=(tmp_path / "videos",))
    assert f"{T1}.mp4: not-a-video" in capsys.readouterr().err
    assert read_annotations(tmp_path / "out.json")[T1].duration is None


def test_only_annotated_videos_are_linked_by_their_ids(tmp_path):
    database = {"QOlSCBRmfWY": {"subset": "training", "duration": 2.0, "annotations": [
        {"label": "Ballet", "segment": [0, 1]}]}, "aaaaaaaaaaa": {"subset": "testing"}}  # fmt: skip
    (tmp_path / "anet.json").write_text(json.dumps({"database": database}))
    (tmp_path / "downloads/train").mkdir(parents=True)
    for name in ("v_QOlSCBRmfWY.MKV", "v_aaaaaaaaaaa.mp4", "v_bbbbbbbbbbb.webm"):
        (tmp_path / "downloads/train" / name).write_bytes(name.encode())
    links_dir = tmp_path / "data/videos"
    for _ in range(2):
        tool.run(
            "activitynet12",
            from_=tmp_path / "anet.json",
            out=tmp_path / "out.json",
            videos=(tmp_path / "downloads",),
            link=links_dir,
        )
        assert os.listdir(links_dir) == ["QOlSCBRmfWY.mkv"]
        assert (links_dir / "QOlSCBRmfWY.mkv").read_bytes() == b"v_QOlSCBRmfWY.MKV"


def test_a_video_under_two_names_is_refused(tmp_path):
    entry = {"subset": "training", "annotations": [{"label": "Ballet", "segment": [0, 1]}]}
    (tmp_path / "a.json").write_text(json.dumps({"database": {"QOlSCBRmfWY": entry, "v_QOlSCBRmfWY": entry}}))
    with pytest.raises(UserError, match="'QOlSCBRmfWY' is annotated under two names"):
        tool.run("activitynet12", from_=tmp_path / "a.json", out=tmp_path / "out.json")


def test_links_of_an_earlier_call_are_removed(kit, tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / f"videos/{T1}.mp4").write_bytes(b"junk")
    (tmp_path / "links").mkdir()
    (tmp_path / "links/old.mp4").symlink_to("../videos/gone.mp4")
    tool.run("thumos14", from_=kit, out=tmp_path / "o.json", videos=(tmp_path / "videos",), link=tmp_path / "links")
    assert os.listdir(tmp_path / "links") == [f"{T1}.mp4"]


def test_the_list_of_missing_videos_never_replaces_the_source(kit, tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / f"videos/{T1}.mp4").write_bytes(b"junk")
    source = kit / "TH14_val/annotation/Diving_val.txt"
    with pytest.raises(UserError, match="is a folder"):
        tool.run("thumos14", from_=kit, out=tmp_path / "o.json", videos=(tmp_path / "videos",), missing=kit)
    assert source.read_text()


def test_a_link_never_replaces_a_file(kit, tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / f"videos/{T1}.mp4").write_bytes(b"mine")
    with pytest.raises(UserError, match=r"is one of the folders of --videos; name another folder"):
        tool.run(
            "thumos14", from_=kit, out=tmp_path / "o.json", videos=(tmp_path / "videos",), link=tmp_path / "videos"
        )
    assert (tmp_path / f"videos/{T1}.mp4").read_bytes() == b"mine"


@pytest.mark.parametrize("kind", ["file", "foreign link", "foreign link to nothing"])
def test_a_folder_with_anything_else_than_links_to_the_videos_stays_as_it_is(kit, tmp_path, kind):
    for name in ("videos", "links", "others"):
        (tmp_path / name).mkdir()
    (tmp_path / f"videos/{T1}.mp4").write_bytes(b"junk")
    (tmp_path / "links/b.mp4").symlink_to(f"../videos/{T1}.mp4")
    if kind == "file":
        (tmp_path / "links/a.mp4").write_bytes(b"mine")
    else:
        (tmp_path / "links/a.mp4").symlink_to("../others/x.mp4")
    if kind == "foreign link":
        (tmp_path / "others/x.mp4").write_bytes(b"mine")
    with pytest.raises(UserError, match=r"contains a.mp4, no link to a file in --videos; name another folder"):
        tool.run("thumos14", from_=kit, out=tmp_path / "o.json", videos=(tmp_path / "videos",), link=tmp_path / "links")
    assert sorted(os.listdir(tmp_path / "links")) == ["a.mp4", "b.mp4"]


def test_wrong_arguments_are_refused(kit, tmp_path):
    with pytest.raises(UserError, match="thumos15: no such benchmark; did you mean 'thumos14'"):
        tool.run("thumos15", from_=kit)
    with pytest.raises(UserError, match="need --videos"):
        tool.run("thumos14", from_=kit, link=tmp_path)
    (kit / "copy").mkdir()
    (kit / "copy/Diving_val.txt").write_text("")
    with pytest.raises(UserError, match=r"Diving_val.txt have the same name; keep one of them"):
        tool.run("thumos14", from_=kit, out=tmp_path / "o.json")
