"""Name the outputs whose spec, code or inputs are no longer those that made them.

Snakemake knows this from its own notes in .snakemake; the records inside the outputs know it too.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

from clip_ae.core import layout
from clip_ae.core.checks import load_config
from clip_ae.core.config import Config, Dataset
from clip_ae.core.errors import ClipAeError
from clip_ae.core.names import parse_shard
from clip_ae.core.provenance import Record, digest, join_ids, stage_code
from clip_ae.core.specs import spec_for
from clip_ae.core.typed import canonical, plain
from clip_ae.io import folder
from clip_ae.io.annotations import read_annotations, read_facts, source_digest
from clip_ae.io.config_file import read_config_file
from clip_ae.io.records import read_record
from clip_ae.io.told import told_of

# Stages whose outputs lie at the same place as another's: the record says which it was.
SHARED = ("extract", "make_demo")


def run(
    *,
    config: Annotated[Path, "config file"] = Path("config.yaml"),
    config_json: Annotated[str, "the config itself, instead of a file"] = "",
    root: Annotated[Path, "folder that holds results/"] = Path(),
) -> int:
    settings = load_config(json.loads(config_json) if config_json else read_config_file(config))
    outputs = list(find_outputs(root))
    records = dict(_readable(root, outputs))
    known = _known_ids(records)
    stale = 0
    for path, stage, wildcards in outputs:
        reason = _reason(settings, stage, wildcards, records.get(path), known)
        if reason:
            stale += 1
            print(f"{path}: {reason}")
    print(f"{len(outputs)} outputs, {stale} out of date")
    return 1 if stale else 0


def find_outputs(root: Path) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    """(path, stage, wildcards) of every output under results/, by the stage that its own record or its place names."""
    for file in sorted(p for p in (root / "results").rglob("*") if p.is_file()):
        path = str(file.relative_to(root))
        for stage, pattern in layout.OUTPUTS:
            wildcards = layout.match(pattern, path)
            if wildcards is not None:
                yield path, stage, wildcards
                break


def _readable(root: Path, outputs: list[tuple[str, str, Mapping[str, str]]]) -> Iterator[tuple[str, Record]]:
    for path, _, _ in outputs:
        try:
            yield path, read_record(root / path)
        except ClipAeError:
            continue


def _known_ids(records: Mapping[str, Record]) -> set[str]:
    """The ids that inputs may name: one a file, and one for all shards of a folder."""
    folders: dict[str, list[str]] = defaultdict(list)
    for path, record in records.items():
        folder, _, cut = path.rpartition("/")
        # Shards of an earlier number may lie beside today's.
        folders[folder + cut.partition("-of-")[2]].append(record.id)
    return {record.id for record in records.values()} | {join_ids(ids) for ids in folders.values()}


def _reason(
    config: Config, stage: str, wildcards: Mapping[str, str], record: Record | None, known: set[str]
) -> str | None:
    if record is None:
        return "holds no readable record of what made it"
    try:
        spec = spec_for(config, record.stage if stage in SHARED else stage, wildcards)
    except (ClipAeError, KeyError, AttributeError, AssertionError, TypeError):
        return "is not in the config any more"
    changed = _differing(record.spec, plain(spec))
    if changed:
        return f"spec changed: {', '.join(changed)}"
    if config.track_code and record.code != stage_code(record.stage, spec.modules):
        return f"code of {record.stage} changed"
    gone = [role for role, made_by in record.inputs.items() if made_by not in (known | _raw(config, role, wildcards))]
    return f"made from other inputs: {', '.join(gone)}" if gone else None


def _raw(config: Config, role: str, wildcards: Mapping[str, str]) -> set[str]:
    """Digests of what no stage made: the annotation file and the shard's files in the dataset's folder."""
    data = config.datasets[wildcards["dataset"]] if "dataset" in wildcards else None
    try:
        if data and role in ("annotations", "subsets"):
            return {_annotated(data, role, wildcards)}
        if data and role == "told":
            return {_told(config, data, wildcards)}
        if data and role == "files":
            return {_files(data, wildcards)}
    except (ClipAeError, OSError):
        pass
    return set()


def _annotated(data: Dataset, role: str, wildcards: Mapping[str, str]) -> str:
    if not data.annotated:
        return digest(canonical({}))
    path = Path(data.annotations or layout.WORLD_ANNOTATIONS.format(**wildcards))
    return source_digest(path) if role == "annotations" else digest(canonical(read_facts(path)))


def _told(config: Config, data: Dataset, wildcards: Mapping[str, str]) -> str:
    path = Path(data.annotations or layout.WORLD_ANNOTATIONS.format(**wildcards))
    supervision = config.runs[wildcards["run"]].supervision
    return digest(canonical(told_of(read_annotations(path), data.train_subset, supervision)))


def _files(data: Dataset, wildcards: Mapping[str, str]) -> str:
    shard = parse_shard(wildcards["shard"])
    if data.features or data.simulate:
        source = Path(data.features or layout.WORLD_FEATURES.format(**wildcards))
        return folder.digest(source, folder.list_features(source, data.stream_names).files_of(*shard), with_mtime=False)
    source = Path(data.videos or layout.WORLD_VIDEOS.format(**wildcards))
    return folder.digest(source, folder.shard_files(folder.list_videos(source), *shard).values(), with_mtime=False)


def _differing(old: object, new: object, where: str = "") -> list[str]:
    """The keys of two specs that differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = []
        for name in sorted(old.keys() | new.keys()):
            found += _differing(old.get(name), new.get(name), f"{where}.{name}" if where else name)
        return found
    return [] if old == new else [where]
