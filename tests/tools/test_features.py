"""`clip-ae features`: from videos to feature files, on small networks with random weights."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
import yaml

from clip_ae import cli
from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.schema import I3dOptions, Runtime, VggishOptions
from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.data.layouts.detect import list_feature_files
from clip_ae.data.parquet import read_parquet_provenance
from clip_ae.data.shards import read_shard
from clip_ae.encoders.networks import i3d, vggish
from clip_ae.tools import features
from tests.media.hostile_media import NAMES
from tests.media_files import truncated, write_video

I3D = I3dOptions(3, 0.125, 40, 32, 5)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config, weights and two videos, the second without sound."""
    root = tmp_path_factory.mktemp("project")
    torch.manual_seed(0)
    torch.save(i3d.build(I3D).state_dict(), root / "rgb.pt")
    torch.save(i3d.build(replace(I3D, channels=2)).state_dict(), root / "flow.pt")
    torch.save(vggish.build(VggishOptions(0.125)).state_dict(), root / "vggish.pt")
    config = {
        "weights": {
            "rgb": {"i3d": to_plain_data(I3D), "source": str(root / "rgb.pt")},
            "flow": {"i3d": to_plain_data(replace(I3D, channels=2)), "source": str(root / "flow.pt")},
            "sound": {"vggish": {"width": 0.125}, "source": str(root / "vggish.pt")},
        },
        "runs": {"stpn": {"method": "stpn"}},
        "datasets": {
            "mine": {
                "videos_dir": "videos", "classes": 2, "runs": ["stpn"], "main_run": "stpn",
                "streams": {
                    "rgb": {"weights": "rgb", "batch_size": 2},
                    "flow": {"weights": "flow", "algorithm": "dis"},
                    "audio": {"weights": "sound", "batch_size": 4},
                },
            }
        },
    }  # fmt: skip
    (root / "config.yaml").write_text(yaml.safe_dump(config))
    (root / "videos").mkdir()
    write_video(root / "videos/a.mp4", frames=80, tone=[440])
    write_video(root / "videos/b c.mp4", frames=48)
    return root


def run(project: Path, out: Path, *videos: Path, **options: Any) -> None:
    settings: dict[str, Any] = {"streams": "rgb,audio", **options}
    encoders = features.EncoderOptions(project / "config.yaml", "mine", settings.pop("set", ()), project)
    features.run(videos or (project / "videos",), out=out, encoders=encoders, runtime=Runtime(device="cpu"), **settings)


def test_all_streams_have_equal_rows_and_both_formats_equal_values(project: Path, tmp_path: Path) -> None:
    run(project, tmp_path / "shards", streams="rgb,flow,audio")
    run(project, tmp_path / "arrays", streams="rgb,flow,audio", format="npy")
    for stream, dim in (("rgb", 128), ("flow", 128), ("audio", 16)):
        for video_id, rows in (("a", 5), ("b c", 3)):
            (video,) = read_shard(tmp_path / "shards" / stream / f"{video_id}.parquet")
            array = np.load(tmp_path / "arrays" / stream / f"{video_id}.npy")
            assert video.video_id == video_id
            assert read_parquet_provenance(tmp_path / "shards" / stream / f"{video_id}.parquet").stage == "features"
            assert array.shape == video.feature.shape == (rows, dim)
            assert array.dtype == np.float32
            np.testing.assert_array_equal(array, video.feature)
            facts = json.loads((tmp_path / "arrays" / stream / f"{video_id}.json").read_text())
            assert facts["start"] == video.start.tolist()
            assert facts["coverage"] == [float(stream != "audio" or video_id == "a")] * rows


def test_both_formats_can_be_used_as_precomputed_features(project: Path, tmp_path: Path) -> None:
    for form in ("parquet", "npy"):
        run(project, tmp_path / form, format=form)
        files = list_feature_files(tmp_path / form, ("rgb", "audio"))
        assert files.layout == {"parquet": "shards", "npy": "streams"}[form]


