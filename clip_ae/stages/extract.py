"""Extract one stream's features from a shard's videos: one row a snippet, whatever is missing."""

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from clip_ae.core import tables
from clip_ae.core.progress import track
from clip_ae.core.provenance import make_record
from clip_ae.core.specs import ExtractSpec
from clip_ae.core.timeline import Grid
from clip_ae.core.types import Encoder, Failure, VideoFeatures, VideoInfo, Window
from clip_ae.encoders.devices import resolve, set_threads
from clip_ae.io.container import Unreadable
from clip_ae.io.guard import Decoder
from clip_ae.io.parquet import FAILURES, read_parquet_record, read_rows, write_rows
from clip_ae.io.shards import write_shard
from clip_ae.io.times import snippet_times
from clip_ae.io.weights import read_weights

LIBRARIES = {
    "rgb": ("opencv-contrib-python-headless",),
    "flow": ("opencv-contrib-python-headless",),
    "clip": ("open_clip_torch", "opencv-contrib-python-headless"),
    "audio": ("torchaudio",),
}


def run(
    spec: ExtractSpec,
    *,
    videos: Annotated[Path, "folder of raw videos"],
    probe: Annotated[Path, "the shard's table of videos, made by probe"],
    weights: Annotated[Path, "weights of the stream's network (safetensors)"],
    out: Annotated[Path, "feature shard to write (parquet)"],
    failures: Annotated[Path, "table of failures to write (parquet)"],
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
    watchdog: Annotated[float, "seconds without a frame after which the decoder is killed"] = 60.0,
    memory_gib: Annotated[float, "GiB of address space the decoder may take"] = 4.0,
) -> None:
    set_threads(spec.math_threads)
    network = read_weights(weights)
    encoder: Encoder = tables.load(tables.STREAMS[spec.stream]).build(
        encoder=spec.encoder, about=network.about, tensors=network.tensors, device=resolve(device)
    )
    infos = [info for info in (VideoInfo(**row) for row in read_rows(probe)) if info.status != "failed"]
    inputs = {"probe": read_parquet_record(probe).id, "weights": network.record.id}
    record = make_record("extract", spec, inputs, ("av", "decord", "numpy", "torch", *LIBRARIES[spec.stream]))
    with Decoder(watchdog, memory_gib) as decoder:
        work = Extraction(spec, encoder, decoder, videos)
        write_shard(out, spec.stream, encoder.dim, work.features(infos), record)
    write_rows(failures, FAILURES, sorted(work.failures, key=lambda f: (f.video_id, f.kind)), record)


class Rows:
    """One video's features as they come in; what never comes stays zero with coverage 0."""

    def __init__(self, info: VideoInfo, dim: int) -> None:
        self.info = info
        self.feature = np.zeros((info.snippets, dim), np.float16)
        self.coverage = np.zeros(info.snippets, np.float32)
        self.not_finite: list[int] = []
        # Windows that wait for their batch.
        self.waiting = 0
        self.read = False

    def put(self, window: Window, feature: NDArray[np.float32]) -> None:
        with np.errstate(over="ignore"):
            half = feature.astype(np.float16)
        self.waiting -= 1
        if np.isfinite(half).all():
            self.feature[window.snippet], self.coverage[window.snippet] = half, window.coverage
        else:
            self.not_finite.append(window.snippet)

    def features(self, grid: Grid) -> VideoFeatures:
        start, stop = snippet_times(grid, self.info.snippets)
        return VideoFeatures(self.info.video_id, start, stop, self.coverage, self.feature)


class Extraction:
    """Windows of many videos through one network, in batches of one shape: no neighbour ever changes a row."""

    def __init__(self, spec: ExtractSpec, encoder: Encoder, decoder: Decoder, videos: Path) -> None:
        self.spec, self.encoder, self.decoder, self.videos = spec, encoder, decoder, videos
        self.failures: list[Failure] = []
        self.open: deque[Rows] = deque()
        self.batch: list[tuple[Rows, Window, NDArray[np.float32]]] = []

    def features(self, infos: Sequence[VideoInfo]) -> Iterator[VideoFeatures]:
        """Every video, in order, as soon as its last window is through."""
        total = sum(info.snippets for info in infos)
        for rows, window in track(self._windows(infos), self.spec.stream, total, "snippets"):
            yield from self._complete()
            if window.coverage > 0:
                rows.waiting += 1
                self.batch.append((rows, window, self.encoder.prepare(window.data)))
            if len(self.batch) == self.spec.encoder.batch:
                self._encode()
        self._encode()
        yield from self._complete()

    def _windows(self, infos: Sequence[VideoInfo]) -> Iterator[tuple[Rows, Window]]:
        for info in infos:
            rows = Rows(info, self.encoder.dim)
            self.open.append(rows)
            covered = 0.0
            try:
                for window in self._read(info):
                    covered += window.coverage
                    yield rows, window
            except Unreadable as failure:
                self._fail(info, failure.kind, str(failure))
            else:
                # The last snippet may lack a half by right; a silent film lacks nothing.
                if info.snippets - covered > 1 and (info.has_audio or self.encoder.short_side is not None):
                    self._fail(info, "partial", f"{covered:.1f} of {info.snippets} snippets could be decoded")
            rows.read = True

    def _read(self, info: VideoInfo) -> Iterator[Window]:
        path, grid = self.videos / info.path, self.spec.grid
        if self.encoder.short_side is None:
            return self.decoder.audio(path, info, grid)
        return self.decoder.video(path, info, grid, self.encoder.short_side, self.encoder.lookahead)

    def _encode(self) -> None:
        if not self.batch:
            return
        stacked = np.stack([prepared for _, _, prepared in self.batch])
        padding = np.zeros((self.spec.encoder.batch - len(stacked), *stacked.shape[1:]), np.float32)
        encoded = self.encoder.encode(np.concatenate([stacked, padding]))
        for (rows, window, _), feature in zip(self.batch, encoded, strict=False):
            rows.put(window, feature)
        self.batch.clear()

    def _complete(self) -> Iterator[VideoFeatures]:
        while self.open and self.open[0].read and not self.open[0].waiting:
            rows = self.open.popleft()
            if rows.not_finite:
                count, first = len(rows.not_finite), min(rows.not_finite)
                self._fail(rows.info, "not-finite", f"{count} features are not finite, first that of snippet {first}")
            yield rows.features(self.spec.grid)

    def _fail(self, info: VideoInfo, kind: str, message: str) -> None:
        self.failures.append(Failure(info.video_id, f"extract/{self.spec.stream}", kind, message))
