"""Training data of a feature adapter: action and background spans, and the targets of its contrastive loss."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

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
from clip_ae.language.training_spans import (
    Floats,
    TrainingSpans,
    collect_run_spans,
    contrastive_targets,
)
from clip_ae.pipeline.text_encoder_files import TextEncoderFiles
from clip_ae.weights.network_file import read_weights

Inputs = dict[str, str]


@dataclass(frozen=True)
class SpanFiles:
    """Options of a command that trains on spans: the features, and the run whose attention finds the actions."""

    features: Annotated[Path, "folder of feature shards, {stream}/{shard}.parquet"]
    shards: Annotated[int, "number of shards"]
    localizer: Annotated[Path, "model.safetensors of the run that separates actions from background"]
    labels: Annotated[Path, "labels.parquet that this run was trained on"]
    annotations: Annotated[Path | None, "annotation file, to exclude videos of held-out classes"] = None


def load_training_spans(spec: TrainAdapterSpec, files: SpanFiles, device: str) -> tuple[TrainingSpans, Inputs]:
    """Action and background spans by the run's localizer, and the ids of the inputs that they come from."""
    model = read_weights(files.localizer)
    video_labels = exclude_held_out(spec, read_labels(files.labels), files.annotations)
    streams = read_streams(files.features, spec.roles, files.shards, {label.video_id for label in video_labels})
    inputs = {f"features/{name}": read_stream_input_id(files.features, name, files.shards) for name in spec.roles.names}
    inputs |= {"localizer": model.provenance.id, "labels": read_parquet_provenance(files.labels).id}
    if files.annotations and spec.feature_adapter.held_out_classes:
        inputs["annotations"] = annotations_digest(files.annotations)
    return collect_run_spans(model, video_labels, streams, device), inputs


def exclude_held_out(spec: TrainAdapterSpec, labels: list[Label], annotations: Path | None) -> list[Label]:
    """The labels of videos that show no held-out class."""
    held_out = set(spec.feature_adapter.held_out_classes)
    if not held_out:
        return labels
    if annotations is None:
        raise UserError("--annotations: missing; they are needed to find the videos of held-out classes")
    classes_of = {i: {instance.label for instance in a.instances} for i, a in read_annotations(annotations).items()}
    for name in sorted(held_out - set().union(*classes_of.values())):
        raise UserError(f"feature_adapters.held_out_classes: {annotations} has no class '{name}'")
    return [label for label in labels if not classes_of.get(label.video_id, set()) & held_out]


def check_training_spans(spans: TrainingSpans, localizer: Path) -> None:
    """Refuse spans of one class, or without background, and log their numbers."""
    if len(spans.class_ids) < 2 or not spans.background:
        raise UserError(
            f"{localizer}: {len(spans.class_ids)} action classes and {len(spans.background)} background spans are too "
            "few to train on; train the run longer, or name another run in `feature_adapters`"
        )
    log_line(
        f"{len(spans.actions)} actions of {len(spans.class_ids)} classes, {len(spans.background)} background spans"
    )


def load_contrastive_targets(
    spec: TrainAdapterSpec, spans: TrainingSpans, text_files: TextEncoderFiles, device: str
) -> tuple[Tensor, Inputs]:
    """[actions, D]: the target of each action in the space of CLIP, and the ids of the inputs that embed texts."""

    def embed_class_names(names: Sequence[str]) -> Floats:
        return text_files.load_text_encoder(device).embed_words([[name] for name in names], spec.templates)

    targets = contrastive_targets(spans, spec.feature_adapter.align_to, spec.roles.vlp, embed_class_names)
    return torch.from_numpy(targets).to(device), text_files.read_input_ids()
