"""What the readers of all layouts of arrays have in common."""

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from clip_ae.data.layouts.files import FeatureFiles


class ArraySource(Protocol):
    """The arrays of a data set, by stream and video, as they are stored."""

    def __init__(self, files: FeatureFiles) -> None: ...

    # Whether an array has the columns of all streams.
    is_joint: bool

    def paths(self, stream: str) -> Mapping[str, str]:
        """Return the path of the file with each video's array, by video id."""
        ...

    def describe_place(self, stream: str, video_id: str) -> str:
        """Return where the layout has the array of a video that has none, for messages."""
        ...

    def shape(self, stream: str, video_id: str) -> tuple[int, int]:
        """Return the two lengths of the array without reading its numbers; Unreadable if it is none of floats."""
        ...

    def read(self, stream: str, video_id: str) -> NDArray[Any]:
        """Return the array; mapped, where the file allows it."""
        ...
