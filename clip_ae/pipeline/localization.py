"""Localize actions with a trained model: curves and scored segments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from clip_ae.core.config.specs import LocalizeSpec
from clip_ae.core.config.training import Localization
from clip_ae.core.errors import UserError
from clip_ae.core.progress import track
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Detection, FeaturesByStream, VideoFeatures
from clip_ae.data.parquet import CURVES_SCHEMA
from clip_ae.localizers.caf_audio import replace_audio
from clip_ae.localizers.feature_table import FeatureTable
from clip_ae.localizers.inference import VideoPrediction, predict_video
from clip_ae.localizers.model_state import count_parameters, read_localizer_config, restore_localizer
from clip_ae.pipeline.curve_statistics import read_curve_statistics
from clip_ae.pipeline.detection import detect
from clip_ae.pipeline.feature_dims import get_feature_dims
from clip_ae.proposals.curve_choice import CurveChoice, choose_curve
from clip_ae.proposals.localize import select_classes
from clip_ae.weights.network_file import WeightsFile


@dataclass(frozen=True)
class LocalizedVideos:
    """The curves of each video, by video id, and how segments are cut from them."""

    predictions: Mapping[str, VideoPrediction]
    videos: Mapping[str, VideoFeatures]
    labels: Sequence[str]
    settings: Localization
    choice: CurveChoice
    grid: SnippetGrid
    num_parameters: int

    def detect(self, choice: CurveChoice | None = None) -> list[Detection]:
        """The scored segments of all videos, by the choice of the settings or by another one."""
        chosen = choice or self.choice
        return [
            detection
            for i, prediction in track(self.predictions.items(), "cut segments", unit="video")
            for detection in detect(
                i, self.videos[i].covered_end, prediction, self.labels, self.settings, chosen, self.grid
            )
        ]


def localize_videos(spec: LocalizeSpec, model: WeightsFile, streams: FeaturesByStream, device: str) -> LocalizedVideos:
    """Run a model on all videos of the streams."""
    settings = spec.localization
    config = read_localizer_config(model.metadata)
    localizer = restore_localizer(model.tensors, model.metadata, device)
    table = FeatureTable(replace_audio(streams, config), device)
    predictions = {
        i: predict_video(localizer, table, i, stream_weights=settings.stream_weights)
        for i in track(table.video_ids, "localize", unit="video")
    }
    return LocalizedVideos(
        predictions,
        streams[spec.roles.cbp[0]],
        config.labels,
        settings,
        choose_curve(settings, read_curve_statistics(model.metadata), spec.grid.stride_s),
        spec.grid,
        count_parameters(localizer),
    )


def curves_table(video_id: str, prediction: VideoPrediction, labels: Sequence[str], threshold: float) -> pa.Table:
    """The rows of one video in curves.parquet; only the classes of `select_classes` have an activation."""
    classes = select_classes(prediction.scores, threshold)
    names = [labels[c] for c in classes]
    snippets = zip(prediction.attention.tolist(), prediction.activation[:, classes].tolist(), strict=True)
    rows = [
        {
            "video_id": video_id,
            "snippet": snippet,
            "attention": attention,
            "activation": list(zip(names, activation, strict=True)),
        }
        for snippet, (attention, activation) in enumerate(snippets)
    ]
    return pa.Table.from_pylist(rows, schema=CURVES_SCHEMA)


def check_model(path: Path, model: WeightsFile, method: str, streams: FeaturesByStream) -> None:
    """Refuse a model of another method, or one that was trained on features of another length."""
    config = read_localizer_config(model.metadata)
    if config.method != method:
        raise UserError(f"{path}: a model of {config.method}, not of {method}; train again")
    dims = get_feature_dims({name: streams[name] for name in config.dims})
    for name, dim in config.dims.items():
        if dims[name] != dim:
            raise UserError(f"{path}: trained on {name} features of {dim} numbers, not {dims[name]}; train again")
