"""Windows of many videos through one network: whole batches, flat memory, decoding beside encoding, a clean end."""

import multiprocessing
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clip_ae.core.errors import Unreadable
from clip_ae.core.timeline import SNIPPET_FRAMES, SnippetGrid
from clip_ae.core.types import VideoInfo, Window
from clip_ae.media.decoder_pool import QUEUE_SIZE
from clip_ae.media.decoder_process import Decoder
from clip_ae.media.probe import probe_video
from clip_ae.pipeline.extraction import MAX_PENDING_BATCHES, FeatureExtractor
from tests.media_files import read_counter, write_video

GRID = SnippetGrid()
BATCH = 4


class ScriptedDecoder(Decoder):
    """A decoder without a child process: each window holds the number of its video and its own number."""

    def __init__(self, coverage: float = 1.0, pause: float = 0.0, loudness: float | None = None) -> None:
        super().__init__()
        self.coverage, self.pause, self.loudness = coverage, pause, loudness

    def read_video_windows(self, path: Path, info: VideoInfo, *_: Any) -> Iterator[Window]:
        for snippet in range(info.snippets):
            time.sleep(self.pause)
            yield Window(snippet, np.array([int(info.video_id), snippet]), self.coverage, self.loudness)

    def read_audio_windows(self, path: Path, info: VideoInfo, *_: Any) -> Iterator[Window]:
        return self.read_video_windows(path, info)


class CountingEncoder:
    """An encoder and its network in one: returns two numbers, and counts the windows between `prepare` and `encode`."""

    dim, sampling = 2, SNIPPET_FRAMES

    def __init__(self, batch: int = BATCH, frame_size: int | None = 32, pause: float = 0.0) -> None:
        self.batch, self.frame_size, self.pause = batch, frame_size, pause
        self.prepared = self.encoded = self.max_waiting = 0
        self.batches: list[list[list[float]]] = []
        self.lock = threading.Lock()

    def prepare(self, window: Any) -> Any:
        with self.lock:
            self.prepared += 1
            self.max_waiting = max(self.max_waiting, self.prepared - self.encoded)
        return np.array(window, np.float32)

    def encode(self, batch: Any) -> Any:
        return batch

    def choose_batch_size(self, window: Any) -> int:
        return self.batch

    def __call__(self, batch: Any) -> Any:
        time.sleep(self.pause)
        self.batches.append(batch.tolist())
        with self.lock:
            self.encoded += len(batch)
        return batch


def create_extractor(encoder: Any, decoders: Sequence[Decoder], videos: Path = Path()) -> FeatureExtractor:
    return FeatureExtractor("rgb", GRID, encoder, encoder, videos, decoders)


def infos_of(*snippets: int, has_audio: bool = False) -> list[VideoInfo]:
    return [VideoInfo(str(i), f"{i}.mp4", snippets=count, has_audio=has_audio) for i, count in enumerate(snippets)]


def threads_now() -> int:
    return threading.active_count()


@pytest.mark.parametrize("decoders", [1, 3])
@pytest.mark.parametrize("batch", [1, 4, 100])
def test_batches_cross_videos_and_rows_find_their_place(batch: int, decoders: int) -> None:
    encoder, infos = CountingEncoder(batch), infos_of(3, 1, 6, 2)
    work = create_extractor(encoder, [ScriptedDecoder() for _ in range(decoders)])
    found = list(work.extract(infos))
    assert [video.video_id for video in found] == ["0", "1", "2", "3"]
    for index, video in enumerate(found):
        assert video.feature.tolist() == [[index, k] for k in range(infos[index].snippets)]
        assert (video.coverage == 1).all()
        assert video.start.tolist() == pytest.approx([0.64 * k for k in range(infos[index].snippets)])
    full, rest = divmod(12, batch)
    assert [len(b) for b in encoder.batches] == [batch] * full + ([rest] if rest else [])
    assert work.failures == []


def test_a_batch_that_was_halved_meanwhile_is_not_gathered_for_ever() -> None:
    """It is halved when five windows of the next one are there, more than it now takes."""
    halved = threading.Event()

    class Reader(ScriptedDecoder):
        def read_video_windows(self, path: Path, info: VideoInfo, *rest: Any) -> Iterator[Window]:
            for window in super().read_video_windows(path, info, *rest):
                yield window
                assert window.snippet != 12 or halved.wait(20)

    class HalvedEncoder(CountingEncoder):
        def __call__(self, batch: Any) -> Any:
            while self.prepared < 13:
                time.sleep(0.01)
            time.sleep(0.2)
            self.batch = 2
            halved.set()
            return super().__call__(batch)

    encoder = HalvedEncoder(8)
    list(create_extractor(encoder, [Reader()]).extract(infos_of(40)))
    assert [len(batch) for batch in encoder.batches] == [8, 6] + [2] * 13


