"""List the files behind a target with `snakemake --summary`, and which of them Snakemake would write."""

import csv
import io
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clip_ae.core.errors import UserError
from clip_ae.workflow.resources import project_dir


@dataclass(frozen=True)
class OutputStatus:
    """One output file of a job: `is_missing` on disk, `is_pending` if Snakemake would write it."""

    path: str
    rule: str
    is_missing: bool
    is_pending: bool


def list_outputs(targets: Sequence[str], own_config_files: Sequence[Path] = ()) -> list[OutputStatus]:
    """Every output behind the targets, from `snakemake --summary`."""
    config_files = ["--configfile", *map(str, own_config_files)] if own_config_files else []
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        str(project_dir() / "Snakefile"),
        "--summary",
        "--nolock",
    ]
    try:
        result = subprocess.run([*command, *config_files, "--", *targets], check=False, capture_output=True, text=True)
    except OSError as error:
        raise UserError(f"snakemake: cannot be started ({error})") from None
    if result.returncode:
        raise UserError(_extract_reason(result.stderr, " ".join(targets)))
    rows = csv.DictReader(io.StringIO(result.stdout), delimiter="\t")
    return [
        OutputStatus(row["output_file"], row["rule"], row["status"] == "missing", row["plan"] == "update pending")
        for row in rows
    ]


def _extract_reason(stderr: str, targets: str) -> str:
    """The error line of the workflow, or the last line of Snakemake."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    own_errors = [line.removeprefix("clip-ae: ") for line in lines if line.startswith("clip-ae: ")]
    if own_errors:
        return own_errors[0]
    if any("No module named snakemake" in line for line in lines):
        return "snakemake is not installed; install it with `pip install '.[workflow]'` in the checkout of clip-ae"
    return f"{targets}: Snakemake cannot plan it ({lines[-1] if lines else 'no message'})"
