"""What a feature adapter is trained on: spans of actions and background, and the targets of its contrastive loss."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from clip_ae.core.config.specs import TrainAdapterSpec
from clip_ae.core.errors import UserError
from clip_ae.core.progress import log_line
from clip_ae.core.types import Label
from clip_ae.data.annotations import annotations_digest, read_annotations
from clip_ae.data.labels import read_labels
from clip_ae.data.parquet import read_parquet_provenance
from clip_ae.data.shards import read_stream_input_id
from clip_ae.data.streams import read_streams
from clip_ae.data.text_embeddings import read_text_embeddings
from clip_ae.encoders.text_encoder import build_text_encoder
from clip_ae.language.training_spans import (
    Floats,
    TrainingSpans,
    collect_run_spans,
    contrastive_targets,
)
from clip_ae.weights.network_file import read_weights, read_weights_provenance

Inputs = dict[str, str]


def load_training_spans(
    spec: TrainAdapterSpec,
    features_dir: Path,
    shards: int,
    localizer: Path,
    labels: Path,
    annotations: Path | None,
    device: str,
) -> tuple[TrainingSpans, Inputs]:
    """Actions and background as the run's model sees them, and what they come from."""
    seen_by = read_weights(localizer)
    told = exclude_held_out(spec, read_labels(labels), annotations)
    streams = read_streams(features_dir, spec.streams, shards, {label.video_id for label in told})
    inputs = {f"features/{name}": read_stream_input_id(features_dir, name, shards) for name in spec.streams}
    inputs |= {"localizer": seen_by.provenance.id, "labels": read_parquet_provenance(labels).id}
    inputs |= (
        {"annotations": annotations_digest(annotations)}
        if annotations and spec.feature_adapter.held_out_classes
        else {}
    )
    return collect_run_spans(seen_by, told, streams, device), inputs


def exclude_held_out(spec: TrainAdapterSpec, told: list[Label], annotations: Path | None) -> list[Label]:
    """The videos that show no class that is to be left out."""
    if not spec.feature_adapter.held_out_classes:
        return told
    if annotations is None:
        raise UserError("--annotations: missing; only they tell which videos show the classes to leave out")
    known, left_out = read_annotations(annotations), set(spec.feature_adapter.held_out_classes)
    shown = {i: {instance.label for instance in a.instances} for i, a in known.items()}
    for name in sorted(left_out - set().union(*shown.values())):
        raise UserError(f"feature_adapters.held_out_classes: {annotations} has no class '{name}'")
    return [label for label in told if not shown.get(label.video_id, set()) & left_out]


def check_training_spans(spans: TrainingSpans, localizer: Path) -> None:
    if len(spans.class_ids) < 2 or not spans.background:
        raise UserError(
            f"{localizer}: {len(spans.class_ids)} kinds of action and {len(spans.background)} stretches of background "
            "are too few to learn from; train the run longer, or name another in `feature_adapters`"
        )
    log_line(
        f"{len(spans.actions)} actions of {len(spans.class_ids)} kinds, {len(spans.background)} stretches of background"
    )


def load_contrastive_targets(
    spec: TrainAdapterSpec, spans: TrainingSpans, clip_weights: Path | None, text_embeddings: Path | None, device: str
) -> tuple[Tensor, Inputs]:
    """[actions, D]: what each action is tied to, in the space of CLIP, and what read class names."""
    inputs = {"clip_weights": read_weights_provenance(clip_weights).id} if clip_weights else {}
    inputs |= {"text_embeddings": read_parquet_provenance(text_embeddings).id} if text_embeddings else {}

    def said(names: Sequence[str]) -> Floats:
        words = build_text_encoder(
            read_weights(clip_weights) if clip_weights else None,
            read_text_embeddings(text_embeddings) if text_embeddings else None,
            device,
        )
        return words.embed_words([[name] for name in names], spec.templates)

    words = contrastive_targets(spans, spec.feature_adapter.align_to, said)
    return torch.from_numpy(words).to(device), inputs
