"""What an image or video network expects of its frames, as the record of its weights states it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.errors import RefusedInput
from clip_ae.core.types import FrameSize

# The key of a weights file's metadata.
METADATA_KEY = "frame_input"


@dataclass(frozen=True)
class FrameInput:
    """Size of the decoded frames, side of the centre crop, and mean and sd of pixels in 0 ... 1.

    `interpolation` is the library's; the decoder resizes bilinearly.
    """

    size: FrameSize
    crop: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str

    def to_metadata(self) -> dict[str, Any]:
        """The metadata of a weights file from which `read_frame_input` reads this."""
        return {METADATA_KEY: to_plain_data(self)}

    def describe(self) -> str:
        """The input in words, for the metadata of network files."""
        size = f"short side {self.size}" if isinstance(self.size, int) else f"resized to {self.size[0]}x{self.size[1]}"
        return f"RGB, {size}, centre crop {self.crop}, (x / 255 - mean) / std"


def read_frame_input(metadata: Mapping[str, Any], weights_name: str) -> FrameInput:
    """The input stated in the metadata of a weights file."""
    try:
        facts = metadata[METADATA_KEY]
        return FrameInput(
            _parse_size(facts["size"]),
            int(facts["crop"]),
            tuple(map(float, facts["mean"])),
            tuple(map(float, facts["std"])),
            str(facts["interpolation"]),
        )
    except (KeyError, TypeError, ValueError):
        raise RefusedInput(
            f"{weights_name}: the file does not state the network's input ({METADATA_KEY}); delete it to make it again"
        ) from None


def _parse_size(size: int | Sequence[int]) -> FrameSize:
    if isinstance(size, int):
        return size
    height, width = size
    return int(height), int(width)
