"""`clip-ae annotations`: what people have of a benchmark, as one file."""

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
    """The two subsets in folders of their own, as the archives have them."""
    for subset, video in (("val", V1), ("test", T1)):
        folder = tmp_path / f"kit/TH14_{subset}/annotation"
        folder.mkdir(parents=True)
        for label in ("CliffDiving", "Diving"):
            (folder / f"{label}_{subset}.txt").write_text(f"{video}  0.2 1.0\n")
    (folder / "Ambiguous_test.txt").write_text(f"{T1}  1.2 1.4\n")
    return tmp_path / "kit"


def test_the_same_from_every_form(kit, tmp_path):
    rows = [
        {"videoname": name, "subset": subset, "segments": [[0.2, 1.0]] * 2, "labels": ["CliffDiving", "Diving"]}
        for name, subset in ((V1, "validation"), (T1, "test"))
    ]
    other = {"videoname": "video_validation_0000001", "subset": "validation", "segments": [], "labels": []}
    numpy = write_npy_set(tmp_path / "npy", [*rows, other], durations=False)
    (numpy / "Ambiguous_test.txt").write_text(f"{T1}  1.2 1.4\n")
    listed = [{"label": i.label, "segment": [str(i.start), str(i.stop)]} for i in DIVES]
    unclear = [{"label": "Ambiguous", "segment": [1.2, 1.4]}]
    database = {V1: {"subset": "train", "annotations": listed}, T1: {"subset": "Test", "annotations": listed + unclear}}
    (tmp_path / "gt.json").write_text(json.dumps({"database": database}))
    for source in (kit, numpy, tmp_path / "gt.json"):
        tool.run("thumos14", from_=source, out=tmp_path / "out.json")
        assert read_annotations(tmp_path / "out.json") == {
            T1: Annotation("test", DIVES, None, ((1.2, 1.4),)),
            V1: Annotation("validation", DIVES),
        }


def test_what_differs_from_the_release_is_printed(kit, tmp_path, capsys):
    tool.run("thumos14", from_=kit, out=tmp_path / "out.json")
    told = capsys.readouterr().out
    assert "validation: 1 videos, the release has 200" in told
    assert "are Diving as well" not in told


def test_missing_videos_are_told_and_listed_and_lengths_measured(kit, tmp_path, capsys):
    (tmp_path / "videos/test").mkdir(parents=True)
    write_video(tmp_path / f"videos/test/{T1}.mp4", frames=50)
    tool.run(
        "thumos14", from_=kit, out=tmp_path / "out.json", videos=(tmp_path / "videos",), missing=tmp_path / "no.txt"
    )
    assert f"1 of 2 videos are missing: {V1}" in capsys.readouterr().out
    assert (tmp_path / "no.txt").read_text() == f"{V1}\n"
    known = read_annotations(tmp_path / "out.json")
    assert (known[T1].duration, known[V1].duration) == (2.0, None)


def test_a_broken_video_costs_its_length_alone(kit, tmp_path, capsys):
    (tmp_path / "videos").mkdir()
    (tmp_path / f"videos/{T1}.mp4").write_bytes(b"junk")
    tool.run("thumos14", from_=kit, out=tmp_path / "out.json", videos=(tmp_path / "videos",))
    assert f"{T1}.mp4: not-a-video" in capsys.readouterr().err
    assert read_annotations(tmp_path / "out.json")[T1].duration is None


def test_links_are_the_annotated_videos_under_their_ids(tmp_path):
    database = {"QOlSCBRmfWY": {"subset": "training", "duration": 2.0, "annotations": [
        {"label": "Ballet", "segment": [0, 1]}]}, "aaaaaaaaaaa": {"subset": "testing"}}  # fmt: skip
    (tmp_path / "anet.json").write_text(json.dumps({"database": database}))
    (tmp_path / "downloads/train").mkdir(parents=True)
    for name in ("v_QOlSCBRmfWY.MKV", "v_aaaaaaaaaaa.mp4", "v_bbbbbbbbbbb.webm"):
        (tmp_path / "downloads/train" / name).write_bytes(name.encode())
    place = tmp_path / "data/videos"
    for _ in range(2):
        tool.run(
            "activitynet12",
            from_=tmp_path / "anet.json",
            out=tmp_path / "out.json",
            videos=(tmp_path / "downloads",),
            link=place,
        )
        assert os.listdir(place) == ["QOlSCBRmfWY.mkv"]
        assert (place / "QOlSCBRmfWY.mkv").read_bytes() == b"v_QOlSCBRmfWY.MKV"


def test_a_video_under_two_names_is_refused(tmp_path):
    entry = {"subset": "training", "annotations": [{"label": "Ballet", "segment": [0, 1]}]}
    (tmp_path / "a.json").write_text(json.dumps({"database": {"QOlSCBRmfWY": entry, "v_QOlSCBRmfWY": entry}}))
    with pytest.raises(UserError, match="'QOlSCBRmfWY' stands there under two names"):
        tool.run("activitynet12", from_=tmp_path / "a.json", out=tmp_path / "out.json")


def test_links_of_an_earlier_list_go(kit, tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / f"videos/{T1}.mp4").write_bytes(b"junk")
    (tmp_path / "links").mkdir()
    (tmp_path / "links/old.mp4").symlink_to("nowhere")
    tool.run("thumos14", from_=kit, out=tmp_path / "o.json", videos=(tmp_path / "videos",), link=tmp_path / "links")
    assert os.listdir(tmp_path / "links") == [f"{T1}.mp4"]


def test_the_source_is_never_replaced_by_a_list(kit, tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / f"videos/{T1}.mp4").write_bytes(b"junk")
    source = kit / "TH14_val/annotation/Diving_val.txt"
    with pytest.raises(UserError, match="is a folder"):
        tool.run("thumos14", from_=kit, out=tmp_path / "o.json", videos=(tmp_path / "videos",), missing=kit)
    assert source.read_text()


def test_no_file_of_yours_is_replaced_by_a_link(kit, tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / f"videos/{T1}.mp4").write_bytes(b"mine")
    with pytest.raises(UserError, match="is there and no link; name another folder"):
        tool.run(
            "thumos14", from_=kit, out=tmp_path / "o.json", videos=(tmp_path / "videos",), link=tmp_path / "videos"
        )
    assert (tmp_path / f"videos/{T1}.mp4").read_bytes() == b"mine"


def test_mistakes_end_in_a_line(kit, tmp_path):
    with pytest.raises(UserError, match="thumos15: no such benchmark; did you mean 'thumos14'"):
        tool.run("thumos15", from_=kit)
    with pytest.raises(UserError, match="need --videos"):
        tool.run("thumos14", from_=kit, link=tmp_path)
    (kit / "copy").mkdir()
    (kit / "copy/Diving_val.txt").write_text("")
    with pytest.raises(UserError, match=r"Diving_val.txt have the same name; keep one of them"):
        tool.run("thumos14", from_=kit, out=tmp_path / "o.json")
