"""Published weights: a file with the right digest is used; wrong, short and missing ones are refused with advice."""

import functools
import hashlib
import http.server
import io
import tarfile
import threading
from importlib.metadata import PackageNotFoundError, version

import pytest

from clip_ae.core.config.checks import load_config
from clip_ae.core.config.schema import I3dOptions, Weights
from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.weights.sources import fetch_weights
from tests.builders import shipped_config

CONTENT = bytes(range(256)) * 999
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
# A build backend without dependencies, inside the archive, that creates a marker file when it runs.
BACKEND = """
from pathlib import Path
Path({marker!r}).touch()
def prepare_metadata_for_build_wheel(folder, settings=None):
    info = Path(folder, "tiny_net-1.0.dist-info")
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: tiny-net\\nVersion: 1.0\\n")
    return info.name
def build_wheel(*_):
    raise SystemExit("no wheel is needed")
"""
PROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
INFO = "Metadata-Version: 2.1\nName: tiny-net\nVersion: 1.0\n"


def weights(source, integrity=SHA256, size_mb=47):
    return Weights(str(source), i3d=I3dOptions(), integrity=integrity, size_mb=size_mb)


def content(source, download_dir, integrity=SHA256):
    with fetch_weights("weights.eyes", weights(source, integrity), download_dir) as path:
        assert path.suffix == ".ckpt"
        return path.read_bytes()


class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        """Announce one byte too many for /short..."""
        if "short" in self.path:
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT) + 1))
            self.end_headers()
            self.wfile.write(CONTENT)
        else:
            super().do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    (folder / "eyes.ckpt").write_bytes(CONTENT)
    (folder / "other.ckpt").write_bytes(CONTENT[:-1] + b"!")
    handler = functools.partial(Handler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{service.server_port}"
        service.shutdown()


def test_download_is_deleted_when_the_block_ends(server, tmp_path):
    assert content(f"{server}/eyes.ckpt", tmp_path) == CONTENT
    assert list(tmp_path.iterdir()) == []


def test_query_of_a_url_is_not_part_of_the_suffix(server, tmp_path):
    assert content(f"{server}/eyes.ckpt?download=true", tmp_path) == CONTENT


def test_a_file_url(tmp_path):
    (tmp_path / "eyes.ckpt").write_bytes(CONTENT)
    assert content((tmp_path / "eyes.ckpt").as_uri(), tmp_path / "download_dir") == CONTENT


def test_wrong_digest_is_refused(server, tmp_path):
    with pytest.raises(RefusedInput, match=rf"weights.eyes: .* the config states {SHA256[7:]}"):
        content(f"{server}/other.ckpt", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_incomplete_download_is_refused(server, tmp_path):
    with pytest.raises(UserError, match=f"broke off after {len(CONTENT)} of {len(CONTENT) + 1} bytes"):
        content(f"{server}/short.ckpt", tmp_path)


@pytest.mark.parametrize(("path", "reason"), [("/gone.ckpt", "Not Found|File not found"), (None, "refused")])
def test_download_error_has_name_url_size_and_advice(server, tmp_path, path, reason):
    url = f"{server}{path}" if path else "http://127.0.0.1:9/eyes.ckpt"
    with pytest.raises(UserError) as caught:
        content(url, tmp_path)
    line = str(caught.value)
    assert line.startswith(f"weights.eyes: cannot download {url} (47 MB): ")
    assert line.endswith("; get the file by other means and set weights.eyes.source to its path")
    assert any(word in line for word in reason.split("|"))
    assert "\n" not in line


# --- pip: ---------------------------------------------------------------------------------------


def add(archive, name, data):
    info = tarfile.TarInfo(f"tiny_net-1.0/{name}")
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A source archive in pip's search path, and the marker file that its build backend creates."""
    links, marker = tmp_path / "links", tmp_path / "backend-ran"
    links.mkdir()
    with tarfile.open(links / "tiny-net-1.0.tar.gz", "w:gz") as archive:
        add(archive, "pyproject.toml", PROJECT.encode())
        add(archive, "PKG-INFO", INFO.encode())
        add(archive, "backend.py", BACKEND.format(marker=str(marker)).encode())
        add(archive, "tiny_net/eyes.ckpt", CONTENT)
        add(archive, "tiny_net/more.bin", b"more")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    digest = hashlib.sha256((links / "tiny-net-1.0.tar.gz").read_bytes()).hexdigest()
    return f"sha256:{digest}", marker


def test_only_one_file_of_a_source_archive_is_extracted(package, tmp_path):
    integrity, marker = package
    download_dir = tmp_path / "download_dir"
    with fetch_weights(
        "weights.eyes", weights("pip:tiny-net==1.0/tiny_net/eyes.ckpt", integrity), download_dir
    ) as path:
        assert path.read_bytes() == CONTENT
        assert not list(download_dir.rglob("more.bin"))
    assert list(download_dir.iterdir()) == []
    with pytest.raises(PackageNotFoundError):
        version("tiny-net")
    # pip runs the build backend for the name, so the next test could notice that, too.
    assert marker.exists()


def test_another_archive_is_refused_before_its_build_script_runs(package, tmp_path):
    integrity, marker = package
    with pytest.raises(RefusedInput, match=f"weights.eyes: the file has {integrity.replace(':', ' ')}, .*{'0' * 64};"):
        content("pip:tiny-net==1.0/tiny_net/eyes.ckpt", tmp_path / "download_dir", f"sha256:{'0' * 64}")
    assert not marker.exists()


def test_error_of_an_unavailable_package(package, tmp_path):
    with pytest.raises(UserError) as caught:
        content("pip:tiny-net==2.0/tiny_net/eyes.ckpt", tmp_path / "download_dir", package[0])
    line = str(caught.value)
    assert line.startswith("weights.eyes: cannot download tiny-net==2.0 (47 MB): ")
    assert "get tiny_net/eyes.ckpt, with the integrity of that file, by other means" in line
    assert line.endswith("set weights.eyes.source to its path")


@pytest.mark.parametrize("member", ["eyes.ckpt", "tiny_net", "../tiny_net/eyes.ckpt"])
def test_missing_archive_member_is_refused(package, tmp_path, member):
    with pytest.raises(UserError, match=rf"weights.eyes.source: tiny-net-1.0.tar.gz has no file {member}"):
        content(f"pip:tiny-net==1.0/{member}", tmp_path / "download_dir", package[0])


@pytest.mark.parametrize(
    "source", ["pip:tiny-net", "pip:tiny-net==1.0", "pip:tiny-net>=1.0/a.ckpt", "pip:--pre==1/a", "pip:a==1 b==2/c"]
)
def test_malformed_package_source_is_refused(shipped, source):
    shipped["weights"]["rgb_scratch"]["source"] = source
    with pytest.raises(UserError, match=r"weights.rgb_scratch.source: expected pip:NAME==VERSION/MEMBER"):
        load_config(shipped)


@pytest.mark.parametrize("integrity", [None, f"git-blob:{'0' * 40}", "sha256-prefix:00000000"])
def test_package_source_needs_a_full_sha256(shipped, integrity):
    shipped["weights"]["rgb_scratch"]["integrity"] = integrity
    with pytest.raises(UserError, match=r"weights.rgb_scratch.integrity: expected sha256:HEX of the package"):
        load_config(shipped)


@pytest.fixture
def shipped():
    return shipped_config()
