"""Check a published file against the digest that the config states."""

import hashlib
import re
from pathlib import Path

from clip_ae.core.errors import RefusedInput, UserError

CHUNK_BYTES = 1 << 20
DIGEST_PATTERNS = {"sha256": r"[0-9a-f]{64}", "sha256-prefix": r"[0-9a-f]{8,64}", "git-blob": r"[0-9a-f]{40}"}


def check_integrity(key: str, path: Path, integrity: str | None) -> None:
    """Raise RefusedInput if the file does not have the digest `integrity` (TYPE:HEX). Call before anything reads it."""
    if integrity is None:
        return
    digest_type, _, expected_digest = integrity.partition(":")
    if digest_type not in DIGEST_PATTERNS or not re.fullmatch(DIGEST_PATTERNS[digest_type], expected_digest):
        raise UserError(f"{key}.integrity: '{integrity}' is not sha256:HEX, sha256-prefix:HEX or git-blob:HEX")
    actual_digest = file_digest(path, digest_type)
    if actual_digest[: len(expected_digest)] != expected_digest:
        raise make_mismatch_error(key, digest_type, actual_digest, expected_digest)


def make_mismatch_error(key: str, digest_type: str, actual: str, expected: str) -> RefusedInput:
    return RefusedInput(
        f"{key}: the file has {digest_type} {actual}, the config states {expected}; "
        "get the right file or correct integrity"
    )


def file_digest(path: Path, digest_type: str = "sha256") -> str:
    """Return the sha256 of the content, or for git-blob the sha1 under which git stores it, in hexadecimal."""
    file_hash = hashlib.sha1(usedforsecurity=False) if digest_type == "git-blob" else hashlib.sha256()
    if digest_type == "git-blob":
        file_hash.update(f"blob {path.stat().st_size}\0".encode())
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            file_hash.update(chunk)
    return file_hash.hexdigest()
