"""The provenance of all outputs under results/, and the jobs behind an input id."""

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
    """An output: the stage and wildcards that its path states, and its provenance, or why it has none."""

    path: str
    stage: str
    wildcards: Mapping[str, str]
    provenance: Provenance | None
    problem: str = ""


class ProvenanceIndex:
    """The outputs under the results/ of a folder, read once. A job is named by the id of its provenance."""

    def __init__(self, root: Path) -> None:
        self.outputs = list(_list_outputs(root))

    @cached_property
    def outputs_by_job(self) -> dict[str, list[OutputFile]]:
        """The outputs of each job: they share one provenance."""
        outputs_by_job: dict[str, list[OutputFile]] = defaultdict(list)
        for output in self.outputs:
            if output.provenance:
                outputs_by_job[output.provenance.id].append(output)
        return dict(outputs_by_job)

    @cached_property
    def jobs_by_input_id(self) -> dict[str, set[str]]:
        """The jobs behind each id that an input may have: the id of one job, or one id for all shards of a folder."""
        # One id for each shard, as readers of a folder digest them: imported or empty shards may share one job.
        ids_by_shard_set: dict[str, list[str]] = defaultdict(list)
        for job, outputs in self.outputs_by_job.items():
            for output in outputs:
                folder, _, name = output.path.rpartition("/")
                # A folder may also contain the shards of an earlier number of shards.
                ids_by_shard_set[folder + name.partition("-of-")[2]].append(job)
        single_jobs = {job: {job} for job in self.outputs_by_job}
        return {digest_ids(ids): set(ids) for ids in ids_by_shard_set.values()} | single_jobs

    def collect_ancestors(self, provenance: Provenance) -> dict[str, Provenance]:
        """Return the provenance of all jobs that the inputs name, directly or not, by id."""
        provenance_by_job = {output.provenance.id: output.provenance for output in self.outputs if output.provenance}
        ancestors: dict[str, Provenance] = {}
        queue = list(provenance.inputs.values())
        while queue:
            for job in self.jobs_by_input_id.get(queue.pop(), set()) - ancestors.keys():
                ancestors[job] = provenance_by_job[job]
                queue.extend(ancestors[job].inputs.values())
        return ancestors


def _list_outputs(root: Path) -> Iterator[OutputFile]:
    for file in sorted(p for p in (root / "results").rglob("*") if p.is_file()):
        path = file.relative_to(root).as_posix()
        output = find_output(path)
        if output is not None:
            yield OutputFile(path, *output, *_read_if_possible(file))


def _read_if_possible(file: Path) -> tuple[Provenance | None, str]:
    try:
        return read_provenance(file), ""
    except ClipAeError as error:
        return None, f"no provenance that can be read ({error})"
