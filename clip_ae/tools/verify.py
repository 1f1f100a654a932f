"""List outputs that are missing, or whose spec, code or inputs have changed.

Snakemake stores this in .snakemake; this command needs only the provenance in every output.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated

from clip_ae.core.config.checks import load_config
from clip_ae.core.config.command_options import parse_json
from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.schema import Config
from clip_ae.core.config.stages import build_stage_spec
from clip_ae.core.errors import ClipAeError, UserError
from clip_ae.core.provenance import Provenance, digest_stage_code
from clip_ae.data.annotations import annotations_digest
from clip_ae.data.input_digests import annotation_facts_digest, sentences_digest, supervision_labels_digest
from clip_ae.data.vocabulary import read_vocabulary, vocabulary_digest
from clip_ae.provenance.index import OutputFile, ProvenanceIndex
from clip_ae.workflow.config_files import load_project_config
from clip_ae.workflow.dataset_files import DatasetFiles
from clip_ae.workflow.job_summary import list_outputs

# Stages whose outputs have the same paths as those of another stage: the provenance names the stage.
SHARED_PATH_STAGES = ("extract", "make_demo")


def run(
    *,
    config_json: Annotated[str, "the config as JSON (default: the config files of this folder)"] = "",
    root: Annotated[Path, "folder that contains results/"] = Path(),
) -> int:
    if not root.is_dir():
        raise UserError(f"--root {root}: no such folder")
    config = load_config(parse_json(config_json, "--config-json")) if config_json else load_project_config(root)
    index = ProvenanceIndex(root)
    problems = {output.path: reason for output in index.outputs if (reason := _explain_change(config, output, index))}
    problems |= dict.fromkeys(_list_missing_files(index.outputs, root), "missing")
    for path, reason in problems.items():
        print(f"{path}: {reason}")
    print(f"{len(index.outputs)} outputs, {len(problems)} out of date or missing")
    return 1 if problems else 0


def _explain_change(config: Config, output: OutputFile, index: ProvenanceIndex) -> str | None:
    """Why an output is out of date; None if it is up to date."""
    provenance = output.provenance
    if provenance is None:
        return output.problem
    stage = provenance.stage if output.stage in SHARED_PATH_STAGES else output.stage
    try:
        spec = build_stage_spec(config, stage, output.wildcards)
    except ClipAeError:
        return "is no longer in the config"
    changed = _differing_keys(provenance.spec, to_plain_data(spec))
    if changed:
        return f"spec changed: {', '.join(changed)}"
    if config.rerun_on_code_change and provenance.code != digest_stage_code(provenance.stage, spec.modules):
        return f"code of {provenance.stage} changed"
    others = _other_inputs(config, provenance, output.wildcards, index.jobs_by_input_id.keys())
    return f"inputs changed: {', '.join(others)}" if others else None


def _other_inputs(
    config: Config, provenance: Provenance, wildcards: Mapping[str, str], job_ids: Collection[str]
) -> list[str]:
    """The inputs that are neither an output here nor the current source files."""
    return [
        role
        for role, input_id in provenance.inputs.items()
        if input_id not in job_ids and input_id != _source_digest(config, role, wildcards)
    ]


def _source_digest(config: Config, role: str, wildcards: Mapping[str, str]) -> str | None:
    """The current digest of an input that no stage writes; None for any other role, or if it cannot be read."""
    if "dataset" not in wildcards:
        return None
    try:
        return _digest_of_role(config, _dataset(config, wildcards["dataset"]), role, wildcards)
    except (ClipAeError, OSError):
        return None


def _digest_of_role(config: Config, dataset: DatasetFiles, role: str, wildcards: Mapping[str, str]) -> str | None:
    data, annotations = dataset.data, Path(dataset.ground_truth_path)
    match role:
        case "annotations":
            return annotations_digest(Path(data.annotations) if data.annotations else annotations)
        case "annotation_facts":
            return annotation_facts_digest(Path(dataset.annotations_path) if data.is_annotated else None)
        case "trimmed_annotations":
            name = config.feature_adapters[wildcards["adapter"]].trimmed_dataset
            return annotations_digest(Path(_dataset(config, name).annotations_path)) if name else None
        case "supervision_labels":
            supervision = config.runs[wildcards["run"]].supervision
            return supervision_labels_digest(Path(dataset.annotations_path), data.train_subset, supervision)
        case "source_files":
            return dataset.source_files_digest(wildcards["shard"], with_mtime=False)
        case "vocabulary":
            return vocabulary_digest(read_vocabulary(Path(data.vocabulary))) if data.vocabulary else None
        case "sentences":
            return sentences_digest(Path(dataset.sentences_path)) if dataset.sentences_path else None
    return None


def _dataset(config: Config, name: str) -> DatasetFiles:
    return DatasetFiles(name, config.datasets[name])


def _list_missing_files(outputs: Collection[OutputFile], root: Path) -> Iterator[str]:
    """Missing files that Snakemake needs for the final results here."""
    final = [output.path for output in outputs if output.path.count("/") == 1 and output.stage != "freeze"]
    if final and root == Path():
        yield from (status.path for status in list_outputs(final) if status.is_missing)


def _differing_keys(old: object, new: object, where: str = "") -> list[str]:
    """The dotted keys of two specs that differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        names = sorted(old.keys() | new.keys())
        parts = [_differing_keys(old.get(n), new.get(n), f"{where}.{n}" if where else n) for n in names]
        return [key for keys in parts for key in keys]
    return [] if old == new else [where]
