"""The digest that a published file must have."""

import hashlib
import re
from pathlib import Path

from clip_ae.core.errors import RefusedInput, UserError

CHUNK_BYTES = 1 << 20
DIGEST_PATTERNS = {"sha256": r"[0-9a-f]{64}", "sha256-prefix": r"[0-9a-f]{8,64}", "git-blob": r"[0-9a-f]{40}"}


def check_integrity(key: str, path: Path, integrity: str | None) -> None:
    """Refuse a file that has not the stated digest; nothing has read it yet."""
    if integrity is None:
        return
    form, _, stated = integrity.partition(":")
    if form not in DIGEST_PATTERNS or not re.fullmatch(DIGEST_PATTERNS[form], stated):
        raise UserError(f"{key}.integrity: '{integrity}' is none of sha256:HEX, sha256-prefix:HEX, git-blob:HEX")
    found = file_digest(path, form)
    if found[: len(stated)] != stated:
        raise make_mismatch_error(key, form, found, stated)


def make_mismatch_error(key: str, digest_type: str, actual: str, expected: str) -> RefusedInput:
    return RefusedInput(
        f"{key}: the file has {digest_type} {actual}, the config states {expected}; "
        "get the right file or correct integrity"
    )


def file_digest(path: Path, digest_type: str = "sha256") -> str:
    """sha256 of the content, or the id under which git stores it."""
    total = hashlib.sha1(usedforsecurity=False) if digest_type == "git-blob" else hashlib.sha256()
    if digest_type == "git-blob":
        total.update(f"blob {path.stat().st_size}\0".encode())
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            total.update(chunk)
    return total.hexdigest()
