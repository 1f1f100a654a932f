"""The layout of a folder or a file is recognised by itself, or named; anything else is refused in one line."""

import time
from pathlib import Path

import pytest

from clip_ae.core.config.schema import LayoutName
from clip_ae.core.errors import UserError
from clip_ae.data.layouts.conventions import FORMS
from clip_ae.data.layouts.detect import LISTERS, list_feature_files
from tests.data.feature_sets import WRITERS, write_joint, write_npz, write_streams, write_suffix, write_wtalc

BOTH = ("rgb", "flow")


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_the_config_knows_every_layout() -> None:
    assert set(LayoutName.__args__) == set(FORMS) == set(LISTERS)


@pytest.mark.parametrize("name", WRITERS)
def test_each_layout_is_recognised(tmp_path: Path, name: str) -> None:
    layout, write = WRITERS[name]
    source = write(tmp_path / "features")
    assert list_feature_files(source, BOTH).layout == layout
    # A folder with one file is that file.
    if source.is_file():
        files = list_feature_files(source.parent, BOTH)
        assert (files.layout, files.root_dir) == (layout, source.parent)


@pytest.mark.parametrize(
    ("name", "streams"),
    [("streams", ("flow", "rgb")), ("suffix", ("flow", "rgb")), ("wtalc", BOTH), ("shards", ("flow", "rgb"))],
)
def test_layouts_that_name_their_streams(tmp_path: Path, name: str, streams: tuple[str, ...]) -> None:
    assert list_feature_files(WRITERS[name][1](tmp_path), ()).streams == streams


@pytest.mark.parametrize("name", ["joint npy", "npz", "hdf5 id"])
def test_other_layouts_ask_for_the_streams(tmp_path: Path, name: str) -> None:
    layout, write = WRITERS[name]
    with pytest.raises(UserError, match=rf"layout {layout} does not name its streams; name them: rgb,flow for"):
        list_feature_files(write(tmp_path / "x"), ())


def test_npy_files_are_found_below_a_folder_of_their_stream(tmp_path: Path) -> None:
    touch(tmp_path, "rgb/x.npy", "train/flow/deep/x.npy", "other/z.npy")
    files = list_feature_files(tmp_path, BOTH)
    assert files.video_files == {"rgb": {"x": "rgb/x.npy"}, "flow": {"x": "train/flow/deep/x.npy"}}
    assert files.files_of_shard(0, 1) == ["rgb/x.npy", "train/flow/deep/x.npy"]


def test_streams_may_have_any_name(tmp_path: Path) -> None:
    touch(tmp_path, "egocentric/x.npy", "gaze/x.npy")
    assert list_feature_files(tmp_path, ()).streams == ("egocentric", "gaze")
    assert list_feature_files(tmp_path, ("gaze",)).video_files == {"gaze": {"x": "gaze/x.npy"}}


def test_all_jobs_read_all_shards(tmp_path: Path) -> None:
    touch(tmp_path, "rgb/b.parquet", "rgb/a.parquet", "rgb/more/c.parquet")
    files = list_feature_files(tmp_path, ("rgb",))
    assert files.shared_files == {"rgb": ("rgb/a.parquet", "rgb/b.parquet")}
    assert files.files_of_shard(0, 7) == files.files_of_shard(3, 7) == ["rgb/a.parquet", "rgb/b.parquet"]


def test_every_job_reads_a_file_of_many_videos(tmp_path: Path) -> None:
    source = write_npz(tmp_path)
    files = list_feature_files(source, BOTH)
    assert files.root_dir == tmp_path
    assert files.files_of_shard(0, 7) == files.files_of_shard(3, 7) == ["features.npz"]


def test_a_joint_file_is_read_by_the_job_of_its_video(tmp_path: Path) -> None:
    files = list_feature_files(write_joint(tmp_path), BOTH)
    jobs = [files.files_of_shard(index, 5) for index in range(5)]
    assert sorted(path for job in jobs for path in job) == ["a.npy", "b.npy", "c.npy"]


def test_the_names_may_be_beside_the_file(tmp_path: Path) -> None:
    write_wtalc(tmp_path)
    for name in ("videoname.npy", "duration.npy"):
        (tmp_path / "Set-Annotations" / name).rename(tmp_path / name)
    for source in (tmp_path, tmp_path / "Set-I3D-JOINTFeatures.npy"):
        files = list_feature_files(source, BOTH)
        assert (files.layout, files.shared_files["rgb"]) == ("wtalc", ("Set-I3D-JOINTFeatures.npy", "videoname.npy"))


