"""Pretrained weights that a library knows by name: where their file is, and the library's facts about them."""

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class PublishedWeights:
    """A library's record of pretrained weights.

    address: URL of the file, or of the page that has it.
    download: returns the file's path, through the library's own cache; None if `address` is the file itself.
    integrity: digest that the publisher states, in the form of the config's `integrity`.
    metadata: facts for the weights file: the network's input, and the licence if it is known.
    """

    address: str
    download: Callable[[], Path] | None = None
    integrity: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


@contextlib.contextmanager
def silence_warnings() -> Iterator[None]:
    """Silence open_clip's warning of random weights, which are replaced next, and the hub's of each failed attempt."""
    level_before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(level_before)


def download_from_hub(repository: str, file_names: Sequence[str]) -> Path:
    """Path of the first of these files that a repository of the Hugging Face hub has, from its cache or downloaded.

    `repository` may end in @REVISION.
    """
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    name, _, revision = repository.partition("@")
    cached = [try_to_load_from_cache(name, file, revision=revision or None) for file in file_names]
    if path := next((path for path in cached if isinstance(path, str)), None):
        return Path(path)
    missing = FileNotFoundError(f"it has none of {', '.join(file_names)}")
    with silence_warnings():
        for file in file_names:
            try:
                return Path(hf_hub_download(name, file, revision=revision or None))
            except LocalEntryNotFoundError:  # the hub cannot be reached
                raise
            except EntryNotFoundError:
                continue
    raise missing
