"""Say what made a file: spec, code, libraries and inputs, and every stage behind them up to the raw videos."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from clip_ae.core.config.stages import STAGES
from clip_ae.core.errors import UserError, make_printable
from clip_ae.core.provenance import Provenance
from clip_ae.pages.text_table import align_left
from clip_ae.provenance.index import OutputFile, ProvenanceIndex
from clip_ae.provenance.read_provenance import read_provenance

ID_DIGITS = 12
# What an input is that no stage made.
EXTERNAL_INPUTS = {
    "source_files": "paths and sizes of the dataset's files",
    "annotations": "all that the annotations say",
    "annotation_facts": "videos, subsets and durations in the annotations",
    "supervision_labels": "what the annotations told the run of its training videos",
    "videos": "the list of videos that are scored",
    "vocabulary": "the words to search by, or to name clusters by",
    "text": "what was asked for",
    "video": "path and size of the video",
    "sentences": "what people wrote of the videos, with its moments",
}
# What tells a job's output from others of its kind.
JOB_NUMBERS = re.compile(r"(?<=/)\d{4}(?=-of-)|(?<=seed-)\d+|(?<=round-)\d+")


def run(
    file: Annotated[Path, "any output: a table, a model, a page, results/{dataset}_map.json"],
    *,
    root: Annotated[Path, "folder that holds results/"] = Path(),
) -> None:
    if not file.is_file():
        raise UserError(f"{file}: no such file; check the path")
    record, ledger = read_provenance(file), ProvenanceIndex(root)
    chain = ledger.collect_ancestors(record)
    print(make_printable(str(file)))
    near = os.path.relpath(file, root)
    print("\n".join(f"  {line}" for line in align_left([*_facts(record), *_inputs(record, ledger, near)])))
    if chain:
        print("\nbehind it, in the order of the workflow:")
        print("\n".join(f"  {line}" for line in align_left(_chain(ledger, chain, near))))
        print(f"\nlibraries of all: {', '.join(_versions(chain.values()))}")


def _facts(record: Provenance) -> Iterator[list[str]]:
    yield ["made by", f"{record.stage}, in a record {record.id[:ID_DIGITS]}"]
    yield ["code", f"{record.code[:ID_DIGITS]}, a digest of its modules"]
    yield ["libraries", ", ".join(_versions([record])) or "none but the project's own"]
    for number, (key, value) in enumerate(_leaves(record.spec)):
        yield ["" if number else "spec", f"{key} = {value}"]


def _leaves(spec: Mapping[str, Any], where: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in spec.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{where}{key}.")
        else:
            yield f"{where}{key}", value


def _main(outputs: Sequence[OutputFile], near: str) -> OutputFile:
    """The nearest, where runs made the same; else the last by name, as failures and curves come before what counts."""
    return max(outputs, key=lambda output: (len(os.path.commonpath([output.path, near])), output.path))


def _inputs(record: Provenance, ledger: ProvenanceIndex, near: str) -> Iterator[list[str]]:
    for number, (role, made_by) in enumerate(record.inputs.items()):
        places = sorted(
            {_main(ledger.outputs_by_job[job], near).path for job in ledger.jobs_by_input_id.get(made_by, ())}
        )
        what = f"{places[0]}{f' and {len(places) - 1} more' * (len(places) > 1)}" if places else _outside(role)
        yield ["" if number else "inputs", f"{role} {made_by[:ID_DIGITS]}: {what}"]


def _chain(ledger: ProvenanceIndex, chain: Mapping[str, Provenance], near: str) -> list[list[str]]:
    """A row for all jobs of a kind."""
    kinds: dict[tuple[int, str], list[Provenance]] = {}
    for job, record in chain.items():
        main = _main(ledger.outputs_by_job[job], near)
        kinds.setdefault((list(STAGES).index(main.stage), JOB_NUMBERS.sub("*", main.path)), []).append(record)
    return [_kind(ledger, place, records) for (_, place), records in sorted(kinds.items())]


def _kind(ledger: ProvenanceIndex, place: str, records: Sequence[Provenance]) -> list[str]:
    codes = sorted({record.code[:ID_DIGITS] for record in records})
    jobs = f"{len(records)} job{'s' * (len(records) > 1)}"
    outside = {(role, i) for r in records for role, i in r.inputs.items() if i not in ledger.jobs_by_input_id}
    sources = {_source(record) for record in records} - {""}
    roles = [f"{role}: {_outside(role)}" for role in sorted({role for role, _ in outside})]
    return [records[0].stage, jobs, f"code {', '.join(codes)}", place, "; ".join([*sorted(sources), *roles])]


def _source(record: Provenance) -> str:
    """Where weights were had, and the hash that they were checked by."""
    weights = record.spec.get("weights", {}) if record.stage == "weights" else {}
    return " ".join(str(weights[name]) for name in ("source", "integrity") if name in weights)


def _outside(role: str) -> str:
    return EXTERNAL_INPUTS.get(role, "of another record, or of none that is here now")


def _versions(records: Iterable[Provenance]) -> list[str]:
    return sorted({f"{name} {version}" for record in records for name, version in record.versions.items()})
