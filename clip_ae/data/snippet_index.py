"""The snippet index: all snippets of a dataset as vectors in one file, in which sentences are searched.

The file is uncompressed Arrow and is mapped, not read, so that ten thousand videos can be searched without loading
them. Any Arrow reader can read it: one row for each snippet, and `video` is a position in the list of ids in the
schema's metadata.
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
# A block has at least this many rows, and the rest of its last video. It is written and searched as a whole.
BLOCK_ROWS = 65_536


@dataclass(frozen=True)
class SnippetIndex:
    """The vectors of V videos.

    Rows row_offsets[v] to row_offsets[v + 1] of all blocks are those of video_ids[v]; end_times are in seconds;
    mean_feature is the mean over all covered snippets. A video without coverage is left out, and so are the rows
    after a video's last covered snippet.
    """

    provenance: Provenance
    video_ids: list[str]
    row_offsets: NDArray[np.int64]
    end_times: NDArray[np.float64]
    mean_feature: NDArray[np.float32]
    blocks: list[FeatureRows]

    def rows_of(self, video: int) -> FeatureRows:
        """Return the vectors of one video, [snippets, D]."""
        first, end = self.row_offsets[video], self.row_offsets[video + 1]
        parts, block_start = [], 0
        for block in self.blocks:
            parts.append(block[max(first - block_start, 0) : max(end - block_start, 0)])
            block_start += len(block)
        return np.concatenate(parts)


def build_index(videos: Iterable[VideoFeatures], provenance: Provenance) -> SnippetIndex:
    """Return the index of videos in memory, with one block for each video."""
    ids, ends, blocks, feature_sum, num_covered = [], [], [], 0.0, 0
    for video in videos:
        covered = np.flatnonzero(video.coverage > 0)
        if len(covered):
            feature_sum = feature_sum + video.feature[covered].sum(axis=0, dtype=np.float64)
            num_covered += len(covered)
            ids.append(video.video_id)
            ends.append(video.covered_end)
            blocks.append(video.feature[: covered[-1] + 1])
    if not ids:
        raise UserError("no video has any material to search in; check that its frames could be decoded")
    row_offsets = np.cumsum([0, *map(len, blocks)])
    mean_feature = np.asarray(feature_sum / num_covered, np.float32)
    return SnippetIndex(provenance, ids, row_offsets, np.array(ends), mean_feature, blocks)


def write_index(path: Path, index: SnippetIndex) -> None:
    """Write the index in blocks of at least BLOCK_ROWS rows."""
    videos = np.repeat(np.arange(len(index.video_ids), dtype=np.int32), np.diff(index.row_offsets))
    schema, start = _make_schema(index), 0
    with (
        atomic_write(path) as temporary,
        pa.OSFile(str(temporary), "wb") as file,
        pa.ipc.new_file(file, schema) as writer,
    ):
        for block in _merge_blocks(index.blocks):
            feature = pa.FixedSizeListArray.from_arrays(pa.array(block.reshape(-1)), block.shape[1])
            writer.write_batch(pa.record_batch([videos[start : start + len(block)], feature], schema=schema))
            start += len(block)


def read_index(path: Path) -> SnippetIndex:
    """Map an index file; RefusedInput if it is not one."""
    try:
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        facts = json.loads(reader.schema.metadata[b"index"])
        provenance = provenance_of(reader.schema.metadata)
        batches = [reader.get_batch(i) for i in range(reader.num_record_batches)]
        videos = np.concatenate([b["video"].to_numpy() for b in batches])
        blocks = [b["feature"].flatten().to_numpy().reshape(b.num_rows, -1) for b in batches]
        row_offsets = np.searchsorted(videos, np.arange(len(facts["videos"]) + 1))
        mean_feature, end_times = np.array(facts["mean"], np.float32), np.array(facts["ends"])
        return SnippetIndex(provenance, facts["videos"], row_offsets, end_times, mean_feature, blocks)
    except (pa.ArrowException, AttributeError, KeyError, TypeError, ValueError, OSError) as error:
        raise RefusedInput(f"{path}: no index of this project ({error}); delete it and make it again") from None


def _make_schema(index: SnippetIndex) -> pa.Schema:
    facts = {"videos": index.video_ids, "ends": index.end_times.tolist(), "mean": index.mean_feature.tolist()}
    return pa.schema(
        [
            pa.field("video", pa.int32(), nullable=False),
            pa.field("feature", pa.list_(pa.float16(), len(index.mean_feature)), nullable=False),
        ],
        metadata={"provenance": index.provenance.to_json(), "index": json.dumps(facts)},
    )


def _merge_blocks(blocks: Iterable[FeatureRows]) -> Iterator[FeatureRows]:
    """Concatenate successive blocks until they have BLOCK_ROWS rows."""
    pending: list[FeatureRows] = []
    for block in blocks:
        pending.append(block)
        if sum(map(len, pending)) >= BLOCK_ROWS:
            yield np.concatenate(pending)
            pending = []
    if pending:
        yield np.concatenate(pending)
