"""Training's figures as TensorBoard's event files: to watch while it runs, never a result."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from clip_ae.core.errors import UserError


@contextlib.contextmanager
def open_tensorboard(log_dir: Path | None, last_step: int) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """A function that shows a line of the log. What a killed training showed of steps after `done` is forgotten."""
    if log_dir is None:
        yield lambda line: None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UserError("runtime.tensorboard: tensorboard is not installed; pip install tensorboard") from None
    with SummaryWriter(str(log_dir), purge_step=last_step + 1) as writer:

        def show(line: Mapping[str, Any]) -> None:
            for name, value in _figures(line):
                writer.add_scalar(name, value, line["step"])
            writer.flush()

        yield show


def _figures(line: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    yield from ((f"loss/{name}", value) for name, value in line.items() if name not in ("step", "diagnostics"))
    yield from ((f"diagnostics/{name}", value) for name, value in line.get("diagnostics", {}).items())
