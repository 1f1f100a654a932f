"""Write and read embeddings of texts: the class names of a simulated world, as a CLIP text tower would embed them."""

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
    rows = ({"text": text, "embedding": embedding.tolist()} for text, embedding in embeddings.items())
    write_rows(path, TEXT_EMBEDDINGS_SCHEMA, rows, provenance)


def read_text_embeddings(path: Path) -> dict[str, NDArray[np.float32]]:
    """Return the embeddings by text, in file order."""
    return {row["text"]: np.asarray(row["embedding"], np.float32) for row in read_rows(path)}
