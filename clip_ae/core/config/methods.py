"""A run's method and its switches: every reading of a paper that leaves something open is a key here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from clip_ae.core.config.dataclass_config import key
from clip_ae.core.config.registry import BASE_HEADS, METHODS
from clip_ae.core.config.training import LocalizationOverrides, TrainingOverrides

if TYPE_CHECKING:
    MethodName = str
    BaseHead = str
else:  # one line in the tables is all that a new method needs
    MethodName = Literal[tuple(METHODS)]
    BaseHead = Literal[BASE_HEADS]
Clustering = Literal["spectral", "kmeans"]
Supervision = Literal["unsupervised", "weak", "full"]
Descriptor = Literal["raw", "fused"]
I3D_STREAMS = ("rgb", "flow")


@dataclass(frozen=True)
class CafSwitches:
    """Audio-visual cross-attention fusion (CLIP-AE eq. 1-3)."""

    num_layers: int = key(2, "stages of attention; the paper does not say how many", minimum=1, maximum=4)
    scale: float = key(1.0, "start of the learned factor on the correlation: 1 as printed, 20 for sharp maps", above=0)
    normalized_values: bool = key(False, "eq. 2 mixes the L2-normalised features instead of the features")
    layer_norm: bool = key(False, "LayerNorm before each tanh, which large features would saturate")
    audio_to: Literal["both", "rgb"] = key("both", "streams that are fed the fused audio")


@dataclass(frozen=True)
class CcpSwitches:
    """Cross-view collaboration of CLIP and I3D features (CLIP-AE eq. 4-6)."""

    shared_qk: bool = key(False, "one attention map for both views, as the subscripts say literally")
    residual: bool = key(False, "add the projected features to what attention gives")


@dataclass(frozen=True)
class SelfSupervision:
    """L_de-cor, which goes with CAF (eq. 7), and L_ins-dis, which goes with CCP (eq. 8)."""

    decor: Literal["mean", "literal", "softmax"] = key("mean", "|G - I|^2 over d^2, its plain sum, or IDFD's softmax")
    centred: bool = key(False, "subtract each dimension's mean before it is normalised")
    pairing: Literal["within", "cross"] = key("within", "a view's bank is compared with its own view, or the other's")
    temperature: float = key(1.0, "tau of eq. 8", above=0)
    momentum: float = key(0.5, "share of a memory row that an update keeps", minimum=0, maximum=1)


@dataclass(frozen=True)
class UgctSwitches:
    """Uncertainty-guided collaborative training (reconstructed)."""

    base_head: BaseHead = key("ugct", "head that students and teachers have")
    attention_targets: Literal["mean", "half", "soft"] = key(
        "mean", "the teacher's attention cut at its mean in the video, cut at 0.5, or as it is"
    )
    class_targets: Literal["none", "kl", "mse"] = key("none", "the teacher's class activations as targets too")
    uncertainty: Literal["predicted", "dropout", "heads", "none"] = key(
        "predicted", "by a branch; by the spread of dropout passes; by how far attention and activation differ; off"
    )
    uncertainty_weight: float = key(0.2, "b: weight of the log-uncertainty itself", minimum=0)
    ramp_fraction: float = key(
        0.3, "share of the steps over which the weight of pseudo-labels rises", above=0, maximum=1
    )
    ramp_norm_loss: bool = key(True, "the base's norm loss comes in with the pseudo-labels, not from the first step on")
    ema_decay: float = key(
        0.999, "share of itself that a teacher keeps a step; at most 1 - 10 / steps", minimum=0, maximum=1
    )
    warmup_fraction: float = key(
        0.08, "share of the steps in which teachers are copies of their students", minimum=0, maximum=1
    )


@dataclass(frozen=True, kw_only=True)
class Switches:
    """What shapes a method; a module that is absent here is absent from the network."""

    caf: CafSwitches | None = key(None, "audio-visual fusion; {} turns it on with its defaults")
    ccp: CcpSwitches | None = key(None, "collaboration of CLIP and I3D; {} turns it on with its defaults")
    fusion_input: Literal["centred", "residual", "layer_norm"] | None = key(
        None,
        "what the head sees: X + P(modules less their mean over time), the default; X + P(modules); LN(P(X, modules))",
    )
    self_supervision: SelfSupervision | None = key(None, "clip_ae: forms of its two losses")
    ugct: UgctSwitches | None = key(None, "ugct and clip_ae: teachers and uncertainty")


@dataclass(frozen=True, kw_only=True)
class Run(Switches):
    """A method and its switches."""

    method: MethodName = key(doc="localizer")
    supervision: Supervision = key(
        "unsupervised", "clusters; `weak`: true video labels; `full`: true extents too. The last two have one round"
    )
    clustering: Clustering = key("spectral", "clustering of the training videos' descriptors")
    descriptor: Descriptor = key("raw", "later rounds pool the features, or what the front end makes of them")
    losses: dict[str, float] = key({}, "weight of each loss of the method", minimum=0)
    feature_adapter: str | None = key(
        None, "entry of `feature_adapters`: what it makes stands in place of rgb and flow"
    )

    training: TrainingOverrides | None = key(None, "keys of the dataset's `training` that differ in this run")
    localization: LocalizationOverrides | None = key(
        None, "keys of the dataset's `localization` that differ in this run"
    )

    @property
    def streams(self) -> tuple[str, ...]:
        """What the method reads: I3D always, the others where a module asks."""
        return (*I3D_STREAMS, *(("clip",) if self.ccp else ()), *(("audio",) if self.caf else ()))


@dataclass(frozen=True, kw_only=True)
class LocalizerConfig(Switches):
    """Everything that is needed to build a localizer; lies in its model file."""

    method: MethodName = key(doc="localizer")
    dims: dict[str, int] = key(doc="length of a feature by stream")
    labels: tuple[str, ...] = key(doc="what each class is called in detections")
    width: int = key(1024, "d: length of embeddings", minimum=1)
    dropout: float = key(0.7, "of embeddings", minimum=0, maximum=1)
    num_videos: int = key(1, "rows of the memory banks", minimum=1)

    @property
    def num_classes(self) -> int:
        return len(self.labels)

    @property
    def streams(self) -> tuple[str, ...]:
        return tuple(self.dims)


# Switches that only some methods have, and what they are there where the config says nothing.
SWITCHES_OF: dict[str, tuple[str, ...]] = {
    "caf": ("clip_ae", "oracle"),
    "ccp": ("clip_ae", "oracle"),
    "fusion_input": ("clip_ae", "oracle"),
    "self_supervision": ("clip_ae",),
    "ugct": ("ugct", "clip_ae"),
}
SWITCH_DEFAULTS: dict[str, Any] = {
    "fusion_input": "centred",
    "self_supervision": SelfSupervision(),
    "ugct": UgctSwitches(),
}


def with_defaults(run: Run) -> dict[str, Any]:
    """A run's switches with defaults filled in, so that a spec says all that its method is."""
    own = {name: getattr(run, name) for name in SWITCHES_OF}
    return {
        n: SWITCH_DEFAULTS.get(n) if value is None and run.method in SWITCHES_OF[n] else value
        for n, value in own.items()
    }
