"""Run times of jobs, from the benchmark files that Snakemake writes."""

import csv
from pathlib import Path


def read_seconds(path: Path) -> list[float]:
    """Run times in a benchmark file; empty if there is none, or if the job was killed while it was written."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [float(row["s"]) for row in csv.DictReader(file, delimiter="\t")]
    except (OSError, ValueError, KeyError, TypeError):
        return []
