"""Localize actions in the test videos: write scored segments with the model's labels, and the curves behind them."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from clip_ae.core.config.specs import LocalizeSpec
from clip_ae.core.progress import log_warning
from clip_ae.core.provenance import make_provenance
from clip_ae.data.annotations import read_subset_ids
from clip_ae.data.detections import WITHOUT_FEATURES, write_detections
from clip_ae.data.parquet import CURVES_SCHEMA, open_table_writer
from clip_ae.data.shards import FEATURE_DIRS_HELP, read_stream_input_id
from clip_ae.data.streams import read_streams
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.pipeline.localization import check_model, curves_table, localize_videos
from clip_ae.weights.network_file import read_weights


@dataclass(frozen=True)
class Outputs:
    """The files to write."""

    out: Annotated[Path, "detections.json to write"]
    other_curve: Annotated[Path, "file to write: detections cut from the other curve, for comparison"]
    curves: Annotated[Path, "curves.parquet to write: attention and class activations of each snippet"]


def run(
    spec: LocalizeSpec,
    *,
    features: Annotated[tuple[Path, ...], FEATURE_DIRS_HELP],
    shards: Annotated[int, "number of shards"],
    model: Annotated[Path, "model.safetensors of the last round"],
    outputs: Outputs,
    annotations: Annotated[
        Path | None, "annotation file; only its subsets are read. Without it all videos are test videos"
    ] = None,
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
) -> None:
    configure_torch(spec.torch_threads)
    model_file = read_weights(model)
    ids = read_subset_ids(annotations, spec.test_subset) if annotations else None
    streams = read_streams(features, spec.roles, shards, ids)
    check_model(model, model_file, spec.method, streams)
    localized = localize_videos(spec, model_file, streams, resolve_device(device))
    inputs = {f"features/{name}": read_stream_input_id(features, name, shards) for name in spec.roles.names}
    inputs["model"] = model_file.provenance.id
    provenance = make_provenance("localize", spec, inputs, ("numpy", "torch"))
    without_features = sorted((ids or set()) - localized.predictions.keys())
    if without_features:
        log_warning(
            f"{len(without_features)} test videos, as '{without_features[0]}', are not localized: a stream "
            "lacks them; failures.parquet says why"
        )
    threshold = spec.localization.class_threshold
    with open_table_writer(outputs.curves, CURVES_SCHEMA, provenance) as write_table:
        for video_id, prediction in localized.predictions.items():
            write_table(curves_table(video_id, prediction, localized.labels, threshold))
    for path, choice in ((outputs.other_curve, localized.choice.other), (outputs.out, localized.choice)):
        facts = {
            "cut_from": asdict(choice),
            "num_parameters": localized.num_parameters,
            WITHOUT_FEATURES: without_features,
        }
        videos = ids or localized.predictions
        write_detections(path, localized.detect(choice), provenance, videos, **facts)
