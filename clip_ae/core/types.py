"""The few things that pass between rooms. Data carries its time and checks its own shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:  # the workflow's parse reads this module, and numpy would double its time
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class VideoInfo:
    """What probe found out about one video; times in seconds."""

    video_id: str
    path: str
    duration: float = 0.0
    fps: float = 0.0
    frames: int = 0
    snippets: int = 0
    width: int = 0
    height: int = 0
    has_audio: bool = False
    audio_rate: int = 0
    audio_channels: int = 0
    status: str = "ok"
    reason: str = ""


@dataclass(frozen=True)
class Failure:
    """What went wrong with one video in one stage; kind is a word to count by."""

    video_id: str
    stage: str
    kind: str
    message: str


@dataclass(frozen=True)
class VideoFeatures:
    """One video's rows of one stream: row k covers start[k] ... stop[k] seconds.

    loudness, where sound was heard: dB of full scale a row, nan where nothing was.
    """

    video_id: str
    start: NDArray[np.float64]
    stop: NDArray[np.float64]
    coverage: NDArray[np.float32]
    feature: NDArray[np.float16]
    loudness: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        rows = len(self.feature)
        if self.feature.ndim != 2 or not len(self.start) == len(self.stop) == len(self.coverage) == rows:
            raise ValueError(f"{self.video_id}: {self.feature.shape} features for {len(self.start)} snippets")

    @property
    def covered_end(self) -> float:
        """Seconds up to which there is material: the last snippet may be there in part."""
        covered = self.coverage > 0
        ends = self.start + self.coverage * (self.stop - self.start)
        return float(ends[covered].max(initial=0.0))


# Features by stream, then by video id.
FeaturesByStream = Mapping[str, Mapping[str, VideoFeatures]]


@dataclass(frozen=True)
class Instance:
    """An annotated action."""

    label: str
    start: float
    stop: float


@dataclass(frozen=True)
class Annotation:
    """What is known of one video: its actions, and spans that annotators marked as no clear action of any class."""

    subset: str
    instances: tuple[Instance, ...]
    duration: float | None = None
    ambiguous: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Label:
    """A training video belongs to a class: a cluster, or a true class of it. Segments only where extents are told."""

    video_id: str
    cluster: int
    label: str
    segments: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Detection:
    """A scored segment. Unsupervised labels are `cluster-07`; classes appear in evaluate only."""

    video_id: str
    label: str
    score: float
    start: float
    stop: float


@dataclass(frozen=True)
class GroundingQuery:
    """A sentence that somebody wrote of a video, and the moments that it tells of, in seconds."""

    video_id: str
    text: str
    moments: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class VideoCurves:
    """What a run saw in one video: attention a snippet, and the activation of every label that it kept."""

    attention: Sequence[float]
    activation: Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Window:
    """The raw material of one snippet: uint8 frames [n, H, W, 3], or float32 samples [n] of sound.

    coverage is the share that was really decoded; the rest repeats the last frame, or is silence. Sound has a
    loudness as well, in dB of full scale.
    A reader may put the next window into the same memory.
    """

    snippet: int
    data: NDArray[Any]
    coverage: float
    loudness: float | None = None


@dataclass(frozen=True)
class NetworkWeights:
    """A network's tensors by name, and what is known of it: kind, geometry, origin, licence."""

    metadata: Mapping[str, Any]
    tensors: Mapping[str, NDArray[Any]]


class Encoder(Protocol):
    """One stream's network: `prepare` a window in a reader's thread, `encode` a fixed-shape batch of them."""

    @property
    def dim(self) -> int:
        """Length of a feature."""
        ...

    @property
    def short_side(self) -> int | None:
        """Short side in pixels at which frames are decoded; None for a stream of sound."""
        ...

    @property
    def lookahead(self) -> int:
        """Frames that `prepare` needs past the snippet's own."""
        ...

    def prepare(self, window: NDArray[Any]) -> NDArray[Any]:
        """What goes into the batch, in memory of its own, and as small as it can be."""
        ...

    def encode(self, batch: NDArray[Any]) -> NDArray[np.float32]: ...


def format_cluster_label(cluster: int) -> str:
    return f"cluster-{cluster:02d}"
