"""One file a video and stream: a shard of one video, or an array as localizers of the field read it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from clip_ae.core.errors import ClipAeError
from clip_ae.core.files import write_text, written
from clip_ae.core.provenance import Record
from clip_ae.core.types import VideoFeatures
from clip_ae.data.parquet import read_parquet_record
from clip_ae.data.shards import write_shard


class FeatureFile(Protocol):
    """Where a stream's features go."""

    def holds(self, video_id: str, record: Record) -> bool:
        """Whether the video's file is there, made as the record says."""
        ...

    def write(self, video: VideoFeatures, dim: int, record: Record) -> None: ...


@dataclass(frozen=True)
class ParquetFile:
    folder: Path
    stream: str

    def holds(self, video_id: str, record: Record) -> bool:
        try:
            return read_parquet_record(self._path(video_id)) == record
        except ClipAeError:
            return False

    def write(self, video: VideoFeatures, dim: int, record: Record) -> None:
        write_shard(self._path(video.video_id), self.stream, dim, [video], record)

    def _path(self, video_id: str) -> Path:
        return _path(self.folder, self.stream, video_id, "parquet")


@dataclass(frozen=True)
class NpyFile:
    """float32 [snippets, D]; what the array cannot say stands in a JSON file beside it, which is written last."""

    folder: Path
    stream: str

    def holds(self, video_id: str, record: Record) -> bool:
        array, facts = self._paths(video_id)
        try:
            stated = json.loads(facts.read_text())
            # Mapped, so that a file cut short is noticed and none is read.
            whole = len(np.load(array, mmap_mode="r")) == len(stated["start"])
            return whole and bool(stated["record"] == json.loads(record.to_json()))
        except (OSError, EOFError, ValueError, KeyError, TypeError):
            return False

    def write(self, video: VideoFeatures, dim: int, record: Record) -> None:
        array, facts = self._paths(video.video_id)
        facts.unlink(missing_ok=True)
        with written(array) as temporary:
            np.save(temporary, video.feature.astype(np.float32))
        stated = {
            "video_id": video.video_id,
            "start": video.start.tolist(),
            "stop": video.stop.tolist(),
            "coverage": video.coverage.tolist(),
            "record": json.loads(record.to_json()),
        }
        write_text(facts, json.dumps(stated) + "\n")

    def _paths(self, video_id: str) -> tuple[Path, Path]:
        array, facts = (_path(self.folder, self.stream, video_id, suffix) for suffix in ("npy", "json"))
        return array, facts


FORMATS: dict[str, type[ParquetFile] | type[NpyFile]] = {"parquet": ParquetFile, "npy": NpyFile}


def _path(folder: Path, stream: str, video_id: str, suffix: str) -> Path:
    # An id is the stem of the video's own name, so it is a good name for a file, and readers look for this one.
    return folder / stream / f"{video_id}.{suffix}"
