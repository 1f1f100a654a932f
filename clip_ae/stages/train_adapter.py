"""Teach features the borders of actions and what actions are tied to, on sequences pasted together from known spans."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor

from clip_ae.core.config.methods import I3D_STREAMS
from clip_ae.core.config.specs import TrainAdapterSpec
from clip_ae.core.errors import UserError
from clip_ae.core.files import write_text
from clip_ae.core.progress import log_line
from clip_ae.core.provenance import make_provenance
from clip_ae.core.types import Label
from clip_ae.data.annotations import annotations_digest, read_annotations, read_subset_annotations
from clip_ae.data.labels import read_labels
from clip_ae.data.parquet import read_parquet_provenance
from clip_ae.data.shards import read_stream_input_id
from clip_ae.data.streams import read_streams
from clip_ae.data.text_embeddings import read_text_embeddings
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.encoders.text_encoder import build_text_encoder
from clip_ae.language.adapter_training import create_joint_embedding, fit_adapter
from clip_ae.language.sequences import SequenceSampler
from clip_ae.language.training_spans import (
    Floats,
    TrainingSpans,
    collect_clip_spans,
    collect_run_spans,
    contrastive_targets,
)
from clip_ae.localizers.feature_table import FeatureTable
from clip_ae.localizers.model_state import module_arrays
from clip_ae.weights.network_file import read_weights, read_weights_provenance, save_weights

# Steps between two lines of the log.
LOG_EVERY = 50
Inputs = dict[str, str]


def run(
    spec: TrainAdapterSpec,
    *,
    features: Annotated[Path, "folder of feature shards, {stream}/{shard}.parquet"],
    shards: Annotated[int, "number of shards"],
    localizer: Annotated[Path, "model.safetensors of the run that tells actions from background"],
    labels: Annotated[Path, "labels.parquet that it was trained on"],
    out: Annotated[Path, "model.safetensors to write"],
    log: Annotated[Path, "training.jsonl to write"],
    tuned_features: Annotated[
        Path | None, "folder of shards by a tuned encoder, to be learnt from in their place"
    ] = None,
    annotations: Annotated[Path | None, "annotation file, where classes are to be left out"] = None,
    trimmed_features: Annotated[
        Path | None, "folder of trimmed clips' feature shards, whose actions stand for the run's"
    ] = None,
    trimmed_shards: Annotated[int, "number of their shards"] = 1,
    trimmed_annotations: Annotated[Path | None, "their annotation file"] = None,
    clip_weights: Annotated[Path | None, "the CLIP whose text tower reads class names"] = None,
    text_embeddings: Annotated[Path | None, "texts.parquet of a simulated world, in place of a text tower"] = None,
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
) -> None:
    configure_torch(spec.torch_threads)
    place = resolve_device(device)
    material, inputs = load_training_spans(spec, features, shards, localizer, labels, annotations, place)
    if trimmed_features and trimmed_annotations:
        trimmed = read_streams(trimmed_features, I3D_STREAMS, trimmed_shards)
        known = read_subset_annotations(trimmed_annotations, spec.trimmed_subset)
        material = collect_clip_spans(material, trimmed, known, spec.feature_adapter.held_out_classes)
        inputs |= {
            f"trimmed_features/{name}": read_stream_input_id(trimmed_features, name, trimmed_shards)
            for name in I3D_STREAMS
        }
        inputs["trimmed_annotations"] = annotations_digest(trimmed_annotations)
    check_training_spans(material, localizer)
    words, read_by = load_contrastive_targets(spec, material, clip_weights, text_embeddings, place)
    main = {name: material.streams[name] for name in I3D_STREAMS}
    if tuned_features:
        main = dict(read_streams(tuned_features, I3D_STREAMS, shards, main[I3D_STREAMS[0]].keys()))
        inputs |= {f"tuned_features/{name}": read_stream_input_id(tuned_features, name, shards) for name in I3D_STREAMS}
    how, seed = spec.training, spec.feature_adapter.seed
    joint = create_joint_embedding(
        {n: next(iter(v.values())).feature.shape[1] for n, v in main.items()}, words.shape[1], how, seed
    )
    drawing = SequenceSampler(FeatureTable(main, place), material.actions, material.background, how)
    lines = fit_adapter(joint.to(place), drawing, words, how, seed, progress_label="post-pretrain")
    write_training_log(log, lines)
    record = make_provenance("train_adapter", spec, inputs | read_by, ("numpy", "torch"))
    save_weights(out, module_arrays(joint), record, {"joint": joint.init_args})


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
    told = _without(spec, read_labels(labels), annotations)
    streams = read_streams(features_dir, spec.streams, shards, {label.video_id for label in told})
    inputs = {f"features/{name}": read_stream_input_id(features_dir, name, shards) for name in spec.streams}
    inputs |= {"localizer": seen_by.provenance.id, "labels": read_parquet_provenance(labels).id}
    inputs |= (
        {"annotations": annotations_digest(annotations)}
        if annotations and spec.feature_adapter.held_out_classes
        else {}
    )
    return collect_run_spans(seen_by, told, streams, device), inputs


def _without(spec: TrainAdapterSpec, told: list[Label], annotations: Path | None) -> list[Label]:
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


def write_training_log(path: Path, lines: Sequence[dict[str, float]]) -> None:
    """Write every 50th line and the last one."""
    logged = [json.dumps(line) for line in lines if not line["step"] % LOG_EVERY or line is lines[-1]]
    write_text(path, "".join(f"{line}\n" for line in logged))
