"""Localize actions with a trained model: curves and scored segments."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from clip_ae.core.config.specs import LocalizeSpec
from clip_ae.core.errors import UserError
from clip_ae.core.progress import track
from clip_ae.core.types import Detection, FeaturesByStream
from clip_ae.data.parquet import CURVES_SCHEMA
from clip_ae.localizers.feature_table import FeatureTable
from clip_ae.localizers.inference import VideoPrediction
from clip_ae.localizers.inference import predict_video as curves_of
from clip_ae.localizers.model_state import read_localizer_config, restore_localizer
from clip_ae.proposals.localize import localize, select_classes
from clip_ae.weights.network_file import WeightsFile


def localize_videos(
    spec: LocalizeSpec, model: WeightsFile, streams: FeaturesByStream, device: str
) -> tuple[dict[str, VideoPrediction], list[Detection]]:
    """What the model sees in each video, and the segments cut out of that."""
    settings, labels = spec.localization, read_localizer_config(model.metadata).labels
    localizer, library = restore_localizer(model.tensors, model.metadata, device), FeatureTable(streams, device)
    found = {
        i: curves_of(localizer, library, i, rgb_weight=settings.rgb_weight)
        for i in track(library.video_ids, "localize", unit="video")
    }
    ends = {i: video.covered_end for i, video in streams[spec.streams[0]].items()}
    detections = [
        d
        for i, c in found.items()
        for d in localize(
            i, c.attention, c.activation, c.scores, labels=labels, settings=settings, grid=spec.grid, duration=ends[i]
        )
    ]
    return found, detections


def curves_table(video_id: str, found: VideoPrediction, names: Sequence[str], threshold: float) -> pa.Table:
    kept = select_classes(found.scores, threshold)
    labels = [names[c] for c in kept]
    rows = [
        {
            "video_id": video_id,
            "snippet": snippet,
            "attention": attention,
            "activation": list(zip(labels, activation, strict=True)),
        }
        for snippet, (attention, activation) in enumerate(
            zip(found.attention.tolist(), found.activation[:, kept].tolist(), strict=True)
        )
    ]
    return pa.Table.from_pylist(rows, schema=CURVES_SCHEMA)


def check_model(model: Path, file: WeightsFile, method: str, streams: FeaturesByStream) -> None:
    blueprint = read_localizer_config(file.metadata)
    if blueprint.method != method:
        raise UserError(f"{model}: a model of {blueprint.method}, not of {method}; train again")
    for name, dim in blueprint.dims.items():
        found = next(iter(streams[name].values())).feature.shape[1]
        if found != dim:
            raise UserError(f"{model}: trained on {name} features of {dim} numbers, not {found}; train again")
