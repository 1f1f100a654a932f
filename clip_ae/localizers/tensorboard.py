"""TensorBoard event files of a training, to watch it while it runs. No result depends on them."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from clip_ae.core.errors import UserError


@contextlib.contextmanager
def open_tensorboard(log_dir: Path | None, last_step: int) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """A function that writes one line of the training log; without log_dir it does nothing.

    Values that a killed training wrote for steps after `last_step` are removed.
    """
    if log_dir is None:
        yield lambda line: None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UserError("runtime.tensorboard: tensorboard is not installed; pip install tensorboard") from None
    with SummaryWriter(str(log_dir), purge_step=last_step + 1) as writer:

        def write_line(line: Mapping[str, Any]) -> None:
            for name, value in _named_values(line):
                writer.add_scalar(name, value, line["step"])
            writer.flush()

        yield write_line


def _named_values(line: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    yield from ((f"loss/{name}", value) for name, value in line.items() if name not in ("step", "diagnostics"))
    yield from ((f"diagnostics/{name}", value) for name, value in line.get("diagnostics", {}).items())
