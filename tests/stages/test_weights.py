"""Published weights: checked before they are read, converted, refused if a byte or a shape is wrong."""

import functools
import hashlib
import http.server
import os
import pickle
import subprocess
import threading

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from clip_ae.core.config.schema import ClipOptions, I3dOptions, VggishOptions, VggishPcaOptions, Weights
from clip_ae.core.config.specs import WeightsSpec
from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.encoders.networks import clip, i3d, vggish
from clip_ae.encoders.networks.state_dict import get_tensors
from clip_ae.encoders.normalize import RGB_SCALING, normalize_rgb
from clip_ae.pipeline import network_weights
from clip_ae.stages import weights
from clip_ae.weights.integrity import file_digest
from clip_ae.weights.network_file import read_weights, read_weights_provenance

OPTIONS = VggishOptions(1 / 64)


@pytest.fixture(scope="module")
def published_dir(tmp_path_factory):
    """A folder with a published network in two formats; the PyTorch file also contains post-processing tensors."""
    folder = tmp_path_factory.mktemp("published")
    state = vggish.build(OPTIONS).state_dict()
    torch.save(state | {"pproc.pca_means": torch.zeros(3)}, folder / "ears.pth")
    save_file(get_tensors(vggish.build(OPTIONS)), folder / "ears.safetensors")
    return folder


@pytest.fixture(scope="module")
def server(published_dir):
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=published_dir)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{service.server_port}"
        service.shutdown()


def make(folder, source, integrity=None, options=OPTIONS):
    out = folder / "out" / "ears.safetensors"
    spec = WeightsSpec("ears", Weights(str(source), vggish=options, integrity=integrity, licence="MIT"))
    weights.run(spec, out=out)
    return out


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["ears.pth", "ears.safetensors"])
def test_a_local_file_with_its_facts(published_dir, tmp_path, name):
    network = read_weights(make(tmp_path, published_dir / name))
    assert network.tensors.keys() == get_tensors(vggish.build(OPTIONS)).keys()
    assert network.metadata["integrity"] == f"sha256:{sha256(published_dir / name)}"
    assert network.metadata["licence"] == "MIT"
    assert network.metadata["vggish"] == {"width": 1 / 64, "classes": 0}
    assert network.metadata["reads"] == "sound at 16000 Hz, log-mel patches of 96 x 64"
    assert "pretrained" not in network.provenance.inputs


def test_a_download_leaves_nothing_behind(published_dir, server, tmp_path):
    out = make(tmp_path, f"{server}/ears.pth", f"sha256:{sha256(published_dir / 'ears.pth')}")
    assert [path.name for path in out.parent.iterdir()] == ["ears.safetensors"]
    local = make(tmp_path / "local", published_dir / "ears.pth")
    assert {n: t.tobytes() for n, t in read_weights(out).tensors.items()} == {
        n: t.tobytes() for n, t in read_weights(local).tensors.items()
    }


def test_three_forms_of_integrity(published_dir, tmp_path):
    path = published_dir / "ears.pth"
    for stated in (f"sha256:{sha256(path)}", f"sha256-prefix:{sha256(path)[:8]}", f"git-blob:{git_id(path)}"):
        assert read_weights(make(tmp_path, path.as_uri(), stated)).metadata["integrity"] == stated