def test_vggish_files_are_the_audio_stream(tmp_path: Path) -> None:
    touch(tmp_path, "__x_1_rgb.npy", "__x_1_flow.npy", "__x_1_vggish.npy")
    files = list_feature_files(tmp_path, ())
    assert files.streams == ("audio", "flow", "rgb")
    assert files.video_files["audio"] == {"__x_1": "__x_1_vggish.npy"}
    assert list_feature_files(tmp_path, ("vggish",)).video_files["vggish"] == {"__x_1": "__x_1_vggish.npy"}
    touch(tmp_path, "__x_1_audio.npy")
    with pytest.raises(UserError, match=r"__x_1_vggish\.npy: a second audio file of '__x_1'; remove one"):
        list_feature_files(tmp_path, ("audio",))


def test_stream_without_files_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "rgb/x.npy")
    with pytest.raises(UserError, match=r"no features of the flow stream; expected \{stream\}/ID\.npy"):
        list_feature_files(tmp_path, BOTH)


def test_a_folder_of_no_layout_is_refused_with_what_was_looked_for(tmp_path: Path) -> None:
    touch(tmp_path, "notes.txt", "visual/x.npy")
    with pytest.raises(UserError) as refusal:
        list_feature_files(tmp_path, BOTH, hint=" (see the config)")
    message = str(refusal.value)
    assert message.startswith(
        f"{tmp_path}: no features in a known layout ({{stream}}: rgb, flow). Looked for streams: "
    )
    assert all(f"{name}: {form}" in message for name, form in FORMS.items())
    assert message.endswith("(see the config)")


def test_a_folder_of_two_layouts_is_refused_with_both(tmp_path: Path) -> None:
    write_streams(tmp_path)
    touch(tmp_path, "mean.npy")
    with pytest.raises(
        UserError, match=r"fits 2 layouts, streams \(.*\.npy\) and joint \(mean\.npy\); choose one with"
    ):
        list_feature_files(tmp_path, BOTH)
    assert list_feature_files(tmp_path, BOTH, "streams").layout == "streams"
    assert list_feature_files(tmp_path, BOTH, "joint").video_ids() == {"mean"}


def test_a_named_layout_wins_over_the_recognised_one(tmp_path: Path) -> None:
    write_suffix(tmp_path)
    assert list_feature_files(tmp_path, BOTH, "joint").video_ids() >= {"a_rgb", "a_flow"}
    with pytest.raises(UserError, match=r"has no files of the layout hdf5; expected one \.h5 or"):
        list_feature_files(tmp_path, BOTH, "hdf5")
    with pytest.raises(UserError, match="layout sufix: no such layout; did you mean 'suffix'"):
        list_feature_files(tmp_path, BOTH, "sufix")


@pytest.mark.parametrize("as_file", [False, True])
def test_arrays_of_all_videos_need_the_list_of_names(tmp_path: Path, as_file: bool) -> None:
    source = write_wtalc(tmp_path)
    (tmp_path / "Set-Annotations/videoname.npy").unlink()
    path = tmp_path / "Set-I3D-JOINTFeatures.npy"
    with pytest.raises(
        UserError,
        match=r"Set-I3D-JOINTFeatures\.npy: its name says that it has the arrays of all videos; expected one npy file "
        r"of all videos' arrays, with videoname\.npy beside it or in a folder beside it",
    ):
        list_feature_files(path if as_file else source, BOTH)
    assert list_feature_files(source, BOTH, "joint").video_ids() == {path.stem}


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="absent: no such folder"):
        list_feature_files(tmp_path / "absent", BOTH)


@pytest.mark.parametrize("form", ["{stream}/v{i}.npy", "v{i}_{stream}.npy", "v{i}.npy"])
def test_ten_thousand_files_are_listed_in_a_second(tmp_path: Path, form: str) -> None:
    touch(tmp_path, *(form.format(stream=stream, i=i) for i in range(5000) for stream in BOTH))
    start = time.perf_counter()
    files = list_feature_files(tmp_path, BOTH)
    assert len(files.video_ids()) == 5000
    # 0.1 s where this was written.
    assert time.perf_counter() - start < 1
