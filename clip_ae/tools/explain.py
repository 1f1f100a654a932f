"""Print how a file was produced: spec, code, libraries and inputs, and all jobs before it back to the raw videos."""

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
# By role, the inputs that no stage writes.
EXTERNAL_INPUTS = {
    "source_files": "paths and sizes of the dataset's files",
    "annotations": "the content of the annotations",
    "trimmed_annotations": "the content of the trimmed dataset's annotations",
    "annotation_facts": "videos, subsets and durations in the annotations",
    "supervision_labels": "labels of the training videos that the run may read",
    "videos": "the list of videos that are scored",
    "vocabulary": "the words to search for, or to name clusters with",
    "text": "the sentence that was searched for",
    "video": "path and size of the video",
    "sentences": "sentences about the videos, with their moments",
    "support": "the support examples",
}
# The parts of a path that differ between jobs of one kind.
JOB_NUMBERS = re.compile(r"(?<=/)\d{4}(?=-of-)|(?<=seed-)\d+|(?<=round-)\d+")


def run(
    file: Annotated[Path, "any output: a table, a model, a page, results/{dataset}_map.json"],
    *,
    root: Annotated[Path | None, "folder that contains results/ (default: the one above FILE's results/)"] = None,
) -> None:
    if not file.is_file():
        raise UserError(f"{file}: no such file; check the path")
    root = root or _find_root(file)
    provenance, index = read_provenance(file), ProvenanceIndex(root)
    ancestors = index.collect_ancestors(provenance)
    print(make_printable(str(file)))
    relative_path = os.path.relpath(file, root)
    rows = [*_fact_rows(provenance), *_input_rows(provenance, index, relative_path)]
    print("\n".join(f"  {line}" for line in align_left(rows)))
    if ancestors:
        print("\njobs before it, in the order of the workflow:")
        print("\n".join(f"  {line}" for line in align_left(_ancestor_rows(index, ancestors, relative_path))))
        print(f"\nlibraries of these jobs: {', '.join(_list_versions(ancestors.values()))}")


def _find_root(file: Path) -> Path:
    """The folder above the file that contains results/; the current one for a file outside of any results/."""
    return next((folder.parent for folder in file.absolute().parents if folder.name == "results"), Path())


def _fact_rows(provenance: Provenance) -> Iterator[list[str]]:
    yield ["stage", f"{provenance.stage}, provenance id {provenance.id[:ID_DIGITS]}"]
    yield ["code", f"{provenance.code[:ID_DIGITS]}, a digest of its modules"]
    yield ["libraries", ", ".join(_list_versions([provenance])) or "none but clip-ae"]
    for number, (key, value) in enumerate(_flatten(provenance.spec)):
        yield ["" if number else "spec", f"{key} = {value}"]


def _flatten(spec: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values of a nested spec."""
    for key, value in spec.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _main_output(outputs: Sequence[OutputFile], relative_path: str) -> OutputFile:
    """The output that stands for a job.

    If runs have equal outputs, it is the one nearest to the explained file; else the last by name, as tables of
    failures and of curves come before the main output.
    """
    return max(outputs, key=lambda output: (len(os.path.commonpath([output.path, relative_path])), output.path))


def _input_rows(provenance: Provenance, index: ProvenanceIndex, relative_path: str) -> Iterator[list[str]]:
    for number, (role, input_id) in enumerate(provenance.inputs.items()):
        jobs = index.jobs_by_input_id.get(input_id, ())
        paths = sorted({_main_output(index.outputs_by_job[job], relative_path).path for job in jobs})
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        description = f"{paths[0]}{more}" if paths else _describe_external(role)
        yield ["" if number else "inputs", f"{role} {input_id[:ID_DIGITS]}: {description}"]


def _ancestor_rows(index: ProvenanceIndex, ancestors: Mapping[str, Provenance], relative_path: str) -> list[list[str]]:
    """One row for all jobs of a kind: one stage, and paths that differ in numbers only."""
    kinds: dict[tuple[int, str], list[Provenance]] = {}
    for job, provenance in ancestors.items():
        main_output = _main_output(index.outputs_by_job[job], relative_path)
        kind = (list(STAGES).index(main_output.stage), JOB_NUMBERS.sub("*", main_output.path))
        kinds.setdefault(kind, []).append(provenance)
    return [_kind_row(index, path, jobs) for (_, path), jobs in sorted(kinds.items())]


def _kind_row(index: ProvenanceIndex, path: str, jobs: Sequence[Provenance]) -> list[str]:
    codes = sorted({job.code[:ID_DIGITS] for job in jobs})
    count = f"{len(jobs)} job{'s' * (len(jobs) > 1)}"
    external_roles = {role for job in jobs for role, i in job.inputs.items() if i not in index.jobs_by_input_id}
    sources = {_weights_source(job) for job in jobs} - {""}
    roles = [f"{role}: {_describe_external(role)}" for role in sorted(external_roles)]
    return [jobs[0].stage, count, f"code {', '.join(codes)}", path, "; ".join([*sorted(sources), *roles])]


def _weights_source(provenance: Provenance) -> str:
    """Where weights were fetched from, and the hash that they were verified with; empty for other stages."""
    weights = provenance.spec.get("weights", {}) if provenance.stage == "weights" else {}
    return " ".join(str(weights[name]) for name in ("source", "integrity") if name in weights)


def _describe_external(role: str) -> str:
    return EXTERNAL_INPUTS.get(role, "no output here has this id: it is missing or was replaced")


def _list_versions(provenances: Iterable[Provenance]) -> list[str]:
    return sorted({f"{name} {version}" for p in provenances for name, version in p.versions.items()})
