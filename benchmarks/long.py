"""Peak memory of `clip-ae features` on an hour of 1080p: python -m benchmarks.long [MINUTES]"""

import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import yaml

from benchmarks.features import generate_frames
from benchmarks.measure import BIN, print_result
from clip_ae.core.config.specs import WeightsSpec
from clip_ae.core.paths import WEIGHTS
from clip_ae.core.provenance import make_provenance
from clip_ae.media.mux import write_mp4
from clip_ae.weights.network_file import save_weights
from clip_ae.workflow.config_files import load_project_config
from tests.encoders.random_networks import random_i3d

NAME = "rgb_imagenet"
# Length of the repeated film in seconds.
LOOP_SECONDS = 12
SIZE = (1920, 1080)


def main(minutes: int = 60) -> None:
    with tempfile.TemporaryDirectory() as work_dir:
        film_path = write_long_film(Path(work_dir), minutes)
        write_random_weights(Path(work_dir))
        command = [str(BIN / "clip-ae"), "features", str(film_path), "--streams", "rgb", "--set", "rgb.precision=bf16"]
        process = subprocess.Popen([*command, "--out", "features"], cwd=work_dir)
        samples = []
        while process.poll() is None:
            samples.append((time.monotonic(), measure_memory(process.pid)))
            time.sleep(1)
    if process.returncode:
        raise SystemExit("clip-ae features failed")
    start = samples[0][0]
    first_minute = max(mb for seconds, mb in samples if seconds - start <= 60)
    later_peak = max((mb for seconds, mb in samples if seconds - start > 60), default=0.0)
    print_result(
        f"{minutes} minutes of 1080p: peak memory of all processes", max(first_minute, later_peak), "MB", goal=1500
    )
    print_result("   in the first minute", first_minute, "MB")
    print_result("   after it", later_peak, "MB")
    print_result("   seconds of work", samples[-1][0] - start, "s")


def write_long_film(work_dir: Path, minutes: int) -> Path:
    """A long film: the packets of a short one, repeated."""
    short, long = work_dir / "short.mp4", work_dir / "long.mp4"
    write_mp4(
        short, generate_frames(LOOP_SECONDS, SIZE), SIZE, Fraction(25), np.zeros((0, 0), np.float32), sample_rate=16000
    )
    with av.open(str(long), "w") as target:
        stream, shift = None, 0
        for _ in range(minutes * 60 // LOOP_SECONDS):
            with av.open(str(short)) as source:
                video = source.streams.video[0]
                stream = stream or target.add_stream_from_template(video)
                for packet in source.demux(video):
                    if packet.dts is not None:
                        packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                        target.mux(packet)
                shift += round(LOOP_SECONDS / video.time_base)
    return long


def measure_memory(pid: int) -> float:
    """Memory in MB of a process and its descendants; each shared page is divided among its processes."""
    total = 0.0
    for process_id in (pid, *list_descendants(pid)):
        try:
            lines = Path(f"/proc/{process_id}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        # The file has KiB.
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / 1e6
    return total


def list_descendants(pid: int) -> list[int]:
    try:
        pids = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        tasks = [p for p in Path(f"/proc/{pid}/task").iterdir() if p.name != str(pid)]
        pids += [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []
    return pids + [descendant for child in pids for descendant in list_descendants(child)]


def write_random_weights(work_dir: Path) -> None:
    """Write a config, and random I3D weights where the converted ones would be, so that nothing is downloaded.

    The weights preserve the scale of signals from layer to layer.
    """
    (work_dir / "config.yaml").write_text(yaml.safe_dump({"weights": {NAME: {"source": "anywhere"}}}))
    spec = WeightsSpec(NAME, load_project_config(work_dir).weights[NAME])
    if spec.weights.i3d is None:
        raise SystemExit(f"config.yaml: weights.{NAME} is no I3D")
    network = random_i3d(spec.weights.i3d)
    # `reads` describes the input of converted weights; extraction does not need it.
    metadata = {**network.metadata, "reads": ""}
    save_weights(
        work_dir / WEIGHTS.format(name=NAME), dict(network.tensors), make_provenance("weights", spec), metadata
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
