"""What made every output under results/: their records, and which of them an input's id stands for."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from clip_ae.core.config.stages import find_output
from clip_ae.core.errors import ClipAeError
from clip_ae.core.provenance import Provenance, digest_ids
from clip_ae.provenance.read_provenance import read_provenance


@dataclass(frozen=True)
class OutputFile:
    """An output: the stage and wildcards that its path says, and its provenance, or why it has none."""

    path: str
    stage: str
    wildcards: Mapping[str, str]
    provenance: Provenance | None
    problem: str = ""


class ProvenanceIndex:
    """The outputs below a folder's results/, read once."""

    def __init__(self, root: Path) -> None:
        self.outputs = list(_outputs(root))

    @cached_property
    def outputs_by_job(self) -> dict[str, list[OutputFile]]:
        """By record: a job's outputs, which have one record."""
        found: dict[str, list[OutputFile]] = defaultdict(list)
        for output in self.outputs:
            if output.provenance:
                found[output.provenance.id].append(output)
        return dict(found)

    @cached_property
    def jobs_by_input_id(self) -> dict[str, set[str]]:
        """The jobs behind every id that an input may have: one job's own, and one for all shards of a folder."""
        folders: dict[str, set[str]] = defaultdict(set)
        for made_by, outputs in self.outputs_by_job.items():
            for output in outputs:
                folder, _, cut = output.path.rpartition("/")
                # Shards of an earlier number may lie beside today's.
                folders[folder + cut.partition("-of-")[2]].add(made_by)
        return {digest_ids(ids): ids for ids in folders.values()} | {
            made_by: {made_by} for made_by in self.outputs_by_job
        }

    def collect_ancestors(self, provenance: Provenance) -> dict[str, Provenance]:
        """Every record that the record's inputs name, directly or not, by id."""
        found: dict[str, Provenance] = {}
        queue = list(provenance.inputs.values())
        while queue:
            for made_by in self.jobs_by_input_id.get(queue.pop(), set()) - found.keys():
                found[made_by] = _record(self.outputs_by_job[made_by])
                queue.extend(found[made_by].inputs.values())
        return found


def _record(outputs: list[OutputFile]) -> Provenance:
    record = outputs[0].provenance
    assert record is not None
    return record


def _outputs(root: Path) -> Iterator[OutputFile]:
    for file in sorted(p for p in (root / "results").rglob("*") if p.is_file()):
        path = file.relative_to(root).as_posix()
        output = find_output(path)
        if output is not None:
            yield OutputFile(path, *output, *_read(file))


def _read(file: Path) -> tuple[Provenance | None, str]:
    try:
        return read_provenance(file), ""
    except ClipAeError as error:
        return None, f"no provenance that can be read ({error})"
