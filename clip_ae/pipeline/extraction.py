"""Extract features of many videos with one network. Decoding, preparing and the forward pass run in parallel."""

import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.progress import log_line, track
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Encoder, Failure, VideoFeatures, VideoInfo, Window
from clip_ae.data.snippet_times import snippet_times
from clip_ae.media.decoder_pool import DecoderPool, PreparedWindow, VideoDone
from clip_ae.media.decoder_process import Decoder

# Number of batches that the windows waiting for others of their shape may fill.
MAX_PENDING_BATCHES = 2


class BatchEncoder(Protocol):
    """An encoder that runs on batches of windows of one shape."""

    def choose_batch_size(self, window: NDArray[Any]) -> int:
        """Number of snippets in a batch of windows like this one."""
        ...

    def __call__(self, batch: NDArray[Any]) -> NDArray[np.float32]: ...


class FeatureBuffer:
    """Features of one video during extraction. Rows that are not decoded stay zero with coverage 0."""

    def __init__(self, info: VideoInfo, dim: int) -> None:
        self.info = info
        self.feature = np.zeros((info.snippets, dim), np.float16)
        self.coverage = np.zeros(info.snippets, np.float32)
        self.loudness = np.full(info.snippets, np.nan, np.float32)
        self.non_finite_snippets: list[int] = []
        self.num_decoded = 0.0
        # Prepared windows without a feature yet.
        self.num_pending = 0
        self.video_done: VideoDone | None = None

    @property
    def is_complete(self) -> bool:
        return self.video_done is not None and not self.num_pending

    def add(self, window: PreparedWindow, feature: NDArray[np.float32]) -> None:
        """Store the feature of a window as float16; leave it out if it is not finite in float16."""
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
        """The failures of this video; `is_visual`: the stream is made from frames, not from sound."""
        stage, num_undecoded = f"extract/{stream}", self.info.snippets - self.num_decoded
        error = self.video_done.error if self.video_done else None
        if error:
            yield Failure(self.info.video_id, stage, error.kind, str(error))
        # Less than one snippet may be missing: the last snippet of a video may be incomplete, and a very short video
        # may have one frame. A video without sound has no audio to decode.
        elif num_undecoded >= 1 and (self.info.has_audio or is_visual):
            message = f"{self.num_decoded:.1f} of {self.info.snippets} snippets could be decoded"
            yield Failure(self.info.video_id, stage, "partial", message)
        if self.non_finite_snippets:
            first = min(self.non_finite_snippets)
            message = f"{len(self.non_finite_snippets)} features are not finite, first that of snippet {first}"
            yield Failure(self.info.video_id, stage, "not-finite", message)


WindowBatch = list[tuple[FeatureBuffer, PreparedWindow]]


