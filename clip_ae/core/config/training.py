"""The `training` and `localization` keys of a dataset; a run may override single keys of both."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from clip_ae.core.config.dataclass_config import key, make_overrides

Precision = Literal["fp32", "bf16"]
InputScaling = Literal["raw", "scaled", "standardized"]
SegmentSource = Literal["curves", "whole_video"]
CurveName = Literal["weighted", "activation"]


@dataclass(frozen=True)
class Training:
    """Training of the localizer in one round."""

    snippets: int = key(750, "T: snippets sampled a video; shorter videos are padded and masked", minimum=1)
    batch_size: int = key(16, "videos per step", minimum=1)
    steps: int = key(6000, "steps a round; the last checkpoint is the result", minimum=1)
    learning_rate: float = key(1e-4, "Adam's learning rate", above=0)
    fusion_rate: float = key(
        0.1, "factor on the learning rate of the projection that adds CAF's and CCP's features to a stream", above=0
    )
    weight_decay: float = key(5e-4, "Adam's weight decay", minimum=0)
    width: int = key(1024, "d: length of embeddings, of CAF's and of CCP's features", minimum=1)
    dropout: float = key(0.7, "of embeddings", minimum=0, maximum=1)
    inputs: InputScaling = key(
        "raw",
        "the features as they are; `scaled`: each stream divided by the root mean square of its training features, as "
        "encoders differ in it; `standardized`: each dimension less its mean and divided by its standard deviation",
    )
    precision: Precision = key("fp32", "fp32, or bf16: autocast of the forward pass, for GPUs")
    log_every: int = key(50, "steps between two lines of training.jsonl", minimum=1)


@dataclass(frozen=True)
class Localization:
    """Localization: from attention and class activations to scored segments."""

    segments: SegmentSource = key(
        "curves",
        "curves: segments cut from attention and activations; whole_video: one segment for each class over the whole "
        "video, scored by the video's class score: a baseline",
    )
    curve: Literal["auto", CurveName] = key(
        "auto",
        "curve of a class that segments are cut from and scored by: `weighted`, attention times activation; "
        "`activation` alone; or `auto`: activation if attention covers much less of the training videos",
    )
    smoothing_s: float | Literal["auto"] = key(
        "auto",
        "seconds; width of the moving mean of curves before they are cut; 0: none; `auto`: the width that suits the "
        "errors of the curves of the training videos",
        minimum=0,
    )
    class_threshold: float = key(
        0.2, "a class is kept when its video score exceeds this; the best one always", minimum=0
    )
    activation_thresholds: tuple[float, ...] = key(
        doc="share of the curve's maximum at which segments are cut",
        default=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
        above=0,
        maximum=1,
    )
    attention_thresholds: tuple[float, ...] = key(
        doc="attention at which segments of every kept class are cut as well",
        default=tuple(n / 20 for n in range(2, 19)),
        above=0,
        maximum=1,
    )
    upsampling: int = key(24, "points a snippet, linearly interpolated before thresholding", minimum=1)
    outer_margin: float = key(0.25, "outer-inner contrast: margin on each side as a share of the length", minimum=0)
    video_score_weight: float = key(0.2, "weight of the video's class score in a segment's score", minimum=0)
    soft_nms_sigma: float = key(0.3, "soft-NMS: sigma of the Gaussian decay in tIoU", above=0)
    min_score: float = key(0.001, "segments that decay below this score are dropped", minimum=0)
    stream_weights: dict[str, float] = key(
        {}, "weight of each cbp stream in the mean of their curves; empty: equal weights", minimum=0
    )


if TYPE_CHECKING:
    TrainingOverrides = Training
    LocalizationOverrides = Localization
else:
    TrainingOverrides = make_overrides(Training)
    LocalizationOverrides = make_overrides(Localization)


@dataclass(frozen=True)
class RunOverrides:
    """Keys of `training` and `localization` that differ in one run of one dataset."""

    training: TrainingOverrides | None = key(None, "keys of `training`; they replace the run's own, too")
    localization: LocalizationOverrides | None = key(None, "keys of `localization`; they replace the run's own, too")
