"""Download a file from a URL."""

import http.client
import urllib.error
import urllib.request
from pathlib import Path

from clip_ae.core.config.schema import Weights
from clip_ae.core.errors import UserError
from clip_ae.core.progress import track

CHUNK_BYTES = 1 << 20
# Seconds without data after which a server counts as unreachable.
TIMEOUT_S = 60


def download(key: str, weights: Weights, path: Path) -> None:
    """Write the content of the URL `weights.source` to `path`; `key` names the config entry in errors."""
    try:
        with urllib.request.urlopen(weights.source, timeout=TIMEOUT_S) as response, path.open("wb") as file:
            length = int(response.headers.get("Content-Length") or 0)
            chunks = iter(lambda: response.read(CHUNK_BYTES), b"")
            for chunk in track(chunks, f"download {key}", total=-(-length // CHUNK_BYTES) or None, unit="MiB"):
                file.write(chunk)
            if length and file.tell() < length:
                raise OSError(f"broke off after {file.tell()} of {length} bytes")
    except urllib.error.URLError as error:
        raise make_download_error(key, weights, weights.source, error.reason) from None
    except (OSError, http.client.HTTPException) as error:
        raise make_download_error(key, weights, weights.source, error) from None


def make_download_error(
    key: str, weights: Weights, target: str, reason: object, advice: str = "get the file"
) -> UserError:
    """Return an error with the file's address and size, and what to do if this machine cannot reach it."""
    size = f" ({weights.size_mb} MB)" if weights.size_mb else ""
    # The first sentence only: some libraries append guesses and advice.
    short_reason = str(reason).partition("\n")[0].partition(". ")[0]
    advice = f"{advice} by other means and set {key}.source to its path{_describe_entry(key, weights)}"
    return UserError(f"{key}: cannot download {target}{size}: {short_reason}; {advice}")


def _describe_entry(key: str, weights: Weights) -> str:
    """The whole entry, for kinds of networks that an encoder can name without an entry in the config."""
    options = weights.timm or weights.torchvision
    if options is None:
        return ""
    name, kind = key.rpartition(".")[2], weights.network_kind
    return f", as in weights: {{{name}: {{source: PATH, {kind}: {{model: {options.model}}}}}}}"