class FeatureExtractor:
    """Extracts one stream. All windows of a batch have one shape, so a row does not depend on the rest of its batch.

    `wanted_snippets`: the snippets of each video to extract; other rows stay zero with coverage 0.
    `failures`, `busy_s` and `elapsed_s` are complete when `extract` has ended.
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
        self.network, self.videos_dir, self.decoders = network, videos_dir, decoders
        self.wanted_snippets = wanted_snippets
        self.failures: list[Failure] = []
        self.busy_s = self.elapsed_s = 0.0

    @property
    def idle_fraction(self) -> float:
        """Share of the time in which the network was idle."""
        return 1 - self.busy_s / self.elapsed_s if self.elapsed_s else 0.0

    def log_idle_share(self) -> None:
        """Log the share of the time in which the network was idle; nothing if it encoded no snippet."""
        if self.busy_s:
            seconds, idle = self.elapsed_s, self.idle_fraction
            log_line(f"{self.stream}: features in {seconds:.1f} s; the network was idle {idle:.0%} of the time")

    def extract(self, infos: Sequence[VideoInfo]) -> Iterator[VideoFeatures]:
        """Yield every video in order, as soon as all its features are computed."""
        start_time = time.perf_counter()
        buffers = [FeatureBuffer(info, self.encoder.dim) for info in infos]
        unfinished = deque(buffers)
        # The network runs in its own thread: it computes one batch while the next is collected.
        with ThreadPoolExecutor(1) as executor:
            running: tuple[WindowBatch, Future[NDArray[np.float32]]] | None = None
            for batch in self._batches(buffers):
                stacked = np.stack([window.data for _, window in batch if window.data is not None])
                encoded = executor.submit(self._encode, stacked)
                if running:
                    _store_features(*running)
                running = batch, encoded
                yield from self._complete(unfinished)
            if running:
                _store_features(*running)
        yield from self._complete(unfinished)
        self.elapsed_s += time.perf_counter() - start_time

    def _batches(self, buffers: Sequence[FeatureBuffer]) -> Iterator[WindowBatch]:
        """Batches of windows of one shape. Shapes differ if flow is computed on the GPU, from frames of any width."""
        windows_by_shape: dict[tuple[int, ...], WindowBatch] = {}
        total = sum(len(self._select_snippets(buffer.info)) for buffer in buffers)
        for buffer, window in track(self._prepared_windows(buffers), self.stream, total, "snippets"):
            if window.data is None:
                continue
            windows_by_shape.setdefault(window.data.shape, []).append((buffer, window))
            # The list may be longer than a batch: the network lowers its batch size if memory runs out.
            batch_size = self.network.choose_batch_size(window.data)
            if len(windows_by_shape[window.data.shape]) >= batch_size:
                yield windows_by_shape.pop(window.data.shape)
            elif sum(map(len, windows_by_shape.values())) >= MAX_PENDING_BATCHES * batch_size:
                yield windows_by_shape.pop(max(windows_by_shape, key=lambda shape: len(windows_by_shape[shape])))
        yield from windows_by_shape.values()

    def _prepared_windows(self, buffers: Sequence[FeatureBuffer]) -> Iterator[tuple[FeatureBuffer, PreparedWindow]]:
        """All windows with the buffer of their video. Also records the end of each video in its buffer."""
        for index, part in DecoderPool(
            [buffer.info for buffer in buffers], self._read, self.encoder.prepare, self.decoders
        ):
            if isinstance(part, VideoDone):
                buffers[index].video_done = part
                continue
            buffers[index].num_decoded += part.coverage
            buffers[index].num_pending += part.data is not None
            yield buffers[index], part

    def _encode(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        start_time = time.perf_counter()
        encoded = self.network(batch)
        self.busy_s += time.perf_counter() - start_time
        return encoded

    def _complete(self, unfinished: deque[FeatureBuffer]) -> Iterator[VideoFeatures]:
        while unfinished and unfinished[0].is_complete:
            buffer = unfinished.popleft()
            self.failures.extend(buffer.failures(self.stream, is_visual=self.encoder.frame_size is not None))
            yield buffer.to_video_features(self.grid)

    def _select_snippets(self, info: VideoInfo) -> Collection[int]:
        return range(info.snippets) if self.wanted_snippets is None else self.wanted_snippets[info.video_id]

    def _read(self, decoder: Decoder, info: VideoInfo) -> Iterator[Window]:
        snippets = self._select_snippets(info)
        return (window for window in self._decode(decoder, info) if window.snippet in snippets)

    def _decode(self, decoder: Decoder, info: VideoInfo) -> Iterator[Window]:
        path = self.videos_dir / info.path
        if self.encoder.frame_size is None:
            return decoder.read_audio_windows(path, info, self.grid)
        return decoder.read_video_windows(path, info, self.grid, self.encoder.frame_size, self.encoder.sampling)


def _store_features(batch: WindowBatch, encoded: Future[NDArray[np.float32]]) -> None:
    for (buffer, window), feature in zip(batch, encoded.result(), strict=True):
        buffer.add(window, feature)
