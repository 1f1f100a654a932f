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
from clip_ae.core.provenance import Record
from clip_ae.core.types import VideoFeatures
from clip_ae.io.files import written

Rows = NDArray[np.float16]
# Rows that are written, and looked at, together.
BLOCK = 65_536


@dataclass(frozen=True)
class Index:
    """ids [V]; rows first[v] to first[v + 1] are video v's; ends in seconds; mean: of all rows with material."""

    record: Record
    ids: list[str]
    first: NDArray[np.int64]
    ends: NDArray[np.float64]
    mean: NDArray[np.float32]
    blocks: list[Rows]

    def rows(self, video: int) -> Rows:
        """[snippets, D]"""
        first, end = self.first[video], self.first[video + 1]
        parts, at = [], 0
        for block in self.blocks:
            parts.append(block[max(first - at, 0) : max(end - at, 0)])
            at += len(block)
        return np.concatenate(parts)


def index_of(videos: Iterable[VideoFeatures], record: Record) -> Index:
    """Of videos in memory."""
    ids, lengths, ends, rows, total, count = [], [0], [], [], 0.0, 0
    for video in videos:
        covered = video.feature[video.coverage > 0].astype(np.float64)
        total, count = total + covered.sum(axis=0), count + len(covered)
        ids.append(video.video_id)
        lengths.append(len(video.feature))
        ends.append(video.end)
        rows.append(video.feature)
    if not count:
        raise UserError("no video has anything to search in")
    mean = np.asarray(total / count, np.float32)
    return Index(record, ids, np.cumsum(lengths), np.array(ends), mean, [np.concatenate(rows)])


def write_index(path: Path, index: Index) -> None:
    ids = pa.array(np.repeat(np.arange(len(index.ids), dtype=np.int32), np.diff(index.first)))
    (rows,) = index.blocks
    stated = {"videos": index.ids, "ends": index.ends.tolist(), "mean": index.mean.tolist()}
    schema = pa.schema(
        [
            pa.field("video", pa.int32(), nullable=False),
            pa.field("feature", pa.list_(pa.float16(), rows.shape[1]), nullable=False),
        ],
        metadata={"record": index.record.to_json(), "index": json.dumps(stated)},
    )
    with written(path) as temporary, pa.OSFile(str(temporary), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        for at, block in _blocks(rows):
            feature = pa.FixedSizeListArray.from_arrays(pa.array(block.reshape(-1)), rows.shape[1])
            writer.write_batch(pa.record_batch([ids[at : at + len(block)], feature], schema=schema))


def read_index(path: Path) -> Index:
    if not path.is_file():
        raise UserError(f"{path}: nothing to search in yet; snakemake --cores 2 {path} makes it")
    try:
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        stated = json.loads(reader.schema.metadata[b"index"])
        record = Record.from_json(reader.schema.metadata[b"record"].decode())
        batches = [reader.get_batch(i) for i in range(reader.num_record_batches)]
        videos = np.concatenate([b["video"].to_numpy() for b in batches])
        blocks = [b["feature"].flatten().to_numpy().reshape(b.num_rows, -1) for b in batches]
        first = np.searchsorted(videos, np.arange(len(stated["videos"]) + 1))
        mean, ends = np.array(stated["mean"], np.float32), np.array(stated["ends"])
        return Index(record, stated["videos"], first, ends, mean, blocks)
    except (pa.ArrowInvalid, KeyError, ValueError, TypeError, OSError) as error:
        raise RefusedInput(f"{path}: no index of this project ({error}); delete it to make it again") from None


def _blocks(rows: Rows) -> Iterator[tuple[int, Rows]]:
    for at in range(0, len(rows), BLOCK):
        yield at, rows[at : at + BLOCK]
