"""Digests of inputs that no stage wrote, one function for each kind: for the rules and for `verify`."""

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
    """Return the digest of every annotated video's id, subset and stated length, which `catalog` reads."""
    return digest(to_canonical_json(read_annotation_facts(path) if path else {}))


def supervision_labels_digest(path: Path, train_subset: str, supervision: str) -> str:
    """Return the digest of the labels of training videos that a run with weak or full supervision may read."""
    return digest(to_canonical_json(labels_for_supervision(read_annotations(path), train_subset, supervision)))


def sentences_digest(path: Path) -> str:
    """Return the digest of the sentences that score grounding, with their moments."""
    return digest(to_canonical_json(read_sentences(path)))


def adapter_annotations_digest(paths: Iterable[Path]) -> str:
    """Return the digest of the annotations that a feature adapter reads: for held-out classes, and of trimmed clips."""
    return digest(to_canonical_json([annotations_digest(path) for path in paths]))


def ids_digest(video_ids: Iterable[str]) -> str:
    """Return the digest of video ids; their order does not matter."""
    return digest("\n".join(sorted(video_ids)))
