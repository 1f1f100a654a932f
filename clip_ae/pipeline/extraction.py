"""Windows of many videos through one network: decoding, preparing and the network's work overlap."""

import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.progress import track
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Encoder, Failure, VideoFeatures, VideoInfo, Window
from clip_ae.data.snippet_times import snippet_times
from clip_ae.media.decoder_pool import DecoderPool, PreparedWindow, VideoDone
from clip_ae.media.decoder_process import Decoder

# Batches' worth of windows that may wait for others of their shape.
MAX_PENDING_BATCHES = 2


class BatchEncoder(Protocol):
    """An encoder in batches of one shape."""

    def choose_batch_size(self, window: NDArray[Any]) -> int:
        """Snippets a batch, once the first is there to be looked at."""
        ...

    def __call__(self, batch: NDArray[Any]) -> NDArray[np.float32]: ...


class FeatureBuffer:
    """One video's features as they come in; what never comes stays zero with coverage 0."""

    def __init__(self, info: VideoInfo, dim: int) -> None:
        self.info = info
        self.feature = np.zeros((info.snippets, dim), np.float16)
        self.coverage = np.zeros(info.snippets, np.float32)
        self.loudness = np.full(info.snippets, np.nan, np.float32)
        self.non_finite_snippets: list[int] = []
        self.num_decoded = 0.0
        # Windows that wait for their batch.
        self.num_pending = 0
        self.video_done: VideoDone | None = None

    @property
    def is_complete(self) -> bool:
        return self.video_done is not None and not self.num_pending

    def add(self, window: PreparedWindow, feature: NDArray[np.float32]) -> None:
        with np.errstate(over="ignore"):
            half = feature.astype(np.float16)
        self.num_pending -= 1
        if np.isfinite(half).all():
            self.feature[window.snippet], self.coverage[window.snippet] = half, window.coverage
            if window.loudness is not None:
                self.loudness[window.snippet] = window.loudness
        else:
            self.non_finite_snippets.append(window.snippet)

    def to_video_features(self, grid: SnippetGrid) -> VideoFeatures:
        start, stop = snippet_times(grid, self.info.snippets)
        loudness = None if np.isnan(self.loudness).all() else self.loudness
        return VideoFeatures(self.info.video_id, start, stop, self.coverage, self.feature, loudness)

    def failures(self, stream: str, is_visual: bool) -> Iterator[Failure]:
        """What went wrong, in words; `is_visual` tells pictures from sound."""
        stage, lost = f"extract/{stream}", self.info.snippets - self.num_decoded
        broken = self.video_done.error if self.video_done else None
        if broken:
            yield Failure(self.info.video_id, stage, broken.kind, str(broken))
        # The last snippet may lack a half by right, a lone one all but a frame; a silent film lacks nothing.
        elif lost >= 1 and (self.info.has_audio or is_visual):
            message = f"{self.num_decoded:.1f} of {self.info.snippets} snippets could be decoded"
            yield Failure(self.info.video_id, stage, "partial", message)
        if self.non_finite_snippets:
            first = min(self.non_finite_snippets)
            message = f"{len(self.non_finite_snippets)} features are not finite, first that of snippet {first}"
            yield Failure(self.info.video_id, stage, "not-finite", message)


WindowBatch = list[tuple[FeatureBuffer, PreparedWindow]]


