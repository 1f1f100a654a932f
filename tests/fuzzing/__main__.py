"""Random changes of valid files, through every loader: each is read, or refused by one of the project's errors.

python -m tests.fuzzing 100000               executions of each format
python -m tests.fuzzing 100000 --formats npy pt --seed 7

A file that raises anything else, that takes ten seconds, or for which the process grows by more than a GB, is kept in
the folder --keep and named; the exit status is 1. With the same seed the files are the same. A file that kills the
process, or never ends, is left in /dev/shm.
"""

import argparse
import random
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from clip_ae.core.errors import ClipAeError, Unreadable
from tests.fuzzing.mutations import mutate
from tests.fuzzing.seeds import FORMATS, Format

MAX_GROWTH = 1 << 30
# Of the process, for one file.
MAX_SECONDS = 10
ADDRESS_SPACE = 16 << 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("executions", type=int)
    parser.add_argument("--formats", nargs="+", choices=list(FORMATS), default=list(FORMATS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("fuzzing"))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    # A file that claims more ends here, not the machine.
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    failures = 0
    for name in arguments.formats:
        start = time.perf_counter()
        faults = list(fuzz(FORMATS[name], arguments.executions, arguments.seed))
        failures += len(faults)
        for number, (raw, fault) in enumerate(faults):
            arguments.keep.mkdir(parents=True, exist_ok=True)
            kept = arguments.keep / f"{name}-{arguments.seed}-{number}{Path(FORMATS[name].file_name).suffix}"
            kept.write_bytes(raw)
            print(f"{kept}: {fault}")
        rate = arguments.executions / (time.perf_counter() - start)
        print(
            f"{name}: seed {arguments.seed}, {arguments.executions} files, {len(faults)} faults, {rate:.0f}/s",
            flush=True,
        )
    sys.exit(failures > 0)


def measure_peak() -> int:
    """The most bytes that the process has ever had in memory. `ru_maxrss` would begin with the peak of its parent."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def fuzz(form: Format, executions: int, seed: int, max_faults: int = 20) -> Iterator[tuple[bytes, str]]:
    """Yield the mutated files that end in anything but a value or an error of the project."""
    rng = random.Random(seed)
    found: set[str] = set()
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as name:
        folder = Path(name)
        seeds = make_seeds(form, folder)
        path = folder / "f" / form.file_name
        path.parent.mkdir()
        # Once, so that all libraries are loaded.
        path.write_bytes(seeds[0])
        find_fault(form, path)
        largest = measure_peak() + MAX_GROWTH
        for _ in range(executions):
            raw = mutate(rng.choice(seeds), seeds, rng)
            path.write_bytes(raw)
            start = time.process_time()
            fault = find_fault(form, path)
            if time.process_time() - start > MAX_SECONDS:
                fault = f"takes more than {MAX_SECONDS} s"
            if measure_peak() > largest:
                fault, largest = "needs more than a GB", measure_peak()
            # One file of each place in the code.
            if fault and fault not in found and len(found) < max_faults:
                found.add(fault)
                yield raw, fault


def make_seeds(form: Format, folder: Path) -> list[bytes]:
    seeds: list[bytes] = []
    for number, write in enumerate(form.writers):
        path = folder / str(number) / form.file_name
        path.parent.mkdir()
        write(path)
        seeds.append(path.read_bytes())
        shutil.rmtree(path.parent)
    return seeds


def find_fault(form: Format, path: Path) -> str:
    """The last line of our code in a traceback; empty if every loader ends as it should."""
    for read in form.readers:
        try:
            read(path)
        except (ClipAeError, Unreadable) as error:
            if "\n" in str(error):
                return f"{read}: more than one line"
        except Exception as error:
            return f"{type(error).__name__} at {find_own_line(traceback.extract_tb(error.__traceback__))}"
    return ""


def find_own_line(frames: Sequence[traceback.FrameSummary]) -> str:
    own = [frame for frame in frames if "/clip_ae/" in frame.filename]
    return f"{own[-1].filename}:{own[-1].lineno}" if own else "no line of ours"


if __name__ == "__main__":
    main()
