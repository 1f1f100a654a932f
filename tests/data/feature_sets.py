"""Write the same features in every layout: videos a, b, c of 5, 6, 7 rows, rgb and flow of 4 columns each."""

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.provenance import Provenance
from clip_ae.core.types import VideoFeatures
from clip_ae.data.shards import write_shard

ROWS = {"a": 5, "b": 6, "c": 7}
DIM = 4
Array = NDArray[Any]


def make_array(video_id: str, stream: str, rows: int | None = None) -> Array:
    """Numbers that float16 holds exactly, different for each video and stream."""
    rng = np.random.default_rng([ord(c) for c in video_id + stream])
    return rng.integers(-100, 100, (rows or ROWS[video_id], DIM)).astype(np.float32)


def make_joint(video_id: str) -> Array:
    return np.concatenate([make_array(video_id, "rgb"), make_array(video_id, "flow")], axis=1)


def save(path: Path, values: Array, **keys: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, values, **keys)
    return path


def make_object_array(items: list[Any]) -> Array:
    array = np.empty(len(items), dtype=object)
    for index, item in enumerate(items):
        array[index] = item
    return array


def write_streams(folder: Path) -> Path:
    """The tree of BaS-Net and CoLA."""
    for video_id in ROWS:
        subset = "test" if video_id == "c" else "train"
        for stream in ("rgb", "flow"):
            save(folder / subset / stream / f"{video_id}.npy", make_array(video_id, stream))
    return folder


def write_wtalc(folder: Path, arrays: list[Any] | None = None, names: Any = None) -> Path:
    values = [make_joint(video_id) for video_id in ROWS] if arrays is None else arrays
    save(folder / "Set-I3D-JOINTFeatures.npy", make_object_array(values), allow_pickle=True)
    save(folder / "Set-Annotations/videoname.npy", np.array([i.encode() for i in ROWS]) if names is None else names)
    save(folder / "Set-Annotations/duration.npy", np.zeros((3, 1)))
    return folder


def write_joint(folder: Path) -> Path:
    for video_id in ROWS:
        save(folder / f"{video_id}.npy", make_joint(video_id))
    return folder


def write_joint_npz(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for video_id in ROWS:
        np.savez_compressed(folder / f"{video_id}.npz", feats=make_joint(video_id))
    return folder


def write_suffix(folder: Path) -> Path:
    for video_id in ROWS:
        for stream in ("rgb", "flow"):
            save(folder / f"{video_id}_{stream}.npy", make_array(video_id, stream))
    return folder


def write_npz(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "features.npz", allow_pickle=False, **{video_id: make_joint(video_id) for video_id in ROWS})
    return folder / "features.npz"


def write_hdf5(folder: Path, template: str = "{id}") -> Path:
    """One file; `template` names the data set of a video, and of a stream if it has {stream}."""
    import h5py

    folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(folder / "features.h5", "w") as file:
        for video_id in ROWS:
            if "{stream}" in template:
                for stream in ("rgb", "flow"):
                    file[template.format(id=video_id, stream=stream)] = make_array(video_id, stream)
            else:
                file[template.format(id=video_id)] = make_joint(video_id)
    return folder / "features.h5"


def write_shards(folder: Path) -> Path:
    for stream in ("rgb", "flow"):
        videos = [make_video(video_id, make_array(video_id, stream)) for video_id in ROWS]
        write_shard(folder / stream / "x.parquet", stream, DIM, videos, Provenance("extract", {}, "code"))
    return folder


def make_video(video_id: str, values: Array) -> VideoFeatures:
    times = np.arange(len(values)) * 0.64
    coverage = np.ones(len(values), np.float32)
    return VideoFeatures(video_id, times, times + 0.64, coverage, values.astype(np.float16))


WRITERS: Mapping[str, tuple[str, Callable[[Path], Path]]] = {
    "streams": ("streams", write_streams),
    "wtalc": ("wtalc", write_wtalc),
    "joint npy": ("joint", write_joint),
    "joint npz": ("joint", write_joint_npz),
    "suffix": ("suffix", write_suffix),
    "npz": ("npz", write_npz),
    "hdf5 id": ("hdf5", write_hdf5),
    "hdf5 id/name": ("hdf5", lambda folder: write_hdf5(folder, "{id}/c3d_features")),
    "hdf5 id/stream": ("hdf5", lambda folder: write_hdf5(folder, "{id}/{stream}")),
    "hdf5 stream/id": ("hdf5", lambda folder: write_hdf5(folder, "{stream}/{id}")),
    "shards": ("shards", write_shards),
}


def write_claiming_npz(path: Path, claimed_bytes: int, header: bytes) -> Path:
    """An archive of one small member whose directory claims another size."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", header)
        archive.writestr("b.npy", header)
        for info in archive.infolist():
            info.file_size = claimed_bytes
    return path