def test_windows_of_one_shape_go_together_and_few_wait_for_others() -> None:
    """Seven videos of seven widths, side by side."""

    class ResizingEncoder(CountingEncoder):
        def prepare(self, window: Any) -> Any:
            return np.resize(super().prepare(window), int(window[0]) + 2)

        def __call__(self, batch: Any) -> Any:
            super().__call__(batch)
            return np.array(batch)[:, :2]

    encoder, widths = ResizingEncoder(), 7
    found = list(create_extractor(encoder, [ScriptedDecoder() for _ in range(widths)]).extract(infos_of(*[9] * widths)))
    for index, video in enumerate(found):
        assert video.feature.tolist() == [[index, k] for k in range(9)]
    assert all(len(batch) <= BATCH for batch in encoder.batches)
    assert sum(map(len, encoder.batches)) == 9 * widths
    # Two batches' worth that wait for others, one at work; those that wait to be fetched; one in each reader's hands.
    assert encoder.max_waiting <= (MAX_PENDING_BATCHES + 1) * BATCH + (QUEUE_SIZE + 1) * widths


def test_a_video_is_there_as_soon_as_its_last_window_is_through() -> None:
    """It need not wait for all the others."""
    encoder = CountingEncoder(2)
    found = create_extractor(encoder, [ScriptedDecoder()]).extract(infos_of(2, 500))
    assert next(found).video_id == "0"
    assert encoder.encoded < 20
    found.close()  # type: ignore[attr-defined]


def test_a_slow_network_makes_the_readers_wait() -> None:
    encoder, decoders = CountingEncoder(pause=0.005), 3
    list(create_extractor(encoder, [ScriptedDecoder() for _ in range(decoders)]).extract(infos_of(60, 60, 60)))
    assert encoder.encoded == 180
    # A batch at work and one gathered; those that wait to be fetched; one in the hands of each reader.
    assert encoder.max_waiting <= 2 * BATCH + QUEUE_SIZE * decoders + decoders


def test_the_network_works_while_the_next_windows_are_read_and_gathered() -> None:
    """The first batch ends only when more windows are prepared than the readers alone can get ahead."""
    further = threading.Event()

    class Waiting(CountingEncoder):
        def prepare(self, window: Any) -> Any:
            if window[1] == BATCH + QUEUE_SIZE + 1:
                further.set()
            return super().prepare(window)

        def __call__(self, batch: Any) -> Any:
            assert further.wait(20), "the next batch was not gathered meanwhile"
            return super().__call__(batch)

    assert len(list(create_extractor(Waiting(), [ScriptedDecoder()]).extract(infos_of(30)))) == 1


def test_the_share_of_waiting() -> None:
    for decoder, encoder, low, high in (
        (ScriptedDecoder(pause=0.05), CountingEncoder(), 0.5, 1),
        (ScriptedDecoder(), CountingEncoder(pause=0.25), 0, 0.5),
    ):
        work = create_extractor(encoder, [decoder])
        assert work.idle_fraction == 0
        list(work.extract(infos_of(20)))
        assert low < work.idle_fraction < high


def test_what_nothing_covers_never_reaches_the_network() -> None:
    encoder = CountingEncoder(frame_size=None)
    work = create_extractor(encoder, [ScriptedDecoder(coverage=0.0)])
    (silent,) = work.extract(infos_of(5))
    assert encoder.batches == []
    assert encoder.prepared == 0
    assert not silent.feature.any()
    assert not silent.coverage.any()
    assert work.failures == [], "a silent film lacks nothing"
    (lost,) = work.extract(infos_of(5, has_audio=True))
    assert [f.kind for f in work.failures] == ["partial"]
    assert not lost.coverage.any()


def test_only_wanted_snippets_are_prepared_and_all_keep_their_place() -> None:
    encoder, wanted = CountingEncoder(), {"0": [1, 4], "1": [0]}
    work = FeatureExtractor("rgb", GRID, encoder, encoder, Path(), [ScriptedDecoder()], wanted_snippets=wanted)
    found = list(work.extract(infos_of(6, 3)))
    assert encoder.prepared == 3
    assert [np.flatnonzero(video.coverage).tolist() for video in found] == [[1, 4], [0]]
    assert found[0].feature[[1, 4]].tolist() == [[0, 1], [0, 4]]


