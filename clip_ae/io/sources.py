"""Where published weights come from: a path or a URL, and the digest that they must have."""

import contextlib
import hashlib
import re
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.core.progress import track

# open_clip:ARCHITECTURE/TAG names weights that open_clip knows where to find.
OPEN_CLIP = "open_clip:"
CHUNK = 1 << 20
# Seconds without an answer after which a server counts as away.
PATIENCE = 60
FORMS = {"sha256": r"[0-9a-f]{64}", "sha256-prefix": r"[0-9a-f]{8,64}", "git-blob": r"[0-9a-f]{40}"}


def is_url(source: str) -> bool:
    return source.startswith(("https://", "http://", "file://"))


@contextlib.contextmanager
def fetched(key: str, source: str, integrity: str | None, beside: Path) -> Iterator[Path]:
    """A local file with the stated digest; `key` names the config entry in errors. A download lives for the block."""
    if not is_url(source):
        path = Path(source).expanduser()
        if not path.is_file():
            raise UserError(f"{key}.source: no such file: {path}; put it there or give another path or URL")
        check(key, path, integrity)
        yield path
        return
    if integrity is None:
        raise UserError(f"{key}.integrity: missing; a download needs one of {', '.join(FORMS)}, as in sha256:HEX")
    beside.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".download-", dir=beside) as folder:
        # The suffix says how the file is to be read.
        path = Path(folder, "weights").with_suffix(Path(source).suffix)
        _download(key, source, path)
        check(key, path, integrity)
        yield path


def check(key: str, path: Path, integrity: str | None) -> None:
    """Refuse a file that has not the stated digest; nothing has read it yet."""
    if integrity is None:
        return
    form, _, stated = integrity.partition(":")
    if form not in FORMS or not re.fullmatch(FORMS[form], stated):
        raise UserError(f"{key}.integrity: '{integrity}' is none of sha256:HEX, sha256-prefix:HEX, git-blob:HEX")
    found = file_digest(path, form)
    if found[: len(stated)] != stated:
        raise RefusedInput(
            f"{key}: the file has {form} {found}, the config states {stated}; get the right file or correct integrity"
        )


def file_digest(path: Path, form: str = "sha256") -> str:
    """sha256 of the content, or the id under which git stores it."""
    total = hashlib.sha1(usedforsecurity=False) if form == "git-blob" else hashlib.sha256()
    if form == "git-blob":
        total.update(f"blob {path.stat().st_size}\0".encode())
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            total.update(chunk)
    return total.hexdigest()


def _download(key: str, url: str, path: Path) -> None:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer, path.open("wb") as file:
            length = answer.headers.get("Content-Length")
            total = -(-int(length) // CHUNK) if length else None
            for chunk in track(iter(lambda: answer.read(CHUNK), b""), f"download {key}", total=total, unit="MiB"):
                file.write(chunk)
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise UserError(
            f"{key}: cannot download {url} ({reason}); get the file by other means and set {key}.source to its path"
        ) from None
