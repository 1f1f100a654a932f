"""Teach features the borders of actions and what actions are tied to, on sequences pasted together from known spans."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor

from clip_ae.core.config.methods import I3D_STREAMS
from clip_ae.core.config.specs import TrainAdapterSpec
from clip_ae.core.errors import UserError
from clip_ae.core.files import write_text
from clip_ae.core.progress import log_line, track
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
from clip_ae.language.sequences import FeatureTable, SequenceSampler
from clip_ae.language.training_spans import (
    Floats,
    TrainingSpans,
    collect_clip_spans,
    collect_run_spans,
    contrastive_targets,
)
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
    model: Annotated[Path, "model.safetensors of the run that tells actions from background"],
    labels: Annotated[Path, "labels.parquet that it was trained on"],
    out: Annotated[Path, "model.safetensors to write"],
    log: Annotated[Path, "training.jsonl to write"],
    encoded: Annotated[Path | None, "folder of shards by a tuned encoder, to be learnt from in their place"] = None,
    annotations: Annotated[Path | None, "annotation file, where classes are to be left out"] = None,
    clips: Annotated[Path | None, "folder of trimmed clips' feature shards, whose actions stand for the run's"] = None,
    clips_shards: Annotated[int, "number of their shards"] = 1,
    clips_annotations: Annotated[Path | None, "their annotation file"] = None,
    weights: Annotated[Path | None, "the CLIP whose text tower reads class names"] = None,
    texts: Annotated[Path | None, "texts.parquet of a simulated world, in place of a text tower"] = None,
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
) -> None:
    configure_torch(spec.math_threads)
    place = resolve_device(device)
    material, inputs = load_training_spans(spec, features, shards, model, labels, annotations, place)
    if clips and clips_annotations:
        trimmed = read_streams(clips, I3D_STREAMS, clips_shards)
        known = read_subset_annotations(clips_annotations, spec.clips_subset)
        material = collect_clip_spans(material, trimmed, known, spec.recipe.without)
        inputs |= {f"clips/{name}": read_stream_input_id(clips, name, clips_shards) for name in I3D_STREAMS}
        inputs["clips/annotations"] = annotations_digest(clips_annotations)
    check_training_spans(material, model)
    words, read_by = load_contrastive_targets(spec, material, weights, texts, place)
    main = {name: material.streams[name] for name in I3D_STREAMS}
    if encoded:
        main = dict(read_streams(encoded, I3D_STREAMS, shards, main[I3D_STREAMS[0]].keys()))
        inputs |= {f"encoded/{name}": read_stream_input_id(encoded, name, shards) for name in I3D_STREAMS}
    how, seed = spec.training, spec.recipe.seed
    joint = create_joint_embedding(
        {n: next(iter(v.values())).feature.shape[1] for n, v in main.items()}, words.shape[1], how, seed
    )
    drawing = SequenceSampler(FeatureTable(main, place), material.actions, material.background, how)
    steps = track(fit_adapter(joint.to(place), drawing, words, how, seed), "post-pretrain", how.steps, "steps")
    write_training_log(log, steps, how.steps)
    record = make_provenance("train_adapter", spec, inputs | read_by, ("numpy", "torch"))
    save_weights(out, module_arrays(joint), record, {"joint": joint.about})


def load_training_spans(
    spec: TrainAdapterSpec,
    features: Path,
    shards: int,
    model: Path,
    labels: Path,
    annotations: Path | None,
    device: str,
) -> tuple[TrainingSpans, Inputs]:
    """Actions and background as the run's model sees them, and what they come from."""
    seen_by = read_weights(model)
    told = _without(spec, read_labels(labels), annotations)
    streams = read_streams(features, spec.streams, shards, {label.video_id for label in told})
    inputs = {f"features/{name}": read_stream_input_id(features, name, shards) for name in spec.streams}
    inputs |= {"model": seen_by.record.id, "labels": read_parquet_provenance(labels).id}
    inputs |= {"annotations": annotations_digest(annotations)} if annotations and spec.recipe.without else {}
    return collect_run_spans(seen_by, told, streams, device), inputs


def _without(spec: TrainAdapterSpec, told: list[Label], annotations: Path | None) -> list[Label]:
    """The videos that show no class that is to be left out."""
    if not spec.recipe.without:
        return told
    if annotations is None:
        raise UserError("--annotations: missing; only they tell which videos show the classes to leave out")
    known, left_out = read_annotations(annotations), set(spec.recipe.without)
    shown = {i: {instance.label for instance in a.instances} for i, a in known.items()}
    for name in sorted(left_out - set().union(*shown.values())):
        raise UserError(f"post_pretraining.without: {annotations} has no class '{name}'")
    return [label for label in told if not shown.get(label.video_id, set()) & left_out]


def check_training_spans(material: TrainingSpans, model: Path) -> None:
    if len(material.kinds) < 2 or not material.background:
        raise UserError(
            f"{model}: {len(material.kinds)} kinds of action and {len(material.background)} stretches of background "
            "are too few to learn from; train the run longer, or name another in `post_pretraining`"
        )
    log_line(
        f"{len(material.actions)} actions of {len(material.kinds)} kinds, "
        f"{len(material.background)} stretches of background"
    )


def load_contrastive_targets(
    spec: TrainAdapterSpec, material: TrainingSpans, weights: Path | None, texts: Path | None, device: str
) -> tuple[Tensor, Inputs]:
    """[actions, D]: what each action is tied to, in the space of CLIP, and what read class names."""
    inputs = {"texts": read_weights_provenance(weights).id} if weights else {}
    inputs |= {"texts": read_parquet_provenance(texts).id} if texts else {}

    def said(names: Sequence[str]) -> Floats:
        words = build_text_encoder(
            read_weights(weights) if weights else None, read_text_embeddings(texts) if texts else None, device
        )
        return words.words([[name] for name in names], spec.templates)

    words = contrastive_targets(material, spec.recipe.text, said)
    return torch.from_numpy(words).to(device), inputs


def write_training_log(path: Path, steps: Iterable[dict[str, float]], count: int) -> None:
    """Every so many steps a line, and the last."""
    lines = [json.dumps(line) for line in steps if not line["step"] % LOG_EVERY or line["step"] == count]
    write_text(path, "".join(f"{line}\n" for line in lines))