def git_id(path):
    return subprocess.run(["git", "hash-object", path], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("form", ["sha256", "sha256-prefix", "git-blob"])
def test_the_wrong_file_is_refused_with_both_digests_before_it_is_read(published_dir, tmp_path, form, monkeypatch):
    monkeypatch.setattr(network_weights, "read_state_dict", lambda *_: pytest.fail("read before it was checked"))
    wrong = {"sha256": "0" * 64, "sha256-prefix": "0" * 8, "git-blob": "0" * 40}[form]
    path = published_dir / "ears.pth"
    with pytest.raises(RefusedInput, match=rf"weights.ears: .* {file_digest(path, form)}, the config states {wrong};"):
        make(tmp_path, path.as_uri(), f"{form}:{wrong}")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("integrity", ["md5:00", "sha256:12", "sha256", "git-blob:xyz"])
def test_an_unknown_digest_form_is_an_error(published_dir, tmp_path, integrity):
    with pytest.raises(UserError, match=r"weights.ears.integrity: .* is not sha256:HEX"):
        make(tmp_path, published_dir / "ears.pth", integrity)


def test_a_download_without_integrity_is_refused(server, tmp_path):
    with pytest.raises(UserError, match=r"weights.ears.integrity: missing"):
        make(tmp_path, f"{server}/ears.pth")


def test_offline_says_what_to_do(tmp_path):
    url = "http://127.0.0.1:9/ears.pth"
    with pytest.raises(UserError, match=rf"cannot download {url}: .*set weights.ears.source to its path"):
        make(tmp_path, url, f"sha256:{'0' * 64}")


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"weights.ears.source: no such file: nowhere.pth"):
        make(tmp_path, "nowhere.pth")


def test_pretrained_must_be_given(tmp_path):
    with pytest.raises(UserError, match="--pretrained"):
        make(tmp_path, "pretrain")


def test_another_networks_tensors_are_refused(published_dir, tmp_path):
    with pytest.raises(RefusedInput, match=r"weights.ears: tensor embeddings.0.bias is \[64\], .* is \[128\]"):
        make(tmp_path, published_dir / "ears.pth", options=VggishOptions(1 / 32))


class Trap:
    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return (os.system, (f"touch {self.trace}",))


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".ckpt"])
def test_code_in_a_file_is_never_run(tmp_path, suffix):
    path, trace = tmp_path / f"trap{suffix}", tmp_path / "ran"
    state = {"features.0.bias": Trap(trace)}
    if suffix == ".ckpt":
        path.write_bytes(pickle.dumps(state))
    else:
        # PyTorch's format of today, and that of 2018, which published I3D weights have.
        torch.save(state, path, _use_new_zipfile_serialization=suffix == ".pth")
    with pytest.raises(RefusedInput, match=rf"trap{suffix} is not .* \(names posix.system\)$"):
        make(tmp_path, path)
    assert not trace.exists()


def test_pickled_arrays_are_weights_too(tmp_path):
    """An I3D with names and a layout that are not those of PyTorch."""
    options = I3dOptions(3, 0.125, short_side=42, crop=32, classes=5)
    kernel = np.arange(7 * 7 * 7 * 3 * 8, dtype=">f4").reshape(7, 7, 7, 3, 8)
    state = {"params": {"Conv3d_1a_7x7": {"Conv_0": {"kernel": kernel}}}}
    path = tmp_path / "eyes.ckpt"
    path.write_bytes(pickle.dumps(state, 4))
    found = i3d.convert_state_dict(network_weights.read_state_dict("weights.eyes", path), options)[
        "Conv3d_1a_7x7.conv3d.weight"
    ]
    np.testing.assert_array_equal(found.numpy(), kernel.transpose(4, 3, 0, 1, 2))
    spec = WeightsSpec("eyes", Weights(str(path), i3d=options))
    with pytest.raises(RefusedInput, match=r"weights.eyes: has no tensor Conv3d_1a_7x7.bn.bias"):
        weights.run(spec, out=tmp_path / "eyes.safetensors")


