"""A sentence in ten thousand videos of ActivityNet's lengths: the index is mapped, and every snippet is looked at.

python -m benchmarks.search [FOLDER]       two threads; writes 1.9 GB to FOLDER, or to the system's for temporary files
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import tell
from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.provenance import Provenance
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import VideoFeatures
from clip_ae.data.snippet_index import build_index, read_index, write_index
from clip_ae.encoders.devices import configure_torch
from clip_ae.language import text_query
from clip_ae.language.text_query import TextQuery
from clip_ae.pipeline.search import MomentSearcher

VIDEOS, MEAN, DIM, GRID = 10_000, 117.0, 512, SnippetGrid()
# Rows that are drawn; videos are cut out of them. Neighbours are as alike as snippets are.
POOL, ALIKE = 65_536, 0.9
# What a CLIP multiplies cosines by.
SCALE, TIMES = 100.0, 5
ALONE = """
import sys, time
start = time.perf_counter()
from pathlib import Path
from benchmarks.search import MomentSearcher, asked, read_index
loaded = time.perf_counter()
MomentSearcher(read_index(Path(sys.argv[1]))).search_all(asked(), "", 5)
print(time.perf_counter() - start, time.perf_counter() - loaded)
"""


def main() -> None:
    configure_torch(2)
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        path = Path(folder) / "clip.arrow"
        record = Provenance("index", {"grid": to_plain_data(GRID)}, "drawn")
        tell("index: written", timed(lambda: write_index(path, build_index(videos(), record))), "s")
        tell("   on disk", path.stat().st_size / 1e9, "GB")
        tell("   opened, median of 5", median(lambda: read_index(path)), "s")
        ready = MomentSearcher(read_index(path))
        tell(f"a sentence in {VIDEOS} videos, median of 5", median(lambda: ready.search_all(asked(), "", 5)), "s", 2)
        found = ready.index
        tell(
            "   of which every snippet",
            median(lambda: text_query.max_score_per_video(found.blocks, found.row_offsets, asked())),
            "s",
        )
        tell("   reading the file's bytes alone", median(lambda: read_through(path)), "s")
        whole, search = zip(*(alone(path) for _ in range(TIMES)), strict=True)
        tell("in a process of its own, median of 5", statistics.median(whole), "s")
        tell("   without Python's imports", statistics.median(search), "s", 2)


def videos() -> Iterator[VideoFeatures]:
    """Lengths as ActivityNet's: a few seconds to four minutes."""
    rng = np.random.default_rng(0)
    pool = drawn(rng)
    for number, seconds in enumerate(rng.uniform(4, 2 * MEAN - 4, VIDEOS)):
        rows = GRID.count_snippets(seconds)
        first = rng.integers(0, POOL - rows)
        times = np.arange(rows) * GRID.stride_s
        whole = np.ones(rows, np.float32)
        yield VideoFeatures(f"v_{number:05}", times, times + GRID.snippet_s, whole, pool[first : first + rows])


def drawn(rng: np.random.Generator) -> NDArray[np.float16]:
    rows = rng.standard_normal((POOL, DIM), np.float32)
    for k in range(1, POOL):
        rows[k] += ALIKE * rows[k - 1]
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)


def asked() -> TextQuery:
    """A text is drawn, so no tower is needed."""
    vector = np.random.default_rng(1).standard_normal(DIM).astype(np.float32)
    return TextQuery(vector / np.linalg.norm(vector), 0.0, SCALE)


def alone(path: Path) -> tuple[float, float]:
    """Seconds with imports, and without."""
    done = subprocess.run([sys.executable, "-c", ALONE, str(path)], check=True, capture_output=True, text=True)
    whole, search = map(float, done.stdout.split())
    return whole, search


def read_through(path: Path) -> None:
    for block in read_index(path).blocks:
        block.view(np.uint64).sum()


def median(work: Callable[[], object]) -> float:
    return statistics.median(timed(work) for _ in range(TIMES))


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
