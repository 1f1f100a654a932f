"""Say what made a file: spec, code, libraries and inputs, and the chain behind them up to the raw videos."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from clip_ae.core.errors import UserError, printable
from clip_ae.core.provenance import Record
from clip_ae.io.ledger import Ledger
from clip_ae.io.records import read_record

SHORT = 12
# What an input is whose id no output has: it came from outside.
RAW = {
    "files": "the shard's files in the dataset's folder: their paths and sizes",
    "annotations": "the annotation file: all that it says",
    "subsets": "the annotation file: videos, their subsets and durations",
    "told": "the annotation file: what the run was told of the training videos",
    "videos": "the list of videos that are scored",
    "vocabulary": "the words that clusters are named by",
}


def run(
    file: Annotated[Path, "any output: a table, a model, a page, results/{dataset}_map.json"],
    *,
    root: Annotated[Path, "folder that holds results/"] = Path(),
) -> None:
    if not file.is_file():
        raise UserError(f"{file}: no such file; check the path")
    record, ledger = read_record(file), Ledger(root)
    print(printable(str(file)))
    for name, value in _facts(record):
        print(f"  {name:9} {printable(value)}")
    print("\n".join(_inputs([record], ledger, set())) or "  from nothing but its spec")


def _facts(record: Record) -> Iterator[tuple[str, str]]:
    yield "made by", f"{record.stage}, record {record.id[:SHORT]}"
    yield "code", f"{record.code[:SHORT]} (digest of the stage's modules)"
    yield "libraries", ", ".join(f"{name} {version}" for name, version in record.versions.items()) or "none recorded"
    for number, (key, value) in enumerate(_leaves(record.spec)):
        yield "" if number else "spec", f"{key} = {value}"


def _leaves(spec: Mapping[str, Any], where: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in spec.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{where}{key}.")
        else:
            yield f"{where}{key}", value


def _inputs(records: Iterable[Record], ledger: Ledger, told: set[str], depth: int = 1) -> Iterator[str]:
    """A line an input, jobs of a shard each together, followed by its own; what was told above is not told again."""
    by_role: dict[str, set[str]] = {}
    for record in records:
        for role, made_by in record.inputs.items():
            by_role.setdefault(role, set()).add(made_by)
    for role, ids in by_role.items():
        jobs = {job for made_by in ids for job in ledger.sets.get(made_by, ())}
        space = "  " * depth
        if not jobs:
            yield f"{space}{role}: {_outside(role, ids)}"
            continue
        made = [output.record for job in sorted(jobs) for output in ledger.jobs[job][:1] if output.record]
        known = jobs <= told
        yield f"{space}{role}: {_places(jobs, ledger)}, {_short(made)}{' (see above)' if known else ''}"
        if not known:
            told |= jobs
            yield from _inputs(made, ledger, told, depth + 1)


def _outside(role: str, ids: set[str]) -> str:
    words = RAW.get(role, "a file of another record, or none that is here now")
    return f"{words}, {', '.join(sorted(i[:SHORT] for i in ids)[:3])}{', ...' if len(ids) > 3 else ''}"


def _places(jobs: set[str], ledger: Ledger) -> str:
    paths = {re.sub(r"\d{4}-of-", "*-of-", output.path) for job in jobs for output in ledger.jobs[job]}
    return printable(", ".join(sorted(paths)))


def _short(records: list[Record]) -> str:
    stages = {record.stage for record in records}
    ids = records[0].id[:SHORT] if len(records) == 1 else f"{len(records)} jobs"
    return f"{' and '.join(sorted(stages))} {ids}"
