"""What a class's sound does to its score: average AP on the simulated benchmark by kind of sound, mean over seeds.

python -m benchmarks.sounds [RESULTS]     of every run whose map.json is in results/simulated/runs
"""

import json
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import ROOT, tell
from benchmarks.methods import BASE
from clip_ae.core.checks import load_config
from clip_ae.io.config_file import read_config_file
from clip_ae.worlds.simulated_layout import labels, traits


def main(results: Path) -> None:
    kinds = dict(kinds_of_sound())
    for run in sorted(results.glob(f"{BASE}/runs/*")):
        maps = [json.loads(path.read_text()) for path in sorted(run.glob("seed-*/map.json"))]
        for kind in dict.fromkeys(kinds.values()) if maps else ():
            found = [statistics.fmean(m["per_class"][c].values()) for m in maps for c in kinds if kinds[c] == kind]
            tell(f"{run.name}, sound {kind}", 100 * statistics.fmean(found), "%")


def kinds_of_sound() -> Iterator[tuple[str, str]]:
    """Every class, and whether its sound marks its extent, comes at any time, or is none."""
    world = load_config(read_config_file(ROOT / "config.yaml")).datasets[BASE].simulate
    assert world
    marking, misleading = traits(world).helpful, traits(world).misleading
    for kind in range(world.classes):
        sound = "marks extents" if kind in marking else "at any time" if kind in misleading else "is none"
        yield labels(world, kind)[0], sound


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "results")
