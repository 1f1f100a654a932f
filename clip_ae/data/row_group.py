"""A row group of a feature shard as the features of one video. Each column is checked: it may come from elsewhere."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from clip_ae.core.errors import Unreadable
from clip_ae.core.types import VideoFeatures

COLUMNS = ("video_id", "snippet", "start", "stop", "coverage", "feature")


def read_video_id(table: pa.Table) -> str:
    """The id of the one video in a row group; ValueError if there is none, or several."""
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        raise ValueError(f"has no column {missing[0]}")
    ids = table["video_id"].unique().to_pylist()
    if len(ids) != 1 or not isinstance(ids[0], str):
        raise ValueError(f"a row group has rows of {len(ids)} videos, and needs the rows of one")
    return ids[0]


def parse_row_group(table: pa.Table) -> VideoFeatures:
    """The features in a row group; Unreadable if a column is not what it has to be. Features may be nan."""
    start, stop = _read_numbers(table, "start"), _read_numbers(table, "stop")
    snippets, coverage = _read_numbers(table, "snippet"), _read_numbers(table, "coverage")
    if not np.array_equal(snippets, np.arange(len(table))):
        raise Unreadable("not-a-table", "its snippets are not 0, 1, 2 ... in this order")
    if not (start < stop).all():
        raise Unreadable("not-a-table", f"snippet {int(np.argmin(start < stop))} starts at its end or later")
    if coverage.min() < 0 or coverage.max() > 1:
        raise Unreadable("not-a-table", "its coverage is not between 0 and 1")
    return VideoFeatures(
        video_id=read_video_id(table),
        start=start.astype(np.float64, copy=False),
        stop=stop.astype(np.float64, copy=False),
        coverage=coverage.astype(np.float32, copy=False),
        feature=_read_feature(table),
        loudness=table["loudness"].to_numpy() if "loudness" in table.column_names else None,
    )


def _read_numbers(table: pa.Table, name: str) -> NDArray[Any]:
    column = table[name]
    if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        raise Unreadable("not-a-table", f"its {name} is {column.type}, not numbers")
    values: NDArray[Any] = column.to_numpy()
    finite_mask = np.isfinite(values)
    if column.null_count or not finite_mask.all():
        raise Unreadable("not-a-table", f"its {name} in snippet {int(np.argmin(finite_mask))} is no number")
    return values


def _read_feature(table: pa.Table) -> NDArray[Any]:
    column = table["feature"].combine_chunks()
    data_type = column.type
    is_tensor = isinstance(data_type, pa.FixedShapeTensorType) and len(data_type.shape) == 1
    if not is_tensor or not pa.types.is_floating(data_type.value_type) or column.null_count:
        raise Unreadable("not-a-table", f"its features are {data_type}, not one fixed_shape_tensor of floats each")
    values: NDArray[Any] = column.to_numpy_ndarray()
    return values
