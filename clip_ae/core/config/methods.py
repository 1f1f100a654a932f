"""A run's method and its switches. Where a paper leaves something open, each reading is a value of a key."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from clip_ae.core.config.dataclass_config import key
from clip_ae.core.config.registry import BASE_HEADS, METHODS
from clip_ae.core.config.streams import ROLE_PURPOSES, Role, StreamRoles
from clip_ae.core.config.training import LocalizationOverrides, TrainingOverrides
from clip_ae.core.errors import UserError

if TYPE_CHECKING:
    MethodName = str
    BaseHead = str
else:  # so that a new method needs one line in the registry
    MethodName = Literal[tuple(METHODS)]
    BaseHead = Literal[BASE_HEADS]
Clustering = Literal["spectral", "kmeans"]
ClusterRefinement = Literal["none", "k_reciprocal"]
Supervision = Literal["unsupervised", "weak", "full"]
Descriptor = Literal["raw", "fused"]
DescriptorWeights = Literal["softmax", "attention"]
AttentionTargets = Literal["mean", "half", "soft"]
CafAudio = Literal["own", "next_video", "none"]


@dataclass(frozen=True)
class CafSwitches:
    """Audio-visual cross-attention fusion (CLIP-AE eq. 1-3)."""

    num_layers: int = key(2, "number of attention layers; the paper does not state it", minimum=1, maximum=4)
    scale: float = key(
        1.0, "initial value of the learned factor on the correlation: 1 as printed, 20 for sharp maps", above=0
    )
    normalized_values: bool = key(False, "use the L2-normalised features in eq. 2")
    layer_norm: bool = key(False, "LayerNorm before each tanh: large features would saturate it")
    audio_to: Literal["all", "first"] = key(
        "all", "cbp streams whose head input includes the fused audio: all, or the first only"
    )
    scaled_to_ccp: bool = key(
        True, "beside CCP: scale CAF's part of the head's input in each video to the size of CCP's part"
    )
    gate: Literal["none", "correspondence"] = key(
        "none",
        "`correspondence`: CAF's part of the head's input is 0 in videos whose sound does not follow the picture",
    )
    audio: CafAudio = key(
        "own",
        "audio of each video, in training and in localization. Controls: `next_video`, that of the next video of the "
        "same subset, by sorted id; `none`, as a video without sound",
    )


@dataclass(frozen=True)
class CcpSwitches:
    """Cross-view collaboration of the cbp streams and the vlp stream (CLIP-AE eq. 4-6)."""

    shared_qk: bool = key(False, "one attention map for both views, as the subscripts literally say")
    residual: bool = key(False, "add the projected features to the attention output")


@dataclass(frozen=True)
class SelfSupervision:
    """L_de-cor for CAF (eq. 7) and L_ins-dis for CCP (eq. 8)."""

    decor: Literal["mean", "literal", "softmax"] = key("mean", "|G - I|^2 over d^2, its plain sum, or IDFD's softmax")
    centred: bool = key(False, "subtract each dimension's mean before it is normalised")
    pairing: Literal["within", "cross"] = key(
        "within", "compare a view with its own memory bank, or with the other view's"
    )
    temperature: float = key(1.0, "tau of eq. 8", above=0)
    momentum: float = key(0.5, "share of the old memory row in an update", minimum=0, maximum=1)


@dataclass(frozen=True)
class UgctSwitches:
    """Uncertainty-guided collaborative training (reconstructed)."""

    base_head: BaseHead = key("ugct", "head of students and teachers")
    attention_targets: AttentionTargets = key(
        "mean", "threshold of the teacher's attention: its mean in the video, 0.5, or none (soft)"
    )
    teachers: Literal["others", "self", "all"] = key(
        "others", "a stream's teachers: those of the other cbp streams (its own if it is the only one), its own, or all"
    )
    class_targets: Literal["none", "kl", "mse"] = key("none", "loss on the teacher's class activations")
    uncertainty: Literal["predicted", "dropout", "heads", "none"] = key(
        "predicted",
        "by a branch, by the variance of dropout passes, by the difference of attention and activation, or off",
    )
    uncertainty_weight: float = key(0.2, "b: weight of the log-uncertainty term", minimum=0)
    ramp_fraction: float = key(
        0.3, "share of the steps over which the weight of pseudo-labels rises to 1", above=0, maximum=1
    )
    ramp_norm_loss: bool = key(
        True, "ramp the head's norm loss with the pseudo-labels; false: full weight from the first step"
    )
    ema_decay: float = key(0.999, "EMA decay of the teacher per step; at most 1 - 10 / steps", minimum=0, maximum=1)
    warmup_fraction: float = key(
        0.08, "share of the steps in which teachers are copies of their students", minimum=0, maximum=1
    )


@dataclass(frozen=True)
class TscnSwitches:
    """Two-stream consensus network."""

    attention_targets: AttentionTargets = key(
        "mean",
        "threshold of the pseudo ground truth: the attention's mean in the video, 0.5 as printed, or none (soft)",
    )


@dataclass(frozen=True, kw_only=True)
class Switches:
    """The switches of a method; a module without an entry is not built."""

    caf: CafSwitches | None = key(None, "audio-visual fusion; {} turns it on with its defaults")
    ccp: CcpSwitches | None = key(
        None, "cross-view collaboration of cbp and vlp streams; {} turns it on with its defaults"
    )
    fusion_input: Literal["centred", "residual", "layer_norm"] | None = key(
        None,
        "input of the head: X + P(modules minus their mean over time), the default; X + P(modules); LN(P(X, modules))",
    )
    self_supervision: SelfSupervision | None = key(None, "clip_ae: forms of its two losses")
    ugct: UgctSwitches | None = key(None, "ugct and clip_ae: teachers and uncertainty")
    tscn: TscnSwitches | None = key(None, "tscn: pseudo ground truth")


@dataclass(frozen=True, kw_only=True)
class Run(Switches):
    """A method and its switches."""

    method: MethodName = key(doc="localizer")
    supervision: Supervision = key(
        "unsupervised",
        "`unsupervised`: clusters; `weak`: true video labels; `full`: also true extents. The last two have one round",
    )
    clustering: Clustering = key("spectral", "clustering of the training videos' descriptors")
    clusters: int | None = key(None, "number of clusters; default: the dataset's `classes`", minimum=2)
    cluster_refinement: ClusterRefinement = key(
        "none",
        "`k_reciprocal`: each video then moves to the cluster whose centre is nearest by k-reciprocal distances (FEEL)",
    )
    confident_shares: tuple[float, ...] = key(
        doc="share of each cluster's videos, those nearest to its centre, that train in round 0, 1, ...; later rounds "
        "have the last share. 0.25, 0.5, 0.75, 1 is FEEL's self-paced training",
        default=(1.0,),
        above=0,
        maximum=1,
    )
    descriptor: Descriptor = key("raw", "features that later rounds pool: raw, or fused by the front end")
    descriptor_weights: DescriptorWeights = key(
        "softmax",
        "weights of the snippets in the descriptors of later rounds: softmax over time of the attention's logits, as "
        "in TCAM, or the attention, each divided by its sum",
    )
    losses: dict[str, float] = key({}, "weight of each loss of the method", minimum=0)
    feature_adapter: str | None = key(
        None, "entry of `feature_adapters` whose output replaces the features of the cbp streams"
    )
    cbp_streams: tuple[str, ...] | None = key(
        None, "streams to read as classification view, whatever their role; default: all of the dataset's cbp streams"
    )
    vlp_stream: str | None = key(
        None,
        "a control: stream that CCP reads as vision-language view, of any role; default: the dataset's vlp stream",
    )
    training: TrainingOverrides | None = key(None, "keys of the dataset's `training` that differ in this run")
    localization: LocalizationOverrides | None = key(
        None, "keys of the dataset's `localization` that differ in this run"
    )

    @property
    def has_clustering_keys(self) -> bool:
        """Whether a key of clustering has another value than its default."""
        return self.clustering_settings != Run(method=self.method).clustering_settings or self.descriptor != "raw"

    @property
    def has_feel_clusters(self) -> bool:
        """Whether the clusters are refined, or not all videos train in all rounds: both are parts of FEEL."""
        return self.cluster_refinement != "none" or self.confident_shares != (1.0,)

    @property
    def clustering_settings(self) -> tuple[Any, ...]:
        """All that decides which clusters the same features and attention give."""
        shares = self.confident_shares
        return (self.clustering, self.clusters, self.cluster_refinement, shares, self.descriptor_weights)

    def get_confident_share(self, round_number: int) -> float:
        """The share of the videos that train in a round."""
        return self.confident_shares[min(round_number, len(self.confident_shares) - 1)]


@dataclass(frozen=True, kw_only=True)
class LocalizerConfig(Switches):
    """Everything needed to build a localizer; stored in its model file."""

    method: MethodName = key(doc="localizer")
    roles: StreamRoles = key(doc="the streams to read")
    dims: dict[str, int] = key(doc="length of a feature by stream")
    input_means: dict[str, tuple[float, ...]] = key({}, "subtracted from the features by stream; empty: nothing")
    input_factors: dict[str, tuple[float, ...]] = key({}, "then multiplied with them, by stream; empty: nothing")
    labels: tuple[str, ...] = key(doc="label of each class in detections")
    width: int = key(1024, "d: length of embeddings", minimum=1)
    dropout: float = key(0.7, "of embeddings", minimum=0, maximum=1)
    num_videos: int = key(1, "rows of the memory banks", minimum=1)

    @property
    def num_classes(self) -> int:
        return len(self.labels)


# Switches that only some methods have, and their defaults for these methods.
SWITCHES_OF: dict[str, tuple[str, ...]] = {
    "caf": ("clip_ae",),
    "ccp": ("clip_ae",),
    "fusion_input": ("clip_ae",),
    "self_supervision": ("clip_ae",),
    "ugct": ("ugct", "clip_ae"),
    "tscn": ("tscn",),
}
SWITCH_DEFAULTS: dict[str, Any] = {
    "fusion_input": "centred",
    "self_supervision": SelfSupervision(),
    "ugct": UgctSwitches(),
    "tscn": TscnSwitches(),
}


def select_streams(where: str, roles: Mapping[str, Role], run: Run) -> StreamRoles:
    """The streams of a dataset, given by name with their roles, that a run reads; UserError if it lacks one."""
    chosen = run.cbp_streams
    if chosen is not None and (not chosen or len(set(chosen)) < len(chosen)):
        raise UserError(f"{where}: cbp_streams is {list(chosen)}; name different streams, or remove the key")
    _check_stream_names(where, "cbp_streams", chosen or (), roles)
    _check_stream_names(where, "vlp_stream", [run.vlp_stream] if run.vlp_stream else (), roles)
    names = {role: [name for name, its_role in roles.items() if its_role == role] for role in ROLE_PURPOSES}
    # In the order of the dataset: the order of initialisation, so of the numbers.
    cbp = tuple(name for name in roles if name in (chosen or names["cbp"]))
    names["vlp"] = [run.vlp_stream] if run.vlp_stream else names["vlp"]
    needed: dict[Role, bool] = {"cbp": not cbp, "vlp": run.ccp is not None, "audio": run.caf is not None}
    for role, is_needed in needed.items():
        if is_needed and not names[role]:
            raise UserError(
                f"{where}: needs a stream with role {role} for {ROLE_PURPOSES[role]}, and this dataset has none; "
                "add one to its `streams`, or remove the run"
            )
    vlp, audio = (names[role][0] if needed[role] else None for role in ("vlp", "audio"))
    _check_audio(where, run, {*cbp, vlp}, audio)
    return StreamRoles(cbp, vlp, audio)


def _check_stream_names(where: str, key_name: str, chosen: Iterable[str], roles: Mapping[str, Role]) -> None:
    for name in chosen:
        if name not in roles:
            raise UserError(
                f"{where}: {key_name} names the {name} stream, which this dataset does not have ({', '.join(roles)})"
            )


def _check_audio(where: str, run: Run, other_streams: Collection[str | None], audio: str | None) -> None:
    """Refuse to replace the audio of CAF if the run reads the same stream as another view."""
    if run.caf and run.caf.audio != "own" and audio in other_streams:
        raise UserError(
            f"{where}: caf.audio `{run.caf.audio}` replaces the {audio} stream, which the run also reads as another "
            "view; change cbp_streams or vlp_stream"
        )


def with_defaults(run: Run) -> dict[str, Any]:
    """A run's switches with defaults filled in, so that a spec is complete."""
    own = {name: getattr(run, name) for name in SWITCHES_OF}
    return {
        n: SWITCH_DEFAULTS.get(n) if value is None and run.method in SWITCHES_OF[n] else value
        for n, value in own.items()
    }
