"""Weights by the names that libraries know: checked, converted, and described by the library's record."""

import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
import timm
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import save_file

from clip_ae.core.config.model_weights import implicit_weights
from clip_ae.core.config.network_options import TimmOptions, TorchvisionOptions
from clip_ae.core.config.schema import ClipOptions, VggishOptions, Weights
from clip_ae.core.config.specs import WeightsSpec
from clip_ae.core.config.streams import TimmEncoder, TorchvisionEncoder
from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.encoders.frame_input import FrameInput, read_frame_input
from clip_ae.encoders.networks import clip, timm_image, torchvision_video
from clip_ae.encoders.networks.published import PublishedWeights, download_from_hub
from clip_ae.pipeline.network_weights import convert_weights
from clip_ae.pipeline.weights_source import get_input_facts
from clip_ae.weights.integrity import file_digest
from clip_ae.weights.network_file import WeightsFile, read_weights

VIT = "test_vit.r160_in1k"


def convert(folder: Path, weights: Weights, name: str = "eyes") -> WeightsFile:
    out = folder / "out" / f"{name}.safetensors"
    convert_weights(WeightsSpec(name, weights), out)
    return read_weights(out)


@pytest.fixture
def vit_file(tmp_path: Path) -> Path:
    """A network of timm with its classifier, as in a repository of the hub."""
    save_file(timm.create_model(VIT).state_dict(), tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def test_weights_of_timm_come_from_the_hub_with_the_facts_of_its_record(
    tmp_path: Path, vit_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[Any] = []
    monkeypatch.setattr(timm_image, "download_from_hub", lambda *request: requests.append(request) or vit_file)
    found = convert(tmp_path, Weights(f"timm:{VIT}", timm=TimmOptions("test_vit")))
    assert requests == [(f"timm/{VIT}", ("model.safetensors", "pytorch_model.bin"))]
    assert found.metadata["integrity"] == f"sha256:{file_digest(vit_file)}"
    assert found.metadata["licence"] == "apache-2.0"
    assert read_frame_input(found.metadata, "eyes") == timm_image.get_frame_input(TimmOptions(VIT))
    assert not [name for name in found.tensors if name.startswith("head.")]


@pytest.mark.parametrize(
    ("name", "weights", "message"),
    [
        (
            "eyes",
            Weights("timm:vit_smal", timm=TimmOptions("vit_smal")),
            r"eyes: timm\.model: timm has no model vit",
        ),
        (
            "eyes",
            Weights("w.pt", clip=ClipOptions("ViT-B")),
            r"eyes: clip\.architecture: ViT-B is not an open_clip mo",
        ),
        (
            "eyes",
            Weights(f"timm:{VIT}a", timm=TimmOptions("test_vit")),
            r"eyes: timm\.model: timm has no weights te",
        ),
        (
            *implicit_weights(TimmEncoder(model="vit_smal.x")),
            r"timm-vit_smal-x, the `model` of a stream: timm\.model: timm",
        ),
        (
            *implicit_weights(TorchvisionEncoder(model="swin3d_x")),
            r"torchvision-swin3d_x, the `model` of a stream: torchvision\.model: swin3d_x is not a video network",
        ),
    ],
)
def test_an_error_of_a_library_names_the_entry(tmp_path: Path, name: str, weights: Weights, message: str) -> None:
    with pytest.raises(UserError, match=rf"^weights\.{message}"):
        convert(tmp_path, weights, name)


def test_a_file_given_by_its_path_has_the_same_facts_and_the_licence_of_the_config(
    tmp_path: Path, vit_file: Path
) -> None:
    found = convert(tmp_path, Weights(str(vit_file), timm=TimmOptions("test_vit", 96), licence="mine"))
    assert found.metadata["licence"] == "mine"
    assert read_frame_input(found.metadata, "eyes").crop == 96
    assert found.tensors["pos_embed"].shape == (1, 37, 64)


def test_a_file_of_the_hub_must_have_the_digest_of_the_config(
    tmp_path: Path, vit_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timm_image, "download_from_hub", lambda *_: vit_file)
    weights = Weights(f"timm:{VIT}", timm=TimmOptions("test_vit"), integrity=f"sha256:{'0' * 64}")
    with pytest.raises(RefusedInput, match=r"weights.eyes: the file has sha256 "):
        convert(tmp_path, weights)


@pytest.fixture
def r3d_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A video network's file in the folder from which the library's record is patched to have it."""
    path = tmp_path / "published.pth"
    torch.save(torchvision_video.build(TorchvisionOptions("mc3_18")).state_dict(), path)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return path


RECORDED = FrameInput((20, 30), 16, (0.1, 0.2, 0.3), (1.0, 1.0, 1.0), "bilinear")


def publish(monkeypatch: pytest.MonkeyPatch, url: str, digest: str) -> None:
    record = PublishedWeights(url, integrity=f"sha256-prefix:{digest}", metadata=RECORDED.to_metadata())
    monkeypatch.setattr(torchvision_video, "find_published", lambda options, name: record)


MC3 = Weights("torchvision:mc3_18/DEFAULT", torchvision=TorchvisionOptions("mc3_18"))


def test_weights_of_torchvision_are_downloaded_and_checked(
    tmp_path: Path, r3d_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, r3d_file.as_uri(), file_digest(r3d_file)[:8])
    found = convert(tmp_path, MC3)
    assert read_frame_input(found.metadata, "eyes") == RECORDED
    assert found.metadata["reads"] == "RGB, resized to 20x30, centre crop 16, (x / 255 - mean) / std"
    assert found.tensors["stem.0.weight"].shape == (64, 3, 3, 7, 7)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["eyes.safetensors"]


def test_a_changed_file_is_refused(tmp_path: Path, r3d_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(monkeypatch, r3d_file.as_uri(), "0" * 8)
    with pytest.raises(RefusedInput, match=f"weights.eyes: the file has sha256-prefix {file_digest(r3d_file)}"):
        convert(tmp_path, MC3)


@pytest.mark.parametrize("is_intact", [True, False])
def test_a_file_in_the_library_s_cache_is_used_after_its_check(
    tmp_path: Path, r3d_file: Path, monkeypatch: pytest.MonkeyPatch, is_intact: bool
) -> None:
    publish(monkeypatch, "https://nowhere.invalid/mc3.pth", file_digest(r3d_file)[:8])
    cached = tmp_path / "hub/checkpoints/mc3.pth"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(r3d_file.read_bytes() if is_intact else b"half")
    if is_intact:
        assert np.isfinite(convert(tmp_path, MC3).tensors["stem.0.weight"]).all()
        return
    with pytest.raises(RefusedInput, match=r"weights.eyes: the file has sha256-prefix"):
        convert(tmp_path, MC3)


def test_without_a_network_the_error_says_what_was_tried_and_how_to_give_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    entry = r"weights: {video: {source: PATH, torchvision: {model: mc3_18}}}"
    line = rf"weights.video: cannot download https://.*/mc3_18-a90a0ba3.pth: no route; .* as in {entry}"
    with pytest.raises(UserError, match=line) as caught:
        convert(tmp_path, MC3, "video")
    assert "\n" not in str(caught.value)


def test_an_unreachable_hub_is_a_line_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise LocalEntryNotFoundError("not in the cache. Please check your connection\nand try again")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refuse)
    entry = r"weights: {eyes: {source: PATH, timm: {model: test_vit}}}"
    line = rf"weights.eyes: cannot download https://huggingface.co/timm/{VIT}: not in the cache; .* as in {entry}"
    with pytest.raises(UserError, match=line) as caught:
        convert(tmp_path, Weights(f"timm:{VIT}", timm=TimmOptions("test_vit")))
    assert "\n" not in str(caught.value)


def test_the_first_file_that_a_repository_has_is_downloaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[tuple[str, str, Any]] = []

    def download(repository: str, file: str, revision: Any) -> str:
        asked.append((repository, file, revision))
        if file == "a":
            raise huggingface_hub.errors.EntryNotFoundError("404")
        return str(tmp_path / file)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    assert download_from_hub("x/y@v1", ("a", "b")) == tmp_path / "b"
    assert asked == [("x/y", "a", "v1"), ("x/y", "b", "v1")]
    with pytest.raises(FileNotFoundError, match="it has none of a"):
        download_from_hub("x/y", ("a",))
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda name, file, revision: f"/cache/{file}")
    assert download_from_hub("x/y", ("a", "b")) == Path("/cache/a")


@pytest.mark.parametrize(
    ("source", "kind"),
    [("timm:test_vit", "timm"), ("torchvision:s3d/DEFAULT", "torchvision"), ("open_clip:a/b", "clip")],
)
def test_a_library_s_name_for_another_kind_of_network_is_an_error(tmp_path: Path, source: str, kind: str) -> None:
    with pytest.raises(UserError, match=f"weights.eyes.source: {source} is for a {kind} network"):
        convert(tmp_path, Weights(source, vggish=VggishOptions()))


def test_networks_of_no_library_have_no_such_facts() -> None:
    assert get_input_facts(Weights("x", vggish=VggishOptions()), timm_image) == {}


def test_weights_for_another_model_of_timm_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"weights for test_vit2, but timm.model is test_vit$"):
        convert(tmp_path, Weights("timm:test_vit2", timm=TimmOptions("test_vit")))


@pytest.mark.parametrize(
    ("architecture", "size", "mean"),
    [("ViT-B-16-SigLIP-256", (256, 256), 0.5), ("ViT-B-16", 224, 0.48145466), ("ViT-L-14", 224, 0.48145466)],
)
def test_a_clip_from_a_path_has_the_input_of_its_architecture(architecture: str, size: Any, mean: float) -> None:
    """ViT-L-14 has weights with another mean; then OpenAI's input is used."""
    facts = get_input_facts(Weights("x.pth", clip=ClipOptions(architecture)), clip)
    found = read_frame_input(facts, "eyes")
    assert (found.size, found.mean[0]) == (size, mean)