class FeatureExtractor:
    """One stream of features. Batches have one shape, so no neighbour ever changes a row.

    Where only some snippets of a video are `wanted`, the others' rows stay as if nothing had been there.
    """

    def __init__(
        self,
        stream: str,
        grid: SnippetGrid,
        encoder: Encoder,
        network: BatchEncoder,
        videos_dir: Path,
        decoders: Sequence[Decoder],
        wanted_snippets: Mapping[str, Collection[int]] | None = None,
    ) -> None:
        self.stream, self.grid, self.encoder = stream, grid, encoder
        self.network, self.videos_dir, self.decoders, self.wanted_snippets = (
            network,
            videos_dir,
            decoders,
            wanted_snippets,
        )
        self.failures: list[Failure] = []
        self.busy_s = self.elapsed_s = 0.0

    @property
    def idle_fraction(self) -> float:
        """Share of the time in which the network had nothing to do."""
        return 1 - self.busy_s / self.elapsed_s if self.elapsed_s else 0.0

    def extract(self, infos: Sequence[VideoInfo]) -> Iterator[VideoFeatures]:
        """Every video, in order, as soon as its last window is through."""
        began = time.perf_counter()
        rows = [FeatureBuffer(info, self.encoder.dim) for info in infos]
        unfinished = deque(rows)
        # The network works in a thread of its own, on one batch while the next is gathered.
        with ThreadPoolExecutor(1) as executor:
            at_work: tuple[WindowBatch, Future[NDArray[np.float32]]] | None = None
            for batch in self._batches(rows):
                stacked = np.stack([window.data for _, window in batch if window.data is not None])
                encoded = executor.submit(self._encode, stacked)
                if at_work:
                    _put(*at_work)
                at_work = batch, encoded
                yield from self._complete(unfinished)
            if at_work:
                _put(*at_work)
        yield from self._complete(unfinished)
        self.elapsed_s += time.perf_counter() - began

    def _batches(self, rows: Sequence[FeatureBuffer]) -> Iterator[WindowBatch]:
        """Windows of one shape together: where flow is the device's work they are whole frames, of any width."""
        gathered: dict[tuple[int, ...], WindowBatch] = {}
        total = sum(len(self._wanted(r.info)) for r in rows)
        for row, window in track(self._windows(rows), self.stream, total, "snippets"):
            if window.data is None:
                continue
            gathered.setdefault(window.data.shape, []).append((row, window))
            # More than asked for, where the network has just found that less fits.
            size = self.network.choose_batch_size(window.data)
            if len(gathered[window.data.shape]) >= size:
                yield gathered.pop(window.data.shape)
            elif sum(map(len, gathered.values())) >= MAX_PENDING_BATCHES * size:
                yield gathered.pop(max(gathered, key=lambda shape: len(gathered[shape])))
        yield from gathered.values()

    def _windows(self, rows: Sequence[FeatureBuffer]) -> Iterator[tuple[FeatureBuffer, PreparedWindow]]:
        """All windows with the rows they belong to; a video's end is written down in passing."""
        for index, part in DecoderPool([r.info for r in rows], self._read, self.encoder.prepare, self.decoders):
            if isinstance(part, VideoDone):
                rows[index].video_done = part
                continue
            rows[index].num_decoded += part.coverage
            rows[index].num_pending += part.data is not None
            yield rows[index], part

    def _encode(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        began = time.perf_counter()
        encoded = self.network(batch)
        self.busy_s += time.perf_counter() - began
        return encoded

    def _complete(self, unfinished: deque[FeatureBuffer]) -> Iterator[VideoFeatures]:
        while unfinished and unfinished[0].is_complete:
            rows = unfinished.popleft()
            self.failures.extend(rows.failures(self.stream, is_visual=self.encoder.short_side is not None))
            yield rows.to_video_features(self.grid)

    def _wanted(self, info: VideoInfo) -> Collection[int]:
        return range(info.snippets) if self.wanted_snippets is None else self.wanted_snippets[info.video_id]

    def _read(self, decoder: Decoder, info: VideoInfo) -> Iterator[Window]:
        wanted = self._wanted(info)
        return (window for window in self._windows_of(decoder, info) if window.snippet in wanted)

    def _windows_of(self, decoder: Decoder, info: VideoInfo) -> Iterator[Window]:
        path = self.videos_dir / info.path
        if self.encoder.short_side is None:
            return decoder.read_audio_windows(path, info, self.grid)
        return decoder.read_video_windows(path, info, self.grid, self.encoder.short_side, self.encoder.lookahead)


def _put(batch: WindowBatch, encoded: Future[NDArray[np.float32]]) -> None:
    for (rows, window), feature in zip(batch, encoded.result(), strict=True):
        rows.add(window, feature)
