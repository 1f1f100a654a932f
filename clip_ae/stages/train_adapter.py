"""Teach features the borders of actions and what actions are tied to, on sequences pasted together from known spans."""

from pathlib import Path
from typing import Annotated

from clip_ae.core.config.methods import I3D_STREAMS
from clip_ae.core.config.specs import TrainAdapterSpec
from clip_ae.core.provenance import make_provenance
from clip_ae.data.annotations import annotations_digest, read_subset_annotations
from clip_ae.data.shards import read_stream_input_id
from clip_ae.data.streams import read_streams
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.language.adapter_training import create_joint_embedding, fit_adapter
from clip_ae.language.sequences import SequenceSampler
from clip_ae.language.training_spans import (
    collect_clip_spans,
)
from clip_ae.localizers.feature_table import FeatureTable
from clip_ae.localizers.model_state import module_arrays
from clip_ae.pipeline.training_log import write_training_log
from clip_ae.pipeline.training_spans import check_training_spans, load_contrastive_targets, load_training_spans
from clip_ae.weights.network_file import save_weights


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
