"""One file a video and stream: a shard of one video, or an array as localizers of the field read it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from clip_ae.core.errors import ClipAeError
from clip_ae.core.files import atomic_write, write_text
from clip_ae.core.provenance import Provenance
from clip_ae.core.types import VideoFeatures
from clip_ae.data.parquet import read_parquet_provenance
from clip_ae.data.shards import write_shard


class FeatureWriter(Protocol):
    """Where a stream's features go."""

    def is_up_to_date(self, video_id: str, provenance: Provenance) -> bool:
        """Whether the video's file is there, made as the record says."""
        ...

    def write(self, video: VideoFeatures, dim: int, provenance: Provenance) -> None: ...


@dataclass(frozen=True)
class ParquetFeatureWriter:
    out_dir: Path
    stream: str

    def is_up_to_date(self, video_id: str, provenance: Provenance) -> bool:
        try:
            return read_parquet_provenance(self._path(video_id)) == provenance
        except ClipAeError:
            return False

    def write(self, video: VideoFeatures, dim: int, provenance: Provenance) -> None:
        write_shard(self._path(video.video_id), self.stream, dim, [video], provenance)

    def _path(self, video_id: str) -> Path:
        return _path(self.out_dir, self.stream, video_id, "parquet")


@dataclass(frozen=True)
class NpyFeatureWriter:
    """float32 [snippets, D]; what the array cannot say stands in a JSON file beside it, which is written last."""

    out_dir: Path
    stream: str

    def is_up_to_date(self, video_id: str, provenance: Provenance) -> bool:
        array, facts = self._paths(video_id)
        try:
            stated = json.loads(facts.read_text())
            # Mapped, so that a file cut short is noticed and none is read.
            whole = len(np.load(array, mmap_mode="r")) == len(stated["start"])
            return whole and bool(stated["provenance"] == json.loads(provenance.to_json()))
        except (OSError, EOFError, ValueError, KeyError, TypeError):
            return False

    def write(self, video: VideoFeatures, dim: int, provenance: Provenance) -> None:
        array, facts = self._paths(video.video_id)
        facts.unlink(missing_ok=True)
        with atomic_write(array) as temporary:
            np.save(temporary, video.feature.astype(np.float32))
        stated = {
            "video_id": video.video_id,
            "start": video.start.tolist(),
            "stop": video.stop.tolist(),
            "coverage": video.coverage.tolist(),
            "provenance": json.loads(provenance.to_json()),
        }
        write_text(facts, json.dumps(stated) + "\n")

    def _paths(self, video_id: str) -> tuple[Path, Path]:
        array, facts = (_path(self.out_dir, self.stream, video_id, suffix) for suffix in ("npy", "json"))
        return array, facts


FEATURE_WRITERS: dict[str, type[ParquetFeatureWriter] | type[NpyFeatureWriter]] = {
    "parquet": ParquetFeatureWriter,
    "npy": NpyFeatureWriter,
}


def _path(folder: Path, stream: str, video_id: str, suffix: str) -> Path:
    # An id is the stem of the video's own name, so it is a good name for a file, and readers look for this one.
    return folder / stream / f"{video_id}.{suffix}"
