# Before Snakemake reads config.yaml: what would end in several lines ends in one.
import os
import sys
from pathlib import Path

sys.path.insert(0, workflow.basedir)

from clip_ae.core.errors import ClipAeError, make_printable
from clip_ae.workflow.config_files import read_config_file


def fail(error):
    """One line, and the exit code that tells whose mistake it was."""
    print(f"clip-ae: {make_printable(str(error))}", file=sys.stderr)
    sys.exit(error.exit_code)


try:
    for path in ["config.yaml", *workflow.configfiles]:
        if Path(path).exists():
            read_config_file(Path(path))
except ClipAeError as error:
    fail(error)
