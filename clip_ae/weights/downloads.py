"""A file from a URL."""

import http.client
import urllib.error
import urllib.request
from pathlib import Path

from clip_ae.core.config.schema import Weights
from clip_ae.core.errors import UserError
from clip_ae.core.progress import track

CHUNK_BYTES = 1 << 20
# Seconds without an answer after which a server counts as away.
TIMEOUT_S = 60


def download(key: str, weights: Weights, path: Path) -> None:
    """Write what the URL gives to `path`."""
    try:
        with urllib.request.urlopen(weights.source, timeout=TIMEOUT_S) as answer, path.open("wb") as file:
            length = int(answer.headers.get("Content-Length") or 0)
            chunks = iter(lambda: answer.read(CHUNK_BYTES), b"")
            for chunk in track(chunks, f"download {key}", total=-(-length // CHUNK_BYTES) or None, unit="MiB"):
                file.write(chunk)
            if length and file.tell() < length:
                raise OSError(f"broke off after {file.tell()} of {length} bytes")
    except (OSError, http.client.HTTPException) as error:
        raise make_download_error(key, weights, weights.source, getattr(error, "reason", error)) from None


def make_download_error(
    key: str, weights: Weights, target: str, reason: object, advice: str = "get the file"
) -> UserError:
    """Where the file is, how large, and what to do when this machine cannot reach it."""
    size = f" ({weights.size_mb} MB)" if weights.size_mb else ""
    # Libraries go on to guess and to advise.
    first = str(reason).partition("\n")[0].partition(". ")[0]
    return UserError(
        f"{key}: cannot download {target}{size}: {first}; {advice} by other means and set {key}.source to its path"
    )
