"""Speed of a sentence search in ten thousand videos of ActivityNet's lengths: a mapped index, all snippets compared.

python -m benchmarks.search [FOLDER]       two threads; writes 1.9 GB to FOLDER or to the temporary folder
"""

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import measure_seconds, print_result
from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.provenance import Provenance
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import VideoFeatures
from clip_ae.data.snippet_index import build_index, read_index, write_index
from clip_ae.encoders.devices import configure_torch
from clip_ae.language import text_query
from clip_ae.language.text_query import TextQuery
from clip_ae.pipeline.search import MomentSearcher

VIDEOS, MEAN_SECONDS, DIM, GRID = 10_000, 117.0, 512, SnippetGrid()
# Random rows from which videos are cut; the correlation of neighbours is about that of real snippets.
NUM_ROWS, CORRELATION = 65_536, 0.9
# CLIP's factor on cosines.
SCALE, REPETITIONS = 100.0, 5
PROGRAM = """
import sys, time
start = time.perf_counter()
from pathlib import Path
from benchmarks.search import MomentSearcher, draw_query, read_index
loaded = time.perf_counter()
MomentSearcher(read_index(Path(sys.argv[1]))).search_all(draw_query(), "", 5)
print(time.perf_counter() - start, time.perf_counter() - loaded)
"""


def main() -> None:
    configure_torch(2)
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        path = Path(folder) / "clip.arrow"
        provenance = Provenance("index", {"grid": to_plain_data(GRID)}, "drawn")
        print_result(
            "index: written",
            measure_seconds(lambda: write_index(path, build_index(generate_videos(), provenance))),
            "s",
        )
        print_result("   on disk", path.stat().st_size / 1e9, "GB")
        print_result("   opened, median of 5", measure_median(lambda: read_index(path)), "s")
        searcher = MomentSearcher(read_index(path))
        print_result(
            f"a sentence in {VIDEOS} videos, median of 5",
            measure_median(lambda: searcher.search_all(draw_query(), "", 5)),
            "s",
            goal=2,
        )
        index = searcher.index
        print_result(
            "   of which comparing all snippets",
            measure_median(lambda: text_query.max_score_per_video(index.blocks, index.row_offsets, draw_query())),
            "s",
        )
        print_result("   reading the file's bytes alone", measure_median(lambda: read_through(path)), "s")
        whole, search = zip(*(search_in_own_process(path) for _ in range(REPETITIONS)), strict=True)
        print_result("in a process of its own, median of 5", statistics.median(whole), "s")
        print_result("   without Python's imports", statistics.median(search), "s", goal=2)


def generate_videos() -> Iterator[VideoFeatures]:
    """Videos with lengths as in ActivityNet: a few seconds to four minutes."""
    rng = np.random.default_rng(0)
    pool = draw_rows(rng)
    for number, seconds in enumerate(rng.uniform(4, 2 * MEAN_SECONDS - 4, VIDEOS)):
        rows = GRID.count_snippets(seconds)
        first = rng.integers(0, NUM_ROWS - rows)
        times = np.arange(rows) * GRID.stride_s
        whole = np.ones(rows, np.float32)
        yield VideoFeatures(f"v_{number:05}", times, times + GRID.snippet_s, whole, pool[first : first + rows])


def draw_rows(rng: np.random.Generator) -> NDArray[np.float16]:
    rows = rng.standard_normal((NUM_ROWS, DIM), np.float32)
    for k in range(1, NUM_ROWS):
        rows[k] += CORRELATION * rows[k - 1]
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)


def draw_query() -> TextQuery:
    """A random query, so that no text tower is needed."""
    vector = np.random.default_rng(1).standard_normal(DIM).astype(np.float32)
    return TextQuery(vector / np.linalg.norm(vector), 0.0, SCALE)


def search_in_own_process(path: Path) -> tuple[float, float]:
    """(seconds with imports, seconds without)."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(path)], check=True, capture_output=True, text=True)
    whole, search = map(float, done.stdout.split())
    return whole, search


def read_through(path: Path) -> None:
    for block in read_index(path).blocks:
        block.view(np.uint64).sum()


def measure_median(run_once: Callable[[], object]) -> float:
    return statistics.median(measure_seconds(run_once) for _ in range(REPETITIONS))


if __name__ == "__main__":
    main()
