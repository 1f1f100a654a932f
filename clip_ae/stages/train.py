"""Train the localizer on one round's labels, from scratch."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.methods import LocalizerConfig, Switches
from clip_ae.core.config.specs import TrainSpec
from clip_ae.core.errors import UserError
from clip_ae.core.files import write_text
from clip_ae.core.progress import log_warning
from clip_ae.core.provenance import make_provenance
from clip_ae.core.types import FeaturesByStream, Label, format_cluster_label
from clip_ae.data.labels import read_labels
from clip_ae.data.parquet import read_parquet_provenance, release_unused_memory
from clip_ae.data.shards import FEATURE_DIRS_HELP, read_stream_input_id
from clip_ae.data.streams import read_streams
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.localizers.caf_audio import replace_audio
from clip_ae.localizers.feature_table import FeatureTable
from clip_ae.localizers.input_scaling import compute_input_scaling
from clip_ae.localizers.model_state import module_arrays
from clip_ae.localizers.targets import TargetBuilder
from clip_ae.localizers.tensorboard import open_tensorboard
from clip_ae.localizers.trainer import LogLine, Trainer, create_learner, train_localizer
from clip_ae.pipeline.curve_statistics import measure_curves
from clip_ae.pipeline.feature_dims import get_feature_dims
from clip_ae.proposals.flat_attention import is_flat
from clip_ae.weights.network_file import save_weights
from clip_ae.weights.training_checkpoint import Checkpoint, open_checkpoint


def run(
    spec: TrainSpec,
    *,
    features: Annotated[tuple[Path, ...], FEATURE_DIRS_HELP],
    shards: Annotated[int, "number of shards"],
    labels: Annotated[Path, "labels.parquet of this round"],
    out: Annotated[Path, "model.safetensors to write"],
    log: Annotated[Path, "training.jsonl to write: one line for each logged step, with every loss"],
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
    tensorboard: Annotated[Path | None, "folder for event files of TensorBoard, written during training"] = None,
) -> None:
    configure_torch(spec.torch_threads)
    training_labels = read_labels(labels)
    num_classes = _count_classes(spec, training_labels)
    streams = read_streams(features, spec.roles, shards, {label.video_id for label in training_labels})
    _check_labels(labels, training_labels, set(streams[spec.roles.cbp[0]]), num_classes)
    inputs = {f"features/{name}": read_stream_input_id(features, name, shards) for name in spec.roles.names}
    inputs["labels"] = read_parquet_provenance(labels).id
    provenance = make_provenance("train", spec, inputs, ("numpy", "torch"))
    torch_device = resolve_device(device)
    config = _build_localizer_config(spec, streams, training_labels, num_classes)
    trainer = _create_trainer(spec, config, streams, training_labels, torch_device)
    # The trainer has a copy.
    del streams
    release_unused_memory()
    device_type = torch_device.split(":")[0]
    with (
        open_checkpoint(out, provenance, device_type) as checkpoint,
        open_tensorboard(tensorboard, checkpoint.step) as write_event,
    ):
        lines = _train(trainer, checkpoint, write_event)
        for name in find_collapsed_streams(json.loads(lines[-1])["diagnostics"], spec.roles.cbp):
            log_warning(f"attention of {name} is constant in each video; only class activations cut segments")
        write_text(log, "".join(f"{line}\n" for line in lines))
        localizer = trainer.learner.final_localizer
        statistics = measure_curves(localizer.eval(), trainer.feature_table, training_labels)
        metadata = {"localizer_config": to_plain_data(config), "curve_statistics": asdict(statistics)}
        save_weights(out, module_arrays(localizer), provenance, metadata)


def find_collapsed_streams(diagnostics: Mapping[str, float], streams: Sequence[str]) -> list[str]:
    """The streams whose attention is the same for all snippets of a video."""
    attention = {name: diagnostics.get(f"attention {name}") for name in streams}
    return [n for n, mean in attention.items() if mean is not None and is_flat(mean, diagnostics[f"spread {n}"])]


def _create_trainer(
    spec: TrainSpec, config: LocalizerConfig, streams: FeaturesByStream, labels: Sequence[Label], device: str
) -> Trainer:
    table = FeatureTable(replace_audio(streams, config), device)
    learner = create_learner(config, spec.training.steps, spec.seed, spec.training.precision)
    targets = TargetBuilder(labels, table.video_ids, len(config.labels), spec.grid)
    return Trainer(learner, table, targets, spec.training, spec.losses, spec.seed, device)


def _train(trainer: Trainer, checkpoint: Checkpoint, write_event: Callable[[Mapping[str, Any]], None]) -> list[str]:
    """Train to the last step, from the checkpoint if it has a state; the lines of the log."""
    if checkpoint.state:
        trainer.resume(checkpoint.state, checkpoint.step)
    lines = checkpoint.log_lines

    def record(line: LogLine) -> None:
        lines.append(json.dumps(line))
        write_event(line)
        if checkpoint.is_due():
            checkpoint.save(trainer.num_steps_done, trainer.state_arrays(), lines)

    train_localizer(trainer, record)
    return lines


def _count_classes(spec: TrainSpec, labels: Sequence[Label]) -> int:
    return 1 + max(label.cluster for label in labels) if spec.classes == "auto" else spec.classes


def _build_localizer_config(
    spec: TrainSpec, streams: FeaturesByStream, labels: Sequence[Label], num_classes: int
) -> LocalizerConfig:
    names = {label.cluster: label.label for label in labels}
    return LocalizerConfig(
        **{f.name: getattr(spec, f.name) for f in fields(Switches)},
        method=spec.method,
        roles=spec.roles,
        dims=get_feature_dims(streams),
        **compute_input_scaling(streams, spec.training.inputs),
        labels=tuple(names.get(k, format_cluster_label(k)) for k in range(num_classes)),
        width=spec.training.width,
        dropout=spec.training.dropout,
        num_videos=len({label.video_id for label in labels}),
    )


def _check_labels(path: Path, labels: Sequence[Label], video_ids: set[str], num_classes: int) -> None:
    missing = sorted({label.video_id for label in labels} - video_ids)
    if missing:
        raise UserError(f"{path}: video '{missing[0]}' has no features ({len(missing)} such videos); cluster again")
    highest = max(label.cluster for label in labels)
    if highest >= num_classes:
        raise UserError(f"{path}: cluster {highest} does not fit {num_classes} classes; cluster again")
