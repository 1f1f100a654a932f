"""Texts that were embedded already: a simulated world's class names, as a text tower would have them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from clip_ae.core.provenance import Provenance
from clip_ae.data.parquet import read_rows, write_rows

TEXT_EMBEDDINGS_SCHEMA = pa.schema(
    [pa.field("text", pa.string(), nullable=False), pa.field("embedding", pa.list_(pa.float32()), nullable=False)]
)


def write_text_embeddings(path: Path, embeddings: Mapping[str, NDArray[np.float32]], provenance: Provenance) -> None:
    write_rows(
        path, TEXT_EMBEDDINGS_SCHEMA, ({"text": t, "embedding": e.tolist()} for t, e in embeddings.items()), provenance
    )


def read_text_embeddings(path: Path) -> dict[str, NDArray[np.float32]]:
    return {row["text"]: np.asarray(row["embedding"], np.float32) for row in read_rows(path)}