def test_unusual_file_names_work_and_a_name_that_is_too_long_is_a_failure(
    project: Path, tmp_path: Path, capsys: Any
) -> None:
    videos = tmp_path / "videos"
    videos.mkdir()
    for name in NAMES:
        (videos / f"{name}.mp4").hardlink_to(project / "videos/b c.mp4")
    run(project, tmp_path / "out", videos, streams="rgb")
    logged = capsys.readouterr().err
    longest = max(NAMES, key=len)
    assert f"{longest}: probe: name: " in logged
    assert "\x1b" not in logged
    assert {path.name for path in (tmp_path / "out/rgb").iterdir()} == {f"{n}.parquet" for n in NAMES if n != longest}


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: truncated(path, 0.5), lambda path: truncated(path, 0)])
@pytest.mark.parametrize("form", ["parquet", "npy"])
def test_a_second_run_writes_only_missing_or_damaged_files(
    project: Path, tmp_path: Path, form: str, damage: Callable[[Path], object], capsys: Any
) -> None:
    run(project, tmp_path, format=form)
    first, second = (tmp_path / "rgb" / f"{i}.{form}" for i in ("a", "b c"))
    before = second.stat().st_mtime_ns
    damage(first)
    capsys.readouterr()
    run(project, tmp_path, format=form)
    assert len(next(iter(read_shard(first))).feature if form == "parquet" else np.load(first)) == 5
    assert second.stat().st_mtime_ns == before
    logged = capsys.readouterr().err
    assert "rgb: 5/5 snippets" in logged
    assert "audio: nothing to do" in logged


def test_another_setting_extracts_again(project: Path, tmp_path: Path, capsys: Any) -> None:
    run(project, tmp_path, streams="rgb")
    before = (tmp_path / "rgb/a.parquet").stat().st_mtime_ns
    run(project, tmp_path, streams="rgb", set=("rgb.precision=bf16", "rgb.backend=torch"))
    assert (tmp_path / "rgb/a.parquet").stat().st_mtime_ns > before
    assert "rgb by torch in bf16 against fp32, first batch: cosine" in capsys.readouterr().err


