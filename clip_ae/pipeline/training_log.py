"""The log of an adapter's training."""

import json
from collections.abc import Sequence
from pathlib import Path

from clip_ae.core.files import write_text

# Steps between two lines of the log.
LOG_EVERY = 50


def write_training_log(path: Path, lines: Sequence[dict[str, float]]) -> None:
    """Write every 50th line and the last one."""
    logged = [json.dumps(line) for line in lines if not line["step"] % LOG_EVERY or line is lines[-1]]
    write_text(path, "".join(f"{line}\n" for line in logged))
