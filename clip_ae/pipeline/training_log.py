"""The log of an adapter's training."""

import json
from collections.abc import Iterable
from pathlib import Path

from clip_ae.core.files import write_text

# Steps between two lines of the log.
LOG_EVERY = 50


def write_training_log(path: Path, steps: Iterable[dict[str, float]], num_steps: int) -> None:
    """Every so many steps a line, and the last."""
    lines = [json.dumps(line) for line in steps if not line["step"] % LOG_EVERY or line["step"] == num_steps]
    write_text(path, "".join(f"{line}\n" for line in lines))
