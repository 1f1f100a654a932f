"""Texts that were embedded already: a simulated world's class names, as a text tower would have them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from clip_ae.core.provenance import Record
from clip_ae.data.parquet import read_rows, write_rows

TEXTS = pa.schema(
    [pa.field("text", pa.string(), nullable=False), pa.field("embedding", pa.list_(pa.float32()), nullable=False)]
)


def write_texts(path: Path, texts: Mapping[str, NDArray[np.float32]], record: Record) -> None:
    write_rows(path, TEXTS, ({"text": t, "embedding": e.tolist()} for t, e in texts.items()), record)


def read_texts(path: Path) -> dict[str, NDArray[np.float32]]:
    return {row["text"]: np.asarray(row["embedding"], np.float32) for row in read_rows(path)}
