"""Freeze a result: write its config, and the provenance and sha256 of every output behind it."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from clip_ae.core.config.specs import FreezeSpec
from clip_ae.core.provenance import make_provenance
from clip_ae.data.detections import write_json
from clip_ae.provenance.index import OutputFile, ProvenanceIndex
from clip_ae.provenance.machine import describe_machine
from clip_ae.provenance.read_provenance import read_provenance
from clip_ae.weights.integrity import file_digest


def run(
    spec: FreezeSpec,
    *,
    main_result: Annotated[
        Path, "results/{dataset}_map.json, or results/{dataset}_detections.json of a dataset without annotations"
    ],
    out: Annotated[Path, "JSON file to write"],
    root: Annotated[Path, "folder that contains results/"] = Path(),
) -> None:
    index, result = ProvenanceIndex(root), read_provenance(main_result)
    job_ids = {result.id, *index.collect_ancestors(result)}
    outputs = {
        output.path: {"sha256": file_digest(root / output.path), "provenance": asdict(output.provenance)}
        for output in index.outputs
        if output.provenance and output.provenance.id in job_ids and _is_in_config(spec, output)
    }
    provenance = make_provenance("freeze", spec, {"main_run": result.id})
    content = {
        "dataset": spec.dataset,
        "machine": describe_machine(),
        "outputs": outputs,
        "provenance": asdict(provenance),
    }
    write_json(out, content)


def _is_in_config(spec: FreezeSpec, output: OutputFile) -> bool:
    """Whether the dataset and run of a file are in the frozen config: others may have an output with the same id."""
    dataset, run = (output.wildcards.get(name) for name in ("dataset", "run"))
    return (dataset is None or dataset in spec.config.datasets) and (run is None or run in spec.config.runs)
