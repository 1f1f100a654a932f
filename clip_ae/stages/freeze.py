"""Freeze a run: its config, and of everything that its headline rests on the record and a digest of the bytes."""

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
    main_result: Annotated[Path, "results/{dataset}_map.json, or _detections.json where nothing is annotated"],
    out: Annotated[Path, "JSON file to write"],
    root: Annotated[Path, "folder that holds results/"] = Path(),
) -> None:
    ledger, top = ProvenanceIndex(root), read_provenance(main_result)
    jobs = {top.id, *ledger.collect_ancestors(top)}
    outputs = [o for o in ledger.outputs if o.provenance and o.provenance.id in jobs and _belongs(spec, o)]
    record = make_provenance("freeze", spec, {"main_run": top.id})
    content = {
        "dataset": spec.dataset,
        "machine": describe_machine(),
        "outputs": {
            o.path: {"sha256": file_digest(root / o.path), "provenance": asdict(o.provenance)}
            for o in outputs
            if o.provenance is not None
        },
        "provenance": asdict(record),
    }
    write_json(out, content)


def _belongs(spec: FreezeSpec, output: OutputFile) -> bool:
    """Other runs and datasets may have made the very same; they are none of this run's business."""
    dataset, run = (output.wildcards.get(name) for name in ("dataset", "run"))
    return (dataset is None or dataset in spec.config.datasets) and (run is None or run in spec.config.runs)
