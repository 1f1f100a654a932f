"""Data types that the packages share. Data has its own times and checks its own shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from clip_ae.core.timeline import FrameSampling

if TYPE_CHECKING:  # Snakemake's parse imports this module, and numpy would double its time
    import numpy as np
    from numpy.typing import NDArray


# Size of decoded frames in pixels: the short side, or (height, width) whatever the video's proportions.
FrameSize = int | tuple[int, int]


@dataclass(frozen=True)
class VideoInfo:
    """One video as probed; times in seconds."""

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
    """A failure of one video in one stage; `kind` is one of the kinds in docs/data-formats.md."""

    video_id: str
    stage: str
    kind: str
    message: str


@dataclass(frozen=True)
class VideoFeatures:
    """Features of one video and stream: row k covers the seconds start[k] to stop[k].

    loudness, for the audio stream: dB of full scale per row, nan where there is no sound.
    """

    video_id: str
    start: NDArray[np.float64]
    stop: NDArray[np.float64]
    coverage: NDArray[np.float32]
    feature: NDArray[np.float16]
    loudness: NDArray[np.float32] | None = None

    def __repr__(self) -> str:
        rows, dim = self.feature.shape
        return f"VideoFeatures({self.video_id!r}, {rows} snippets, {dim} dimensions)"

    def __post_init__(self) -> None:
        rows = len(self.feature)
        if self.feature.ndim != 2 or not len(self.start) == len(self.stop) == len(self.coverage) == rows:
            raise ValueError(f"{self.video_id}: {self.feature.shape} features for {len(self.start)} snippets")

    @property
    def covered_end(self) -> float:
        """The second at which the decoded material ends: the last snippet may be partial."""
        covered = self.coverage > 0
        ends = self.start + self.coverage * (self.stop - self.start)
        return float(ends[covered].max(initial=0.0))


# Features by stream, then by video id.
FeaturesByStream = Mapping[str, Mapping[str, VideoFeatures]]
# Weights of snippets by stream, then by video id.
SnippetWeights = Mapping[str, Mapping[str, "NDArray[np.float64]"]]


@dataclass(frozen=True)
class Instance:
    """An annotated action."""

    label: str
    start: float
    stop: float


@dataclass(frozen=True)
class Annotation:
    """Annotations of one video: its actions, and spans that annotators marked as ambiguous."""

    subset: str
    instances: tuple[Instance, ...]
    duration: float | None = None
    ambiguous: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Label:
    """A training video's class: a cluster, or a true class. Segments only under full supervision."""

    video_id: str
    cluster: int
    label: str
    segments: tuple[tuple[float, float], ...] = ()


# There may be a million of them.
@dataclass(frozen=True, slots=True)
class Detection:
    """A scored segment. Labels of unsupervised runs are clusters (`cluster-07`); evaluate maps them to classes."""

    video_id: str
    label: str
    score: float
    start: float
    stop: float


@dataclass(frozen=True)
class GroundingQuery:
    """A sentence about a video, and the moments that it describes, in seconds."""

    video_id: str
    text: str
    moments: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class VideoCurves:
    """Curves of one video, per snippet: attention, and the activation of each label above the threshold."""

    attention: NDArray[np.float64]
    activation: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Window:
    """The raw material of one snippet: uint8 frames [n, H, W, 3], or float32 samples [n] of sound.

    coverage is the share that was really decoded; the rest repeats the last frame, or is silence. Sound has a
    loudness as well, in dB of full scale.
    A reader may reuse the memory for the next window.
    """

    snippet: int
    data: NDArray[Any]
    coverage: float
    loudness: float | None = None


@dataclass(frozen=True)
class NetworkWeights:
    """A network's tensors by name, and its metadata: kind, geometry, source, licence."""

    metadata: Mapping[str, Any]
    tensors: Mapping[str, NDArray[Any]]


class Encoder(Protocol):
    """One stream's encoder: `prepare` runs in a reader's thread on one window, `encode` on a batch of fixed shape."""

    @property
    def dim(self) -> int:
        """Dimension of a feature."""
        ...

    @property
    def frame_size(self) -> FrameSize | None:
        """Size of decoded frames; None for a stream of sound."""
        ...

    @property
    def sampling(self) -> FrameSampling:
        """The frames that `prepare` gets for a snippet."""
        ...

    def prepare(self, window: NDArray[Any]) -> NDArray[Any]:
        """The input of `encode` for one window: a copy, as small as possible."""
        ...

    def encode(self, batch: NDArray[Any]) -> NDArray[np.float32]: ...


def format_cluster_label(cluster: int) -> str:
    return f"cluster-{cluster:02d}"
