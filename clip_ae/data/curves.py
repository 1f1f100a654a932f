"""Read curves.parquet: a run's attention and class activations for each snippet."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from clip_ae.core.types import VideoCurves
from clip_ae.data.parquet import CURVES_SCHEMA, report_table_errors

ROWS_PER_TABLE = 500_000


def read_curves(path: Path) -> dict[str, VideoCurves]:
    """Return the curves by video id, sorted."""
    by_video: dict[str, VideoCurves] = {}
    with report_table_errors(path):
        for table in _read_tables(path):
            for video_id, rows in _split_by_video(table):
                if video_id in by_video:
                    raise ValueError(f"the rows of video '{video_id}' are not next to each other")
                by_video[video_id] = _collect_curves(video_id, rows)
        return dict(sorted(by_video.items()))


def _read_tables(path: Path) -> Iterator[pa.Table]:
    """The rows in tables of many row groups. A row group has one video: reading each alone takes twice as long."""
    file = pq.ParquetFile(path)
    if not file.schema_arrow.equals(CURVES_SCHEMA):
        raise ValueError("its columns are not those of curves.parquet")
    counts = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    table_numbers = (np.cumsum(counts) - counts) // ROWS_PER_TABLE
    for number in np.unique(table_numbers):
        yield file.read_row_groups(np.flatnonzero(table_numbers == number).tolist())


def _split_by_video(table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    """The rows of each video of a table, in file order."""
    ids = table["video_id"].combine_chunks().dictionary_encode()
    if not len(ids):
        return
    codes = ids.indices.to_numpy()
    first_rows = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)]
    for first, last in pairwise(first_rows):
        yield ids.dictionary[codes[first]].as_py(), table.slice(first, last - first)


def _collect_curves(video_id: str, rows: pa.Table) -> VideoCurves:
    """The columns as arrays. Every row must have an activation of the same labels, in the same order."""
    maps = rows["activation"].combine_chunks()
    offsets = maps.offsets.to_numpy()
    num_labels = int(offsets[1] - offsets[0])
    keys, values = (entries[offsets[0] : offsets[-1]] for entries in (maps.keys, maps.items))
    codes = keys.dictionary_encode().indices.to_numpy()
    if (np.diff(offsets) != num_labels).any() or (codes != np.tile(codes[:num_labels], len(rows))).any():
        raise ValueError(f"the snippets of video '{video_id}' differ in their classes")
    activation = _to_floats(values).reshape(len(rows), num_labels)
    labels = keys[:num_labels].to_pylist()
    return VideoCurves(
        _to_floats(rows["attention"].combine_chunks()), {label: activation[:, k] for k, label in enumerate(labels)}
    )


def _to_floats(values: Any) -> NDArray[np.float64]:
    floats: NDArray[np.float64] = values.to_numpy(zero_copy_only=False).astype(np.float64)
    return floats
