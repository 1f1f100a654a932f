"""Localize actions in the test videos: scored segments under the model's labels, and the curves behind them."""

from pathlib import Path
from typing import Annotated

from clip_ae.core.config.specs import LocalizeSpec
from clip_ae.core.provenance import make_provenance
from clip_ae.data.annotations import read_subset_ids
from clip_ae.data.detections import write_detections
from clip_ae.data.parquet import CURVES_SCHEMA, write_tables
from clip_ae.data.shards import FEATURE_DIRS_HELP, read_stream_input_id
from clip_ae.data.streams import read_streams
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.localizers.model_state import read_localizer_config
from clip_ae.pipeline.localization import check_model, curves_table, localize_videos
from clip_ae.weights.network_file import read_weights


def run(
    spec: LocalizeSpec,
    *,
    features: Annotated[tuple[Path, ...], FEATURE_DIRS_HELP],
    shards: Annotated[int, "number of shards"],
    model: Annotated[Path, "model.safetensors of the last round"],
    out: Annotated[Path, "detections.json to write"],
    curves: Annotated[Path, "curves.parquet to write: attention and kept activations a snippet"],
    annotations: Annotated[Path | None, "annotation file, read for subsets only; without it all videos"] = None,
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
) -> None:
    configure_torch(spec.torch_threads)
    names = spec.streams
    file = read_weights(model)
    streams = read_streams(
        features, names, shards, read_subset_ids(annotations, spec.test_subset) if annotations else None
    )
    check_model(model, file, spec.method, streams)
    found, detections = localize_videos(spec, file, streams, resolve_device(device))
    labels = read_localizer_config(file.metadata).labels
    inputs = {f"features/{name}": read_stream_input_id(features, name, shards) for name in names}
    record = make_provenance("localize", spec, {**inputs, "model": file.provenance.id}, ("numpy", "torch"))
    tables = (curves_table(i, c, labels, spec.localization.class_threshold) for i, c in found.items())
    write_tables(curves, CURVES_SCHEMA, tables, record)
    write_detections(out, detections, record)
