"""Time and peak memory of `clip-ae import` on a data set of the size of THUMOS14, in each layout of many files or one.

python -m benchmarks.layouts [LAYOUT ...]     joint wtalc npz hdf5 streams suffix (default: all); 1 GB on disk
python -m benchmarks.layouts --listing        listing 10,000 files, as each parse of the workflow does
"""

import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import print_result, run_measured
from clip_ae.data.layouts.detect import list_feature_files

VIDEOS, ROWS, COLUMNS = 412, 300, 2048
STREAMS = ("rgb", "flow")
NUM_LISTED = 10_000
Array = NDArray[np.float32]


def main(layouts: list[str]) -> None:
    if unknown := set(layouts) - set(WRITERS):
        raise SystemExit(f"{', '.join(sorted(unknown))}: expected {', '.join(WRITERS)} or --listing")
    for layout in layouts or WRITERS:
        with tempfile.TemporaryDirectory() as work_dir:
            source = Path(work_dir) / "features"
            source.mkdir()
            # In a process of its own: the peak of a child process counts the memory of its parent at the fork.
            writer = multiprocessing.get_context("spawn").Process(target=WRITERS[layout], args=(source,))
            writer.start()
            writer.join()
            command = [sys.executable, "-m", "clip_ae", "import", str(source), "--streams", ",".join(STREAMS)]
            seconds, peak_mb, code = run_measured([*command, "--out", f"{work_dir}/out"], Path())
            if code:
                raise SystemExit(f"{' '.join(command)}: failed")
            print_result(f"{layout}: import of {VIDEOS} videos [{ROWS}, {COLUMNS}]", seconds, "s", goal=60)
            print_result("   peak memory", peak_mb, "MB", goal=1000)


def measure_listing() -> None:
    """Print the seconds to list 10,000 files of each layout with a file for each video."""
    for form in ("{stream}/v{i}.npy", "v{i}_{stream}.npy", "v{i}.npy"):
        with tempfile.TemporaryDirectory() as work_dir:
            num_videos = NUM_LISTED // (2 if "{stream}" in form else 1)
            names = {form.format(stream=stream, i=i) for i in range(num_videos) for stream in STREAMS}
            for path in (Path(work_dir, name) for name in names):
                path.parent.mkdir(exist_ok=True)
                path.touch()
            start = time.perf_counter()
            list_feature_files(Path(work_dir), STREAMS)
            print_result(f"list {NUM_LISTED} files, {form}", time.perf_counter() - start, "s", goal=1)


def generate_arrays() -> Iterator[tuple[str, Array]]:
    """Yield ReLU-like features: half of the numbers are zero."""
    rng = np.random.default_rng(0)
    for number in range(VIDEOS):
        yield f"video_{number:07d}", np.maximum(rng.standard_normal((ROWS, COLUMNS), np.float32), 0)


def write_joint(folder: Path) -> None:
    for video_id, array in generate_arrays():
        np.save(folder / f"{video_id}.npy", array)


def write_wtalc(folder: Path) -> None:
    videos = dict(generate_arrays())
    objects = np.empty(len(videos), dtype=object)
    for index, array in enumerate(videos.values()):
        objects[index] = array
    np.save(folder / "Thumos14reduced-I3D-JOINTFeatures.npy", objects, allow_pickle=True)
    np.save(folder / "videoname.npy", np.array([name.encode() for name in videos]))


def write_npz(folder: Path) -> None:
    np.savez(folder / "features.npz", allow_pickle=False, **dict(generate_arrays()))


def write_hdf5(folder: Path) -> None:
    import h5py

    with h5py.File(folder / "features.h5", "w") as file:
        for video_id, array in generate_arrays():
            file[video_id] = array


def write_streams(folder: Path) -> None:
    for stream in STREAMS:
        (folder / stream).mkdir()
    _write_halves(folder, "{stream}/{id}.npy")


def write_suffix(folder: Path) -> None:
    _write_halves(folder, "{id}_{stream}.npy")


def _write_halves(folder: Path, form: str) -> None:
    for video_id, array in generate_arrays():
        for stream, half in zip(STREAMS, np.split(array, 2, axis=1), strict=True):
            np.save(folder / form.format(stream=stream, id=video_id), half)


WRITERS: dict[str, Callable[[Path], None]] = {
    "joint": write_joint,
    "wtalc": write_wtalc,
    "npz": write_npz,
    "hdf5": write_hdf5,
    "streams": write_streams,
    "suffix": write_suffix,
}

if __name__ == "__main__":
    if sys.argv[1:] == ["--listing"]:
        measure_listing()
    else:
        main(sys.argv[1:])
