"""The machine that made a result."""

import platform
from typing import Any

from clip_ae.core.processor import processor_name


def describe_machine() -> dict[str, Any]:
    """The Python version and the processor; a result may differ by rounding with these, as with the libraries."""
    return {"python": platform.python_version(), "processor": processor_name()}
