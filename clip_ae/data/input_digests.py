"""Digests of inputs that no stage made: one function a kind, used by rules, stages and `verify` alike."""

from collections.abc import Iterable
from pathlib import Path

from clip_ae.core.config.dataclass_config import to_canonical_json
from clip_ae.core.provenance import digest
from clip_ae.core.supervision import labels_for_supervision
from clip_ae.data.annotations import annotations_digest, read_annotation_facts, read_annotations
from clip_ae.data.sentences import read_sentences

# In place of a digest, where an input is not given.
ABSENT = "none"


def annotation_facts_digest(path: Path | None) -> str:
    """Of every annotated video's id, subset and stated length: what `catalog` reads."""
    return digest(to_canonical_json(read_annotation_facts(path) if path else {}))


def supervision_labels_digest(path: Path, train_subset: str, supervision: str) -> str:
    """Of the labels that a weak or full run may read of its training videos."""
    return digest(to_canonical_json(labels_for_supervision(read_annotations(path), train_subset, supervision)))


def sentences_digest(path: Path) -> str:
    """Of the sentences and their moments that score grounding."""
    return digest(to_canonical_json(read_sentences(path)))


def adapter_annotations_digest(paths: Iterable[Path]) -> str:
    """Of the annotations that a feature adapter reads: for held-out classes, and of trimmed clips."""
    return digest(to_canonical_json([annotations_digest(path) for path in paths]))


def ids_digest(video_ids: Iterable[str]) -> str:
    """Of a set of video ids, whatever their order."""
    return digest("\n".join(sorted(video_ids)))
