"""Time of `clip-ae --help`, of a Snakemake plan over ten thousand videos, and of `make demo` with nothing to do."""

import shutil
import tempfile
from pathlib import Path

import yaml

from benchmarks.measure import BIN, ROOT, print_result, run_median

VIDEOS = 10_000
PROJECT_FILES = ("Snakefile", "config.yaml", "configs", "workflow", "clip_ae", "envs", "profiles")


def main() -> None:
    seconds, _ = run_median([str(BIN / "python"), "-m", "clip_ae", "--help"], ROOT)
    print_result("clip-ae --help", seconds, "s", goal=0.3)
    with tempfile.TemporaryDirectory() as name:
        measure_plan(Path(name) / "project")
    if (ROOT / "results/demo_map.json").exists():
        seconds, _ = run_median(["make", "demo"], ROOT, runs=3)
        print_result("make demo with nothing to do", seconds, "s", goal=5)


def measure_plan(project_dir: Path) -> None:
    """Measure a dry run over ten thousand empty video files."""
    project_dir.mkdir()
    for part in PROJECT_FILES:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, project_dir / part)
    (project_dir / "many").mkdir()
    for i in range(VIDEOS):
        (project_dir / f"many/video_{i:05d}.mp4").touch()
    data = yaml.safe_load((project_dir / "config.yaml").read_text())
    data["datasets"]["many"] = {
        "videos_dir": "many", "classes": 100, "shards": 200, "seeds": [0], "runs": ["stpn"], "main_run": "stpn",
        "streams": data["datasets"]["thumos14"]["streams"],
    }  # fmt: skip
    (project_dir / "config.yaml").write_text(yaml.safe_dump(data))
    command = [str(BIN / "snakemake"), "results/many_detections.json", "--cores", "2", "-n", "--quiet", "all"]
    seconds, memory = run_median(command, project_dir, runs=3)
    print_result(f"snakemake -n, {VIDEOS} videos in 200 shards", seconds, "s", goal=6)
    print_result("   its peak memory", memory, "MB", goal=500)


if __name__ == "__main__":
    main()
