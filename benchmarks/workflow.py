"""What Snakemake itself costs: help, plans over ten thousand videos, the no-op."""

import shutil
import tempfile
from pathlib import Path

import yaml

from benchmarks.measure import BIN, ROOT, median, tell

VIDEOS = 10_000
PARTS = ("Snakefile", "config.yaml", "workflow", "clip_ae", "envs", "profiles")


def main() -> None:
    seconds, _ = median([str(BIN / "python"), "-m", "clip_ae", "--help"], ROOT)
    tell("clip-ae --help", seconds, "s", 0.3)
    with tempfile.TemporaryDirectory() as name:
        plan_of_many(Path(name) / "project")
    if (ROOT / "results/demo_map.json").exists():
        seconds, _ = median(["make", "demo"], ROOT, runs=3)
        tell("make demo with nothing to do", seconds, "s", 5)


def plan_of_many(folder: Path) -> None:
    """A dry run over empty, listed videos."""
    folder.mkdir()
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, folder / part)
    (folder / "many").mkdir()
    for i in range(VIDEOS):
        (folder / f"many/video_{i:05d}.mp4").touch()
    data = yaml.safe_load((folder / "config.yaml").read_text())
    data["datasets"]["many"] = {
        "videos_dir": "many", "classes": 100, "shards": 200, "seeds": [0], "runs": ["stpn"], "main_run": "stpn",
        "encoders": data["datasets"]["thumos14"]["encoders"],
    }  # fmt: skip
    (folder / "config.yaml").write_text(yaml.safe_dump(data))
    command = [str(BIN / "snakemake"), "results/many_detections.json", "--cores", "2", "-n", "--quiet", "all"]
    seconds, memory = median(command, folder, runs=3)
    tell(f"snakemake -n, {VIDEOS} videos in 200 shards", seconds, "s", 6)
    tell("   its peak memory", memory, "MB", 500)
