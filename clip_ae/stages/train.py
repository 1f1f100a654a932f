"""Train the localizer on one round's pseudo-labels, from scratch."""

import json
from pathlib import Path
from typing import Annotated

from clip_ae.core.errors import UserError
from clip_ae.core.progress import track
from clip_ae.core.provenance import make_record
from clip_ae.core.specs import TrainSpec
from clip_ae.core.tables import HEADS
from clip_ae.encoders.devices import resolve, set_threads
from clip_ae.io.files import write_text
from clip_ae.io.labels import read_labels
from clip_ae.io.parquet import read_parquet_record
from clip_ae.io.shards import stream_id
from clip_ae.io.streams import read_streams
from clip_ae.io.weights import save_weights
from clip_ae.localizers.checkpoint import about, arrays
from clip_ae.localizers.training import create, train


def run(
    spec: TrainSpec,
    *,
    features: Annotated[Path, "folder of feature shards, {stream}/{shard}.parquet"],
    shards: Annotated[int, "number of shards"],
    labels: Annotated[Path, "labels.parquet of this round"],
    out: Annotated[Path, "model.safetensors to write"],
    log: Annotated[Path, "training.jsonl to write: a line a logged step, with every loss"],
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
) -> None:
    set_threads(spec.math_threads)
    names = HEADS[spec.method].streams
    clusters = read_labels(labels)
    streams = read_streams(features, names, shards, clusters)
    _check(labels, clusters, set(streams[names[0]]), spec.classes)
    dims = {name: next(iter(videos.values())).feature.shape[1] for name, videos in streams.items()}
    head = create(spec.method, dims, spec.classes, spec.seed)
    steps = train(
        head,
        streams,
        clusters,
        classes=spec.classes,
        settings=spec.training,
        loss_weights=spec.losses,
        seed=spec.seed,
        device=resolve(device),
    )
    lines = [json.dumps(line) for line in track(steps, "train", spec.training.steps, "step") if line]
    inputs = {f"features/{name}": stream_id(features, name, shards) for name in names}
    inputs["labels"] = read_parquet_record(labels).id
    write_text(log, "\n".join(lines) + "\n")
    record = make_record("train", spec, inputs, ("numpy", "torch"))
    save_weights(out, arrays(head), record, about(spec.method, dims, spec.classes))


def _check(labels: Path, clusters: dict[str, int], found: set[str], classes: int) -> None:
    lost = sorted(set(clusters) - found)
    if lost:
        raise UserError(f"{labels}: video '{lost[0]}' has no features ({len(lost)} such); cluster again")
    if max(clusters.values()) >= classes:
        raise UserError(f"{labels}: cluster {max(clusters.values())} does not fit {classes} classes; cluster again")
