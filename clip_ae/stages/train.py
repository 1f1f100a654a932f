"""Train the localizer on one round's labels, from scratch."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.methods import I3D_STREAMS, LocalizerConfig, Switches
from clip_ae.core.config.specs import TrainSpec
from clip_ae.core.errors import UserError
from clip_ae.core.files import write_text
from clip_ae.core.progress import log_line
from clip_ae.core.provenance import make_provenance
from clip_ae.core.types import Label, format_cluster_label
from clip_ae.data.labels import read_labels
from clip_ae.data.parquet import read_parquet_provenance
from clip_ae.data.shards import FEATURE_DIRS_HELP, read_stream_input_id
from clip_ae.data.streams import read_streams
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.localizers.feature_table import FeatureTable
from clip_ae.localizers.model_state import module_arrays
from clip_ae.localizers.targets import TargetBuilder
from clip_ae.localizers.tensorboard import open_tensorboard
from clip_ae.localizers.trainer import LogLine, Trainer, create_learner, train_localizer
from clip_ae.proposals.flat_attention import is_flat
from clip_ae.weights.network_file import save_weights
from clip_ae.weights.training_checkpoint import CHECKPOINT_INTERVAL_S, open_checkpoint


def run(
    spec: TrainSpec,
    *,
    features: Annotated[tuple[Path, ...], FEATURE_DIRS_HELP],
    shards: Annotated[int, "number of shards"],
    labels: Annotated[Path, "labels.parquet of this round"],
    out: Annotated[Path, "model.safetensors to write"],
    log: Annotated[Path, "training.jsonl to write: a line a logged step, with every loss"],
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
    tensorboard: Annotated[Path | None, "folder for TensorBoard's event files, written while training"] = None,
    checkpoint_interval_s: Annotated[float, "seconds between two checkpoints"] = CHECKPOINT_INTERVAL_S,
) -> None:
    configure_torch(spec.torch_threads)
    told = read_labels(labels)
    classes = _classes(spec, told)
    ids = {label.video_id for label in told}
    streams = read_streams(features, spec.streams, shards, ids)
    _check(labels, told, set(streams[spec.streams[0]]), classes)
    inputs = {f"features/{name}": read_stream_input_id(features, name, shards) for name in spec.streams}
    record = make_provenance("train", spec, inputs | {"labels": read_parquet_provenance(labels).id}, ("numpy", "torch"))
    where = resolve_device(device)
    library = FeatureTable(streams, where)
    blueprint = _blueprint(
        spec, {n: next(iter(v.values())).feature.shape[1] for n, v in streams.items()}, told, classes
    )
    learner = create_learner(blueprint, spec.training.steps, spec.seed, spec.training.precision)
    truths = TargetBuilder(told, library.video_ids, classes, spec.grid)
    trainer = Trainer(learner, library, truths, spec.training, spec.losses, spec.seed, where)
    kind = where.split(":")[0]
    with (
        open_checkpoint(out, record, kind, checkpoint_interval_s) as kept,
        open_tensorboard(tensorboard, kept.step) as show,
    ):
        lines = kept.log_lines
        if kept.state:
            trainer.resume(kept.state, kept.step)

        def record_line(line: LogLine) -> None:
            lines.append(json.dumps(line))
            show(line)
            if kept.is_due():
                kept.save(trainer.num_steps_done, trainer.state_arrays(), lines)

        train_localizer(trainer, record_line)
        for name in find_collapsed_streams(json.loads(lines[-1])["diagnostics"]):
            log_line(f"train: attention of {name} is the same all over a video; class activations alone cut segments")
        write_text(log, "".join(f"{line}\n" for line in lines))
        save_weights(
            out, module_arrays(learner.final_localizer), record, {"localizer_config": to_plain_data(blueprint)}
        )


def find_collapsed_streams(diagnostics: Mapping[str, float]) -> list[str]:
    """Streams whose attention tells no snippet from another."""
    return [name for name in I3D_STREAMS if is_flat(diagnostics[f"attention {name}"], diagnostics[f"spread {name}"])]


def _classes(spec: TrainSpec, told: Sequence[Label]) -> int:
    return 1 + max(label.cluster for label in told) if spec.classes == "auto" else spec.classes


def _blueprint(spec: TrainSpec, dims: dict[str, int], told: Sequence[Label], classes: int) -> LocalizerConfig:
    names = {label.cluster: label.label for label in told}
    return LocalizerConfig(
        **{f.name: getattr(spec, f.name) for f in fields(Switches)},
        method=spec.method,
        dims=dims,
        labels=tuple(names.get(k, format_cluster_label(k)) for k in range(classes)),
        width=spec.training.width,
        dropout=spec.training.dropout,
        num_videos=len({label.video_id for label in told}),
    )


def _check(labels: Path, told: Sequence[Label], found: set[str], classes: int) -> None:
    lost = sorted({label.video_id for label in told} - found)
    if lost:
        raise UserError(f"{labels}: video '{lost[0]}' has no features ({len(lost)} such); cluster again")
    highest = max(label.cluster for label in told)
    if highest >= classes:
        raise UserError(f"{labels}: cluster {highest} does not fit {classes} classes; cluster again")