def test_a_single_snippet_that_was_not_decoded_has_a_failure_row() -> None:
    work = create_extractor(CountingEncoder(), [ScriptedDecoder(coverage=0.0)])
    list(work.extract(infos_of(1)))
    assert [f.kind for f in work.failures] == ["partial"]
    work = create_extractor(CountingEncoder(), [ScriptedDecoder(coverage=1 / 16)])
    list(work.extract(infos_of(1)))
    assert work.failures == [], "a video of one frame lacks nothing"


def test_what_is_covered_in_part_says_so() -> None:
    (video,) = create_extractor(CountingEncoder(), [ScriptedDecoder(coverage=0.75)]).extract(infos_of(2))
    assert video.coverage.tolist() == [0.75, 0.75]
    assert video.loudness is None


def test_a_row_keeps_the_loudness_of_its_window() -> None:
    (video,) = create_extractor(CountingEncoder(), [ScriptedDecoder(loudness=-12.5)]).extract(infos_of(2))
    assert video.loudness is not None
    assert video.loudness.tolist() == [-12.5, -12.5]


@dataclass
class Mistake:
    """Where something of ours breaks, at which window or batch."""

    place: str
    at: int


class Breaking(CountingEncoder):
    def __init__(self, mistake: Mistake) -> None:
        super().__init__()
        self.mistake = mistake

    def prepare(self, window: Any) -> Any:
        if self.mistake.place == "prepare" and window[1] == self.mistake.at:
            raise ZeroDivisionError("in prepare")
        return super().prepare(window)

    def choose_batch_size(self, window: Any) -> int:
        if self.mistake.place == "size":
            raise ZeroDivisionError("in size")
        return super().choose_batch_size(window)

    def __call__(self, batch: Any) -> Any:
        if self.mistake.place == "encode" and len(self.batches) == self.mistake.at:
            raise ZeroDivisionError("in encode")
        return super().__call__(batch)


@pytest.mark.parametrize(
    "mistake", [Mistake("prepare", 0), Mistake("prepare", 9), Mistake("size", 0), Mistake("encode", 0),
                Mistake("encode", 3), Mistake("encode", 14)], ids=str,
)  # fmt: skip
def test_a_mistake_surfaces_as_itself_and_leaves_nothing_behind(mistake: Mistake) -> None:
    """Batch 14 is the last one, which nothing follows."""
    before = threads_now()
    with pytest.raises(ZeroDivisionError, match=f"in {mistake.place}"):
        list(create_extractor(Breaking(mistake), [ScriptedDecoder(), ScriptedDecoder()]).extract(infos_of(20, 20, 20)))
    assert threads_now() == before
    assert multiprocessing.active_children() == []


def test_a_broken_video_is_a_failure_with_the_rows_that_came() -> None:
    class Broken(ScriptedDecoder):
        def read_video_windows(self, path: Path, info: VideoInfo, *_: Any) -> Iterator[Window]:
            for window in super().read_video_windows(path, info):
                if info.video_id == "1" and window.snippet == 3:
                    raise Unreadable("decode", "broken here")
                yield window

    work = create_extractor(CountingEncoder(), [Broken(), Broken()])
    found = list(work.extract(infos_of(5, 6, 5)))
    assert [v.coverage.tolist() for v in found] == [[1] * 5, [1, 1, 1, 0, 0, 0], [1] * 5]
    assert [(f.video_id, f.stage, f.kind, f.message) for f in work.failures] == [
        ("1", "extract/rgb", "decode", "broken here")
    ]


def test_a_consumer_that_stops_early_leaves_nothing_behind() -> None:
    before = threads_now()
    found = create_extractor(CountingEncoder(), [ScriptedDecoder(), ScriptedDecoder()]).extract(infos_of(4, 9999, 9999))
    next(found)
    found.close()  # type: ignore[attr-defined]
    assert threads_now() == before


class Counter(CountingEncoder):
    """The numbers on a window's first and last frame."""

    def prepare(self, window: Any) -> Any:
        return super().prepare([read_counter(window[0]), read_counter(window[-1])])


def test_many_real_decoders_give_what_one_gives(tmp_path: Path) -> None:
    infos = []
    for number, frames in enumerate((48, 200, 20, 97, 130)):
        path = write_video(tmp_path / f"{number}.mp4", frames=frames)
        infos.append(VideoInfo(path.stem, path.name, **vars(probe_video(str(path), GRID))))
    one, three = (
        [(v.video_id, v.feature.tobytes(), v.coverage.tobytes()) for v in found]
        for found in (
            create_extractor(Counter(3), [Decoder() for _ in range(count)], tmp_path).extract(infos) for count in (1, 3)
        )
    )
    assert one == three
    assert np.frombuffer(one[1][1], np.float16).reshape(-1, 2)[3].tolist() == [48, 63]
    assert multiprocessing.active_children() == []
