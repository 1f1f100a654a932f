"""Train a feature adapter: action borders and language alignment, on sequences of action and background spans."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from clip_ae.core.config.specs import TrainAdapterSpec
from clip_ae.core.config.streams import StreamRoles
from clip_ae.core.provenance import make_provenance
from clip_ae.data.annotations import annotations_digest, read_subset_annotations
from clip_ae.data.shards import read_stream_input_id
from clip_ae.data.streams import read_streams
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.language.adapter_training import create_joint_embedding, fit_adapter
from clip_ae.language.sequences import SequenceSampler
from clip_ae.language.training_spans import TrainingSpans, collect_clip_spans
from clip_ae.localizers.feature_table import FeatureTable
from clip_ae.localizers.model_state import module_arrays
from clip_ae.pipeline.feature_dims import get_feature_dims
from clip_ae.pipeline.text_encoder_files import NO_TEXT_ENCODER, TextEncoderFiles
from clip_ae.pipeline.training_log import write_training_log
from clip_ae.pipeline.training_spans import (
    Inputs,
    SpanFiles,
    check_training_spans,
    load_contrastive_targets,
    load_training_spans,
)
from clip_ae.weights.network_file import save_weights


@dataclass(frozen=True)
class TrimmedClipFiles:
    """Trimmed clips, whose actions replace those of the run."""

    trimmed_features: Annotated[Path | None, "folder of feature shards of the trimmed clips"] = None
    trimmed_shards: Annotated[int, "number of shards of the trimmed clips"] = 1
    trimmed_annotations: Annotated[Path | None, "annotation file of the trimmed clips"] = None


NO_TRIMMED_CLIPS = TrimmedClipFiles()


def run(
    spec: TrainAdapterSpec,
    *,
    files: SpanFiles,
    out: Annotated[Path, "model.safetensors to write"],
    log: Annotated[Path, "training.jsonl to write"],
    tuned_features: Annotated[
        Path | None, "folder of feature shards of a tuned encoder, used for training in place of --features"
    ] = None,
    trimmed: TrimmedClipFiles = NO_TRIMMED_CLIPS,
    text_files: TextEncoderFiles = NO_TEXT_ENCODER,
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
) -> None:
    configure_torch(spec.torch_threads)
    torch_device = resolve_device(device)
    spans, inputs = load_training_spans(spec, files, torch_device)
    if trimmed.trimmed_features and trimmed.trimmed_annotations:
        spans, trimmed_inputs = _replace_actions(
            spec, spans, trimmed.trimmed_features, trimmed.trimmed_shards, trimmed.trimmed_annotations
        )
        inputs |= trimmed_inputs
    check_training_spans(spans, files.localizer)
    targets, text_inputs = load_contrastive_targets(spec, spans, text_files, torch_device)
    cbp = spec.roles.cbp
    streams = {name: spans.streams[name] for name in cbp}
    if tuned_features:
        streams = dict(read_streams(tuned_features, StreamRoles(cbp), files.shards, streams[cbp[0]].keys()))
        inputs |= {f"tuned_features/{name}": read_stream_input_id(tuned_features, name, files.shards) for name in cbp}
    settings, seed = spec.training, spec.feature_adapter.seed
    joint = create_joint_embedding(get_feature_dims(streams), targets.shape[1], settings, seed)
    sampler = SequenceSampler(FeatureTable(streams, torch_device), spans.actions, spans.background, settings)
    lines = fit_adapter(joint.to(torch_device), sampler, targets, settings, seed, progress_label="train adapter")
    write_training_log(log, lines)
    provenance = make_provenance("train_adapter", spec, inputs | text_inputs, ("numpy", "torch"))
    save_weights(out, module_arrays(joint), provenance, {"joint": joint.init_args})


def _replace_actions(
    spec: TrainAdapterSpec, spans: TrainingSpans, features: Path, shards: int, annotations: Path
) -> tuple[TrainingSpans, Inputs]:
    """The run's background spans with the actions of trimmed clips, and the inputs that these come from."""
    streams = read_streams(features, StreamRoles(spec.roles.cbp), shards)
    clip_annotations = read_subset_annotations(annotations, spec.trimmed_subset)
    clip_spans = collect_clip_spans(spans, streams, clip_annotations, spec.feature_adapter.held_out_classes)
    inputs = {f"trimmed_features/{name}": read_stream_input_id(features, name, shards) for name in spec.roles.cbp}
    return clip_spans, inputs | {"trimmed_annotations": annotations_digest(annotations)}