def test_arrays_in_pytorchs_old_format_are_read_too(tmp_path):
    """VGGish's PCA parameters are published in this format."""
    rng = np.random.default_rng(0)
    state = {"pca_eigen_vectors": rng.random((4, 4)), "pca_means": rng.random((4, 1))}
    torch.save(state, tmp_path / "pca.pth", _use_new_zipfile_serialization=False)
    spec = WeightsSpec("pca", Weights(str(tmp_path / "pca.pth"), vggish_pca=VggishPcaOptions(4)))
    weights.run(spec, out=tmp_path / "pca.safetensors")
    found = read_weights(tmp_path / "pca.safetensors").tensors
    np.testing.assert_allclose(found["pca_eigen_vectors"], state["pca_eigen_vectors"], rtol=1e-6)
    np.testing.assert_allclose(found["pca_means"], state["pca_means"][:, 0], rtol=1e-6)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x10\0\0\0\0\0\0\0{broken"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_nonsense_is_refused(tmp_path, content, suffix):
    path = tmp_path / f"ears{suffix}"
    path.write_bytes(content)
    with pytest.raises(RefusedInput, match="is not plain weights"):
        make(tmp_path, path)


def test_an_openai_clip_without_quickgelu_is_refused(tmp_path):
    spec = WeightsSpec("eyes", Weights("open_clip:ViT-B-16/openai", clip=ClipOptions("ViT-B-16")))
    with pytest.raises(UserError, match="made with QuickGELU"):
        weights.run(spec, out=tmp_path / "eyes.safetensors")


@pytest.fixture
def eyes():
    facts = Weights(
        "open_clip:ViT-B-16-quickgelu/openai",
        clip=ClipOptions("ViT-B-16-quickgelu"),
        integrity=f"sha256:{'0' * 64}",
        size_mb=599,
    )
    return WeightsSpec("eyes", facts)


def test_open_clip_offline_says_what_to_do(eyes, tmp_path, monkeypatch):
    monkeypatch.setattr(clip, "download_weights", lambda facts: (_ for _ in ()).throw(OSError("no route")))
    hub = "https://huggingface.co/timm/vit_base_patch16_clip_224.openai/"
    line = rf"weights.eyes: cannot download {hub} \(599 MB\): no route; .* set weights.eyes.source to its path"
    with pytest.raises(UserError, match=line):
        weights.run(eyes, out=tmp_path / "eyes.safetensors")


def test_what_open_clip_fetched_is_checked_too(eyes, tmp_path, monkeypatch):
    """open_clip compares no hash of a file from the hub."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"other")
    monkeypatch.setattr(clip, "download_weights", lambda facts: path)
    with pytest.raises(RefusedInput, match=rf"weights.eyes: the file has sha256 {sha256(path)}, .*{'0' * 64};"):
        weights.run(eyes, out=tmp_path / "eyes.safetensors")


def test_what_is_read_is_said_as_it_is():
    x = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16, 1)
    wanted = eval(RGB_SCALING, {"x": x.double()})  # noqa: S307
    torch.testing.assert_close(normalize_rgb(x)[0, 0, 0], wanted[0, 0, ..., 0].float())
    assert i3d.input_description(I3dOptions()) == f"RGB, short side 256, centre crop 224, {RGB_SCALING}"
    assert i3d.input_description(I3dOptions(2)).startswith("optical flow, short side 256, centre crop 224")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 something else", b"\x02\0\0\0\0\0\0\0{}"])
@pytest.mark.parametrize("reader", [read_weights, read_weights_provenance])
def test_another_file_is_refused_in_a_line(tmp_path, reader, content):
    path = tmp_path / "eyes.safetensors"
    path.write_bytes(content)
    with pytest.raises(RefusedInput, match=r"eyes.safetensors: not a weights file of this project .*; delete it"):
        reader(path)


def test_one_flipped_byte_anywhere_is_refused(published_dir, tmp_path):
    """Length, header, record, padding and data: no byte of the file may differ from what was saved."""
    whole = make(tmp_path, published_dir / "ears.pth").read_bytes()
    header = int.from_bytes(whole[:8], "little")
    at = [0, 1, 7, 8, 12, 8 + header - 1, 8 + header, len(whole) - 1]
    at += [whole.index(word) + 3 for word in (b"provenance", b"licence", b"versions", b"code", b"data_offsets", b"F32")]
    at += [int(i) for i in np.random.default_rng(0).integers(0, len(whole), 20)]
    at += [int(i) for i in np.random.default_rng(1).integers(8, 8 + header, 60)]
    path = tmp_path / "flipped.safetensors"
    for i in at:
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :])
        with pytest.raises(RefusedInput):
            read_weights(path)
            pytest.fail(f"byte {i} of {len(whole)} flipped unnoticed: {whole[i - 20 : i + 20]!r}")