def test_a_stream_that_the_dataset_lacks_is_extracted_from_weights_in_a_local_file(
    project: Path, tmp_path: Path, capsys: Any
) -> None:
    """The words of a command line; the dataset's run gives each of its own streams a weight, and the new one none."""
    torch.manual_seed(0)
    torch.save(timm.create_model("test_vit", num_classes=0).state_dict(), tmp_path / "test_vit.pt")
    config = yaml.safe_load((project / "config.yaml").read_text())
    config["weights"]["vit"] = {"timm": {"model": "test_vit"}, "source": str(tmp_path / "test_vit.pt")}
    config["datasets"]["mine"]["localization"] = {"stream_weights": {"rgb": 0.6, "flow": 0.4}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    command = [
        "features", str(project / "videos"), "--out", str(tmp_path / "out"), "--streams", "dino", "--set",
        "dino.encoder=timm", "dino.weights=vit", "--set", "dino.frames=2", "--config", str(tmp_path / "config.yaml"),
        "--dataset", "mine", "--weights", str(tmp_path), "--device", "cpu",
    ]  # fmt: skip
    assert cli.main(command) == 0, capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["dino"]
    for video_id, rows in (("a", 5), ("b c", 3)):
        path = tmp_path / "out/dino" / f"{video_id}.parquet"
        (video,) = read_shard(path)
        assert video.feature.shape == (rows, 64)
        provenance = read_parquet_provenance(path)
        assert provenance.spec["encoder"]["frames"] == 2
        assert set(provenance.inputs) == {"video", "vit"}


def test_a_model_of_a_new_stream_is_looked_up_in_the_library(project: Path, tmp_path: Path) -> None:
    """Refused before any download: timm does not have it."""
    message = r"^weights\.timm-test_vti, the `model` of a stream: timm\.model: timm has no model test_vti; did you mean"
    with pytest.raises(UserError, match=message):
        run(project, tmp_path, streams="dino", set=("dino.encoder=timm", "dino.model=test_vti"))


def test_without_a_choice_all_streams_of_the_dataset_are_extracted(project: Path, tmp_path: Path) -> None:
    run(project, tmp_path, project / "videos/b c.mp4", streams=None, set=("flow=null",))
    assert {path.name for path in tmp_path.iterdir()} == {"rgb", "audio"}


def test_weights_are_converted_once_and_again_if_the_config_changes(project: Path, tmp_path: Path) -> None:
    run(project, tmp_path / "one", streams="rgb")
    weights_path = project / "results/weights/rgb.safetensors"
    before = weights_path.stat().st_mtime_ns
    run(project, tmp_path / "two", streams="rgb")
    assert weights_path.stat().st_mtime_ns == before
    config = yaml.safe_load((project / "config.yaml").read_text())
    config["weights"]["rgb"]["licence"] = "mine"
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    features.run(
        (project / "videos",), out=tmp_path / "three", streams="rgb", runtime=Runtime(device="cpu"),
        encoders=features.EncoderOptions(tmp_path / "config.yaml", "mine", weights=project),
    )  # fmt: skip
    assert weights_path.stat().st_mtime_ns > before


def test_a_broken_video_is_logged_as_a_failure(project: Path, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    cut = truncated(write_video(tmp_path / "cut.mp4", frames=250, container={"movflags": "faststart"}), 0.5)
    run(project, tmp_path / "out", project / "videos/a.mp4", tmp_path / "text.mp4", cut, streams="rgb")
    logged = capsys.readouterr().err
    assert "text: probe: not-a-video: " in logged
    assert "cut: extract/rgb: partial: " in logged
    assert "2 of 3 videos, rgb: " in logged
    assert sorted(p.name for p in (tmp_path / "out/rgb").iterdir()) == ["a.parquet", "cut.parquet"]


def test_the_idle_share_is_logged_in_the_words_of_the_workflow(project: Path, tmp_path: Path, capsys: Any) -> None:
    run(project, tmp_path, streams="rgb")
    line = r"^rgb: features in \d+\.\d s; the network was idle \d+% of the time$"
    assert re.search(line, capsys.readouterr().err, re.MULTILINE)


def test_without_readable_videos_it_stops_before_any_network_is_loaded(
    project: Path, tmp_path: Path, capsys: Any
) -> None:
    (tmp_path / "junk.mp4").write_bytes(b"junk")
    with pytest.raises(RefusedInput, match="no video could be read"):
        run(project, tmp_path / "out", tmp_path / "junk.mp4")
    assert "junk: probe: " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"streams": "rbg"}, "--streams rbg: mine has no stream rbg, only rgb, flow, audio; for a new one name its"),
        (
            {"streams": "rgb,dino"},
            r"--streams dino: mine has no stream dino, only rgb, flow, audio; for a new one name its encoder, such as "
            r"--set dino\.encoder=timm dino\.model=vit_small_patch14_dinov2\.lvd142m \(docs/encoders\.md\)$",
        ),
        ({"format": "numpy"}, "--format numpy: expected one of parquet, npy"),
        ({"set": ("rgb.precison=bf16",)}, r"datasets\.mine\.streams\.rgb\.precison: unknown key.*'precision'"),
        ({"set": ("rgb.batch_size",)}, r"--set rgb\.batch_size: expected KEY=VALUE"),
        (
            {"set": ("rbg.precision=bf16",)},
            r"--set rbg: mine has no stream rbg, only audio, flow, rgb; for a new one give rbg\.encoder=KIND "
            r"\(i3d, .*\) and rbg\.model or rbg\.weights",
        ),
        ({"set": ("dino.encoder=tim",)}, r"streams\.dino\.encoder: 'tim' is not an encoder; did you mean 'timm'"),
        ({"set": ("dino.encoder=timm",)}, r"streams\.dino: give one of `weights` .* and `model`; neither is given"),
        ({"set": ("dino.encoder=timm", "dino.weights=vit")}, r"streams\.dino\.weights: 'vit' is not defined"),
        ({"set": ("dino=5",)}, r"streams\.dino: expected keys and values, got 5"),
        ({"set": ("dino.encoder=clip", "dino.weights=rgb")}, r"dino\.weights: rgb is a i3d network; dino needs clip"),
    ],
)
def test_wrong_options_are_refused(project: Path, tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        run(project, tmp_path, **options)


def test_out_must_be_a_folder(project: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file/below"):
        with pytest.raises(UserError, match=rf"--out {out}: .*file is not a folder that you can write to"):
            run(project, out)


def test_a_path_without_a_video_is_the_users_mistake(project: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none: no such video or folder; check the path"):
        run(project, tmp_path / "out", tmp_path / "none")


def test_two_videos_with_one_id_are_refused_and_one_video_given_twice_is_not(project: Path, tmp_path: Path) -> None:
    other = write_video(tmp_path / "a.mkv", frames=16)
    with pytest.raises(UserError, match=r"a\.mp4 and .*a\.mkv have one name"):
        run(project, tmp_path / "out", project / "videos/a.mp4", other)
    run(project, tmp_path / "out", project / "videos", project / "videos/a.mp4", streams="audio")


def test_weights_that_the_workflow_trains_are_not_trained_here(project: Path, tmp_path: Path) -> None:
    config = yaml.safe_load((project / "config.yaml").read_text())
    config["weights"]["rgb"]["source"] = "pretrain"
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(UserError, match=r"rgb\.safetensors: .*snakemake --cores 2 .*rgb\.safetensors"):
        features.run(
            (project / "videos",), out=tmp_path / "out", streams="rgb", runtime=Runtime(device="cpu"),
            encoders=features.EncoderOptions(tmp_path / "config.yaml", "mine", weights=tmp_path),
        )  # fmt: skip
