"""An hour of 1080p through `clip-ae features`: does memory stay flat?  python -m benchmarks.long [MINUTES]"""

import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import yaml

from benchmarks.features import scenery
from benchmarks.measure import BIN, ROOT, tell
from clip_ae.core.config.checks import load_config
from clip_ae.core.config.specs import WeightsSpec
from clip_ae.core.paths import WEIGHTS
from clip_ae.core.provenance import make_provenance
from clip_ae.media.mux import write_mp4
from clip_ae.weights.network_file import save_weights
from tests.encoders.random_networks import random_i3d

NAME = "rgb_imagenet"
LOOP = 12
SIZE = (1920, 1080)


def main(minutes: int = 60) -> None:
    with tempfile.TemporaryDirectory() as folder:
        film = looped(Path(folder), minutes)
        random_weights(Path(folder))
        command = [str(BIN / "clip-ae"), "features", str(film), "--streams", "rgb", "--set", "rgb.precision=bf16"]
        process = subprocess.Popen([*command, "--out", "features"], cwd=folder)
        samples = []
        while process.poll() is None:
            samples.append((time.monotonic(), memory(process.pid)))
            time.sleep(1)
    assert process.returncode == 0
    began = samples[0][0]
    first = max(mb for seconds, mb in samples if seconds - began <= 60)
    later = max((mb for seconds, mb in samples if seconds - began > 60), default=0.0)
    tell(f"{minutes} minutes of 1080p: peak memory of all processes", max(first, later), "MB", 1500)
    tell("   in the first minute", first, "MB")
    tell("   after it", later, "MB")
    tell("   seconds of work", samples[-1][0] - began, "s")


def looped(folder: Path, minutes: int) -> Path:
    """A short film, its packets written again and again."""
    short, long = folder / "short.mp4", folder / "long.mp4"
    write_mp4(short, scenery(LOOP, SIZE), SIZE, Fraction(25), np.zeros((0, 0), np.float32), sample_rate=16000)
    with av.open(str(long), "w") as target:
        stream, shift = None, 0
        for _ in range(minutes * 60 // LOOP):
            with av.open(str(short)) as source:
                video = source.streams.video[0]
                stream = stream or target.add_stream_from_template(video)
                for packet in source.demux(video):
                    if packet.dts is not None:
                        packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                        target.mux(packet)
                shift += round(LOOP / video.time_base)
    return long


def memory(pid: int) -> float:
    """MB of a process and its children, shared pages shared out."""
    total = 0.0
    for each in (pid, *children(pid)):
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1000
    return total


def children(pid: int) -> list[int]:
    try:
        own = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        tasks = [p for p in Path(f"/proc/{pid}/task").iterdir() if p.name != str(pid)]
        own += [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []
    return own + [grandchild for child in own for grandchild in children(child)]


def random_weights(folder: Path) -> None:
    """A config whose I3D needs no download, and its weights, drawn so that no signal fades."""
    data = yaml.safe_load((ROOT / "config.yaml").read_text())
    data["weights"][NAME] = {"i3d": data["weights"][NAME]["i3d"], "source": "anywhere"}
    (folder / "config.yaml").write_text(yaml.safe_dump(data))
    spec = WeightsSpec(NAME, load_config(data).weights[NAME])
    assert spec.weights.i3d is not None
    network = random_i3d(spec.weights.i3d)
    save_weights(
        folder / WEIGHTS.format(name=NAME),
        dict(network.tensors),
        make_provenance("weights", spec),
        {**network.metadata, "reads": ""},
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
