"""Write the training log of a feature adapter."""

import json
from collections.abc import Sequence
from pathlib import Path

from clip_ae.core.files import write_text

# Steps between two logged lines.
LOG_EVERY = 50


def write_training_log(path: Path, lines: Sequence[dict[str, float]]) -> None:
    """Write one line for every 50th step and for the last one."""
    logged = [json.dumps(line) for line in lines if not line["step"] % LOG_EVERY or line is lines[-1]]
    write_text(path, "".join(f"{line}\n" for line in logged))
