"""What sentences are searched in: every snippet of a dataset as one vector, in a file that is mapped, not read.

Arrow, uncompressed, so that ten thousand videos are searched where they lie. Whatever reads Arrow can read it: a row a
snippet, `video` counting the ids in the schema's metadata.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.core.files import atomic_write
from clip_ae.core.provenance import Provenance
from clip_ae.core.types import VideoFeatures
from clip_ae.data.parquet import provenance_of

FeatureRows = NDArray[np.float16]
# Rows that are written, and looked at, together, and the rest of a video.
BLOCK_ROWS = 65_536


@dataclass(frozen=True)
class SnippetIndex:
    """ids [V]; rows first[v] to first[v + 1] of all blocks are video v's; ends in seconds; mean: of an average snippet.

    A video without material is left out, and so are rows after a video's last material.
    """

    provenance: Provenance
    video_ids: list[str]
    row_offsets: NDArray[np.int64]
    end_times: NDArray[np.float64]
    mean_feature: NDArray[np.float32]
    blocks: list[FeatureRows]

    def rows_of(self, video: int) -> FeatureRows:
        """[snippets, D]"""
        first, end = self.row_offsets[video], self.row_offsets[video + 1]
        parts, at = [], 0
        for block in self.blocks:
            parts.append(block[max(first - at, 0) : max(end - at, 0)])
            at += len(block)
        return np.concatenate(parts)


def build_index(videos: Iterable[VideoFeatures], provenance: Provenance) -> SnippetIndex:
    """Of videos in memory, a block each."""
    ids, ends, blocks, total, count = [], [], [], 0.0, 0
    for video in videos:
        seen = np.flatnonzero(video.coverage > 0)
        if len(seen):
            total, count = total + video.feature[seen].sum(axis=0, dtype=np.float64), count + len(seen)
            ids.append(video.video_id)
            ends.append(video.covered_end)
            blocks.append(video.feature[: seen[-1] + 1])
    if not ids:
        raise UserError("no video has any material to search in")
    first = np.cumsum([0, *map(len, blocks)])
    return SnippetIndex(provenance, ids, first, np.array(ends), np.asarray(total / count, np.float32), blocks)


def write_index(path: Path, index: SnippetIndex) -> None:
    videos = np.repeat(np.arange(len(index.video_ids), dtype=np.int32), np.diff(index.row_offsets))
    schema, at = _schema(index), 0
    with (
        atomic_write(path) as temporary,
        pa.OSFile(str(temporary), "wb") as file,
        pa.ipc.new_file(file, schema) as writer,
    ):
        for block in _gathered(index.blocks):
            feature = pa.FixedSizeListArray.from_arrays(pa.array(block.reshape(-1)), block.shape[1])
            writer.write_batch(pa.record_batch([videos[at : at + len(block)], feature], schema=schema))
            at += len(block)


def read_index(path: Path) -> SnippetIndex:
    try:
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        stated = json.loads(reader.schema.metadata[b"index"])
        record = provenance_of(reader.schema.metadata)
        batches = [reader.get_batch(i) for i in range(reader.num_record_batches)]
        videos = np.concatenate([b["video"].to_numpy() for b in batches])
        blocks = [b["feature"].flatten().to_numpy().reshape(b.num_rows, -1) for b in batches]
        first = np.searchsorted(videos, np.arange(len(stated["videos"]) + 1))
        mean, ends = np.array(stated["mean"], np.float32), np.array(stated["ends"])
        return SnippetIndex(record, stated["videos"], first, ends, mean, blocks)
    except (pa.ArrowException, AttributeError, KeyError, TypeError, ValueError, OSError) as error:
        raise RefusedInput(f"{path}: no index of this project ({error}); delete it and make it again") from None


def _schema(index: SnippetIndex) -> pa.Schema:
    stated = {"videos": index.video_ids, "ends": index.end_times.tolist(), "mean": index.mean_feature.tolist()}
    return pa.schema(
        [
            pa.field("video", pa.int32(), nullable=False),
            pa.field("feature", pa.list_(pa.float16(), len(index.mean_feature)), nullable=False),
        ],
        metadata={"provenance": index.provenance.to_json(), "index": json.dumps(stated)},
    )


def _gathered(parts: Iterable[FeatureRows]) -> Iterator[FeatureRows]:
    """Parts put together until they have BLOCK rows."""
    held: list[FeatureRows] = []
    for part in parts:
        held.append(part)
        if sum(map(len, held)) >= BLOCK_ROWS:
            yield np.concatenate(held)
            held = []
    if held:
        yield np.concatenate(held)
