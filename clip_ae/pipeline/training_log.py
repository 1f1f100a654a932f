"""Write the training log of a feature adapter."""

import json
from collections.abc import Iterable
from pathlib import Path

from clip_ae.core.files import write_text

# Steps between two logged lines.
LOG_EVERY = 50


def write_training_log(path: Path, steps: Iterable[dict[str, float]], num_steps: int) -> None:
    """Write one line for every 50th step and for the last one."""
    lines = [json.dumps(line) for line in steps if not line["step"] % LOG_EVERY or line["step"] == num_steps]
    write_text(path, "".join(f"{line}\n" for line in lines))
