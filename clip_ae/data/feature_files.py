"""Write one feature file for each video and stream: a Parquet shard of one video, or a npy array as localizers read."""

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
    """Writes the features of one stream."""

    def is_up_to_date(self, video_id: str, provenance: Provenance) -> bool:
        """Return whether the video's file exists and has this provenance."""
        ...

    def write(self, video: VideoFeatures, dim: int, provenance: Provenance) -> None: ...


@dataclass(frozen=True)
class ParquetFeatureWriter:
    """Writes {stream}/{video_id}.parquet, a shard of one video."""

    out_dir: Path
    stream: str

    def is_up_to_date(self, video_id: str, provenance: Provenance) -> bool:
        try:
            return read_parquet_provenance(self._path(video_id)).is_of_same_job(provenance)
        except ClipAeError:
            return False

    def write(self, video: VideoFeatures, dim: int, provenance: Provenance) -> None:
        has_loudness = video.loudness is not None
        path = self._path(video.video_id)
        write_shard(path, self.stream, dim, [video], provenance, with_loudness=has_loudness)

    def _path(self, video_id: str) -> Path:
        return _feature_path(self.out_dir, self.stream, video_id, "parquet")


@dataclass(frozen=True)
class NpyFeatureWriter:
    """Writes {stream}/{video_id}.npy, float32 [snippets, D], and a JSON file with times, coverage and provenance.

    The JSON file is written last.
    """

    out_dir: Path
    stream: str

    def is_up_to_date(self, video_id: str, provenance: Provenance) -> bool:
        array_path, facts_path = self._paths(video_id)
        try:
            facts = json.loads(facts_path.read_text())
            # Mapped, not read: a truncated file is noticed without reading any.
            is_complete = len(np.load(array_path, mmap_mode="r")) == len(facts["start"])
            return is_complete and Provenance.from_dict(facts["provenance"]).is_of_same_job(provenance)
        except (OSError, EOFError, ValueError, KeyError, TypeError):
            return False

    def write(self, video: VideoFeatures, dim: int, provenance: Provenance) -> None:
        array_path, facts_path = self._paths(video.video_id)
        facts_path.unlink(missing_ok=True)
        with atomic_write(array_path) as temporary:
            np.save(temporary, video.feature.astype(np.float32))
        facts = {
            "video_id": video.video_id,
            "start": video.start.tolist(),
            "stop": video.stop.tolist(),
            "coverage": video.coverage.tolist(),
            "provenance": json.loads(provenance.to_json()),
        }
        write_text(facts_path, json.dumps(facts) + "\n")

    def _paths(self, video_id: str) -> tuple[Path, Path]:
        """Return the paths of the array and of the JSON file."""
        return (
            _feature_path(self.out_dir, self.stream, video_id, "npy"),
            _feature_path(self.out_dir, self.stream, video_id, "json"),
        )


FEATURE_WRITERS: dict[str, type[ParquetFeatureWriter] | type[NpyFeatureWriter]] = {
    "parquet": ParquetFeatureWriter,
    "npy": NpyFeatureWriter,
}


def _feature_path(out_dir: Path, stream: str, video_id: str, suffix: str) -> Path:
    # A video id is the stem of the video's file name, so it is a valid file name, and readers expect this one.
    return out_dir / stream / f"{video_id}.{suffix}"
