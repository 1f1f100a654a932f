"""An hour of 1080p through the line: does memory stay flat?  python -m benchmarks.long [MINUTES]"""

import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch

from benchmarks.features import GRID, scenery
from benchmarks.measure import ROOT, tell
from clip_ae.core.config import I3dOptions, RgbEncoder
from clip_ae.core.types import VideoInfo
from clip_ae.encoders.devices import set_threads
from clip_ae.encoders.fitting import Fitting
from clip_ae.encoders.streams import rgb
from clip_ae.io.extraction import Extraction
from clip_ae.io.guard import Decoder
from clip_ae.io.mux import write_mp4
from clip_ae.io.probe import probe
from tests.encoders.random_networks import random_i3d

LOOP = 12
SIZE = (1920, 1080)


def main(minutes: int = 60) -> None:
    with tempfile.TemporaryDirectory() as folder:
        film = looped(Path(folder), minutes)
        process = subprocess.Popen([sys.executable, "-m", "benchmarks.long", "--extract", str(film)], cwd=ROOT)
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
    write_mp4(short, scenery(LOOP, SIZE), SIZE, Fraction(25), np.zeros((0, 0), np.float32), rate=16000)
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


def extract(path: Path) -> None:
    set_threads(2)
    network = random_i3d(I3dOptions())
    encoder = rgb.build(RgbEncoder(precision="bf16"), [network], "cpu")
    info = VideoInfo(path.stem, path.name, **vars(probe(str(path), GRID)))
    work = Extraction("rgb", GRID, encoder, Fitting(encoder.encode, 1, "cpu"), path.parent, [Decoder()])
    (video,) = work.features([info])
    assert (video.coverage == 1).all()


if __name__ == "__main__":
    torch.manual_seed(0)
    words = sys.argv[1:]
    if words[:1] == ["--extract"]:
        extract(Path(words[1]))
    else:
        main(*map(int, words))
