"""Name the outputs whose spec, code or inputs are no longer those that made them.

Snakemake knows this from its own notes in .snakemake; the records inside the outputs know it too.
"""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated

from clip_ae.core import paths
from clip_ae.core.config.checks import load_config
from clip_ae.core.config.dataclass_config import to_canonical_json, to_plain_data
from clip_ae.core.config.schema import Config, Dataset
from clip_ae.core.config.stage_specs import build_stage_spec
from clip_ae.core.errors import ClipAeError
from clip_ae.core.provenance import digest, digest_stage_code
from clip_ae.core.sharding import parse_shard_name
from clip_ae.core.supervision import labels_for_supervision
from clip_ae.data import source_folder
from clip_ae.data.annotations import annotations_digest, read_annotation_facts, read_annotations
from clip_ae.data.sentences import read_sentences
from clip_ae.data.vocabulary import read_vocabulary, vocabulary_digest
from clip_ae.provenance.index import OutputFile, ProvenanceIndex
from clip_ae.workflow.config_files import read_config_file

# Stages whose outputs lie at the same place as another's: the record says which it was.
SHARED_PATH_STAGES = ("extract", "make_demo")


def run(
    *,
    config: Annotated[Path, "config file"] = Path("config.yaml"),
    config_json: Annotated[str, "the config itself, instead of a file"] = "",
    root: Annotated[Path, "folder that holds results/"] = Path(),
) -> int:
    settings = load_config(json.loads(config_json) if config_json else read_config_file(config))
    ledger = ProvenanceIndex(root)
    stale = 0
    for output in ledger.outputs:
        reason = _reason(settings, output, ledger.jobs_by_input_id.keys())
        if reason:
            stale += 1
            print(f"{output.path}: {reason}")
    print(f"{len(ledger.outputs)} outputs, {stale} out of date")
    return 1 if stale else 0


def _reason(config: Config, output: OutputFile, known: Collection[str]) -> str | None:
    stage, wildcards, record = output.stage, output.wildcards, output.provenance
    if record is None:
        return "holds no readable record of what made it"
    try:
        spec = build_stage_spec(config, record.stage if stage in SHARED_PATH_STAGES else stage, wildcards)
    except (ClipAeError, KeyError, AttributeError, AssertionError, TypeError):
        return "is not in the config any more"
    changed = _differing(record.spec, to_plain_data(spec))
    if changed:
        return f"spec changed: {', '.join(changed)}"
    if config.rerun_on_code_change and record.code != digest_stage_code(record.stage, spec.modules):
        return f"code of {record.stage} changed"
    gone = [
        role
        for role, made_by in record.inputs.items()
        if made_by not in known and made_by not in _raw(config, role, wildcards)
    ]
    return f"made from other inputs: {', '.join(gone)}" if gone else None


def _raw(config: Config, role: str, wildcards: Mapping[str, str]) -> set[str]:
    """Digests of what no stage made: the annotation file and the shard's files in the dataset's folder."""
    data = config.datasets[wildcards["dataset"]] if "dataset" in wildcards else None
    try:
        if data and role in ("annotations", "annotation_facts"):
            return {_annotated(data, role, wildcards)}
        if data and role == "trimmed_annotations":
            clips = config.feature_adapters[wildcards["adapter"]].trimmed_dataset or ""
            return {_annotated(config.datasets[clips], "annotations", {"dataset": clips})}
        if data and role == "supervision_labels":
            return {_told(config, data, wildcards)}
        if data and role == "source_files":
            return {_files(data, wildcards)}
        if data and data.vocabulary and role == "vocabulary":
            return {vocabulary_digest(read_vocabulary(Path(data.vocabulary)))}
        if data and role == "sentences":
            path = Path(data.sentences or paths.WORLD_SENTENCES.format(**wildcards))
            return {digest(to_canonical_json(read_sentences(path)))}
    except (ClipAeError, OSError):
        pass
    return set()


def _annotated(data: Dataset, role: str, wildcards: Mapping[str, str]) -> str:
    path = Path(data.annotations or data.partial_annotations or paths.WORLD_ANNOTATIONS.format(**wildcards))
    if role == "annotations":
        return annotations_digest(path)
    return digest(to_canonical_json(read_annotation_facts(path) if data.is_annotated else {}))


def _told(config: Config, data: Dataset, wildcards: Mapping[str, str]) -> str:
    path = Path(data.annotations or paths.WORLD_ANNOTATIONS.format(**wildcards))
    supervision = config.runs[wildcards["run"]].supervision
    return digest(to_canonical_json(labels_for_supervision(read_annotations(path), data.train_subset, supervision)))


def _files(data: Dataset, wildcards: Mapping[str, str]) -> str:
    shard = parse_shard_name(wildcards["shard"])
    if data.features_dir or data.simulate:
        source = Path(data.features_dir or paths.WORLD_FEATURES_DIR.format(**wildcards))
        return source_folder.files_digest(
            source, source_folder.list_feature_files(source, data.stream_names).files_of_shard(*shard), with_mtime=False
        )
    source = Path(data.videos_dir or paths.WORLD_VIDEOS_DIR.format(**wildcards))
    return source_folder.files_digest(
        source, source_folder.select_shard(source_folder.list_videos(source), *shard).values(), with_mtime=False
    )


def _differing(old: object, new: object, where: str = "") -> list[str]:
    """The keys of two specs that differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = []
        for name in sorted(old.keys() | new.keys()):
            found += _differing(old.get(name), new.get(name), f"{where}.{name}" if where else name)
        return found
    return [] if old == new else [where]
