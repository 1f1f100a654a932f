"""A stage's spec: the part of the config that the stage may read, and nothing else.

Snakemake compares specs as canonical JSON, so what is not in a spec cannot make its stage run
again, and what is in it always does. `modules` names the lazily loaded code a spec calls for.
"""

from dataclasses import dataclass
from typing import Literal

from clip_ae.core.config.dataclass_config import key
from clip_ae.core.config.feature_adapters import AdapterTraining, FeatureAdapter, FewShotEvaluation
from clip_ae.core.config.methods import (
    SWITCHES_OF,
    Clustering,
    ClusterRefinement,
    DescriptorWeights,
    MethodName,
    Run,
    Supervision,
    Switches,
)
from clip_ae.core.config.registry import (
    CLUSTER_REFINEMENTS,
    CLUSTERINGS,
    DESCRIPTORS,
    ENCODERS,
    FLOW_ALGORITHMS,
    FRONT_END_MODULE,
    METHODS,
    NETWORKS,
    PRETRAINERS,
    get_head_module,
)
from clip_ae.core.config.schema import (
    Config,
    DemoWorld,
    Evaluation,
    LayoutName,
    NumClasses,
    Pretraining,
    PretrainSchedule,
    Weights,
)
from clip_ae.core.config.simulation import SimulatedWorld
from clip_ae.core.config.streams import I3dFlowEncoder, StreamEncoder, StreamRoles
from clip_ae.core.config.training import Localization, Training
from clip_ae.core.timeline import SnippetGrid

# The search space of CLIP's own images.
CLIP_SPACE = "clip"
# Prompts for the text tower; a name replaces {}.
PROMPT_TEMPLATES = ("a video of a person {}", "a photo of a person {}", "someone is {}", "{}")


@dataclass(frozen=True)
class Spec:
    """Base of all specs."""

    @property
    def modules(self) -> tuple[str, ...]:
        return ()


@dataclass(frozen=True)
class MakeDemoSpec(Spec):
    world: DemoWorld = key(DemoWorld(), "settings of the generated dataset")


@dataclass(frozen=True)
class SimulateSpec(Spec):
    world: SimulatedWorld = key(SimulatedWorld(), "settings of the generated dataset")
    grid: SnippetGrid = key(SnippetGrid(), "the snippet grid")


@dataclass(frozen=True)
class PretrainSpec(Spec):
    name: str = key(doc="name of the network")
    weights: Weights = key(doc="the network and its geometry")
    seed: int = key(1, "seed of the generated clips", minimum=0)
    num_clips: int = key(Pretraining.num_clips, "trimmed clips generated", minimum=12)
    schedule: PretrainSchedule = key(PretrainSchedule(), "training schedule")
    torch_threads: int = key(2, "CPU threads of torch", minimum=1)

    @property
    def modules(self) -> tuple[str, ...]:
        network = self.weights.network_kind
        # The flow network is trained on the flow that the demo extracts.
        flow = (FLOW_ALGORITHMS["dis"],) if self.weights.i3d and self.weights.i3d.channels == 2 else ()
        return (NETWORKS[network], PRETRAINERS[network], *flow)


@dataclass(frozen=True)
class WeightsSpec(Spec):
    name: str = key(doc="name of the network")
    weights: Weights = key(doc="the network and where its weights come from")

    @property
    def modules(self) -> tuple[str, ...]:
        return (NETWORKS[self.weights.network_kind],)


@dataclass(frozen=True)
class ProbeSpec(Spec):
    grid: SnippetGrid = key(SnippetGrid(), "the snippet grid")
    streams: tuple[str, ...] | None = key(None, "streams of precomputed features; absent for videos")
    layout: LayoutName | None = key(None, "layout of precomputed features; absent: the one that fits")


@dataclass(frozen=True)
class ExtractSpec(Spec):
    stream: str = key(doc="the one stream to extract")
    encoder: StreamEncoder = key(doc="its encoder")
    grid: SnippetGrid = key(SnippetGrid(), "the snippet grid")
    torch_threads: int = key(2, "CPU threads of torch", minimum=1)

    @property
    def modules(self) -> tuple[str, ...]:
        encoder = self.encoder
        flow = (FLOW_ALGORITHMS[encoder.algorithm],) if isinstance(encoder, I3dFlowEncoder) else ()
        return (ENCODERS[encoder.encoder], *flow)


@dataclass(frozen=True)
class ImportFeaturesSpec(Spec):
    stream: str = key(doc="the one stream to import")
    grid: SnippetGrid = key(SnippetGrid(), "the grid that the features were made on")
    features_description: str | None = key(None, "where the features come from")
    streams: tuple[str, ...] = key((), "all streams of the dataset, if one array has the columns of several")
    layout: LayoutName | None = key(None, "layout of the files; absent: the one that fits")
    with_loudness: bool = key(False, "write the loudness of each row, if the source has it")


@dataclass(frozen=True)
class CatalogSpec(Spec):
    train_subset: str = key("training", "name of the training subset")
    test_subset: str = key("validation", "name of the test subset")
    max_failures: float = key(1.0, "share of videos that may fail or be missing", minimum=0, maximum=1)


@dataclass(frozen=True)
class TrainAdapterSpec(Spec):
    feature_adapter: FeatureAdapter = key(doc="the feature adapter")
    roles: StreamRoles = key(doc="streams to read: the run's, and the vlp stream where actions are aligned to images")
    training: AdapterTraining = key(AdapterTraining(), "training of the adapter network")
    method: MethodName = key("ugct", "localizer of the run that separates actions from background")
    base_head: str | None = key(None, "head inside the localizer, where it is not its own")
    templates: tuple[str, ...] = key(
        PROMPT_TEMPLATES, "texts whose embeddings are averaged, with a class name in place of {}"
    )
    trimmed_subset: str = key("training", "subset of the trimmed clips to train on")
    torch_threads: int = key(2, "CPU threads of torch", minimum=1)

    @property
    def modules(self) -> tuple[str, ...]:
        return _method_modules(self.method, self.base_head)


@dataclass(frozen=True, kw_only=True)
class TuneEncoderSpec(TrainAdapterSpec):
    extract: ExtractSpec = key(doc="extraction of the stream whose network is fine-tuned")

    @property
    def modules(self) -> tuple[str, ...]:
        return (*super().modules, *self.extract.modules, NETWORKS["i3d"])


@dataclass(frozen=True)
class AdaptFeaturesSpec(Spec):
    stream: str = key(doc="the one stream to adapt")
    torch_threads: int = key(2, "CPU threads of torch", minimum=1)


@dataclass(frozen=True)
class FewshotSpec(Spec):
    localization: Localization = key(Localization(), "from attention and class activations to segments")
    torch_threads: int = key(2, "CPU threads of torch", minimum=1)


@dataclass(frozen=True, kw_only=True)
class ScoreFewshotSpec(FewshotSpec):
    dataset: str = key(doc="name of the dataset")
    fewshot: FewShotEvaluation = key(doc="the episodes")
    streams: tuple[str, ...] = key(doc="streams to read, all with role cbp")
    feature_adapters: dict[str, FeatureAdapter] = key(doc="feature adapters of the models, by name")
    evaluation: Evaluation = key(Evaluation(), "scoring")
    grid: SnippetGrid = key(SnippetGrid(), "the snippet grid")
    train_subset: str = key("training", "subset that support examples are drawn from")
    test_subset: str = key("validation", "subset to localize and to score")
    simulated: bool = key(False, "whether the features are simulated: the table says so")


@dataclass(frozen=True)
class ClusterSpec(Spec):
    classes: NumClasses = key(doc="number of clusters, or auto", minimum=2)
    streams: tuple[str, ...] = key(doc="streams of the descriptor")
    supervision: Supervision = key("unsupervised", "labels: clusters, or classes of the annotations")
    clustering: Clustering = key("spectral", "algorithm")
    cluster_refinement: ClusterRefinement = key(
        "none", "distances by which videos then move to the nearest centre; none: they stay"
    )
    confident_share: float = key(
        1.0, "share of each cluster's videos, those nearest to its centre, that get labels", above=0, maximum=1
    )
    descriptor: Literal["mean", "attention", "fused"] = key(
        "mean", "descriptor: `mean` in round 0, `attention` or `fused` later"
    )
    descriptor_weights: DescriptorWeights | None = key(None, "weights of the snippets in later rounds")
    method: MethodName | None = key(None, "localizer whose attention pools the descriptor")
    base_head: str | None = key(None, "head inside the localizer, where it is not its own")
    train_subset: str = key("training", "subset to cluster")
    seed: int = key(0, "seed of the clustering")
    torch_threads: int = key(2, "CPU threads of torch", minimum=1)

    @property
    def modules(self) -> tuple[str, ...]:
        localizer = _method_modules(self.method, self.base_head) if self.method else ()
        refinement = () if self.cluster_refinement == "none" else (CLUSTER_REFINEMENTS[self.cluster_refinement],)
        return (CLUSTERINGS[self.clustering], *refinement, DESCRIPTORS[self.descriptor], *localizer)


@dataclass(frozen=True, kw_only=True)
class TrainSpec(Switches, Spec):
    method: MethodName = key(doc="localizer")
    roles: StreamRoles = key(doc="streams to read")
    classes: NumClasses = key(
        doc="number of clusters, which are the classes to learn; auto: those there are", minimum=2
    )
    supervision: Supervision = key("unsupervised", "kind of labels")
    losses: dict[str, float] = key({}, "weight of each loss")
    training: Training = key(Training(), "training")
    train_subset: str = key("training", "subset to train on")
    grid: SnippetGrid | None = key(None, "the snippet grid, for labels with extents")
    seed: int = key(0, "seed of initialisation and sampling")
    torch_threads: int = key(2, "CPU threads of torch", minimum=1)

    @property
    def modules(self) -> tuple[str, ...]:
        return _method_modules(self.method, self.ugct.base_head if self.ugct else None)


@dataclass(frozen=True)
class LocalizeSpec(Spec):
    method: MethodName = key(doc="localizer")
    roles: StreamRoles = key(doc="streams to read")
    base_head: str | None = key(None, "head inside the localizer, where it is not its own")
    localization: Localization = key(Localization(), "from attention and class activations to segments")
    grid: SnippetGrid = key(SnippetGrid(), "the snippet grid")
    test_subset: str = key("validation", "subset to localize; without annotations all videos")
    torch_threads: int = key(2, "CPU threads of torch", minimum=1)

    @property
    def modules(self) -> tuple[str, ...]:
        return _method_modules(self.method, self.base_head)


def _method_modules(method: str, base: str | None) -> tuple[str, ...]:
    entry = METHODS[method]
    front_end = (FRONT_END_MODULE,) if method in SWITCHES_OF["caf"] else ()
    return (entry.learner_module, get_head_module(base or entry.head), *front_end)


@dataclass(frozen=True)
class NameClustersSpec(Spec):
    vlp_stream: str = key(doc="stream of CLIP's image features")
    templates: tuple[str, ...] = key(
        PROMPT_TEMPLATES, "texts whose embeddings are averaged, with a name in place of {}"
    )
    top_k: int = key(3, "names a cluster", minimum=1)
    torch_threads: int = key(2, "CPU threads of torch", minimum=1)


@dataclass(frozen=True)
class IndexSpec(Spec):
    vlp_stream: str = key(doc="stream of CLIP's image features")
    cbp_streams: tuple[str, ...] = key((), "for an adapter's joint space: the streams that it adapts")
    grid: SnippetGrid = key(SnippetGrid(), "the snippet grid")


@dataclass(frozen=True)
class FindMomentsSpec(Spec):
    templates: tuple[str, ...] = key(
        PROMPT_TEMPLATES, "texts whose embeddings are averaged, with a word in place of {}"
    )
    top_k: int = key(100, "moments a word", minimum=1)
    torch_threads: int = key(2, "CPU threads of torch", minimum=1)


@dataclass(frozen=True)
class ScoreGroundingSpec(Spec):
    dataset: str = key(doc="name of the dataset")
    search_spaces: tuple[str, ...] = key(("clip",), "search spaces, a table row each")
    class_name_spaces: tuple[str, ...] = key((), "search spaces whose adapter was trained with class names")
    templates: tuple[str, ...] = key(
        PROMPT_TEMPLATES, "texts whose embeddings are averaged, with a class name in place of {}"
    )
    test_subset: str = key("validation", "subset whose sentences are the queries")
    torch_threads: int = key(2, "CPU threads of torch", minimum=1)


@dataclass(frozen=True)
class EvaluateSpec(Spec):
    evaluation: Evaluation = key(Evaluation(), "scoring")
    supervision: Supervision = key("unsupervised", "kind of labels: clusters need class names")
    train_subset: str = key("training", "subset whose labels map clusters to classes")
    test_subset: str = key("validation", "subset to score", flag="--subset")


@dataclass(frozen=True)
class ScorePerfectCurvesSpec(Spec):
    localization: Localization = key(Localization(), "from attention and class activations to segments")
    evaluation: Evaluation = key(Evaluation(), "scoring")
    grid: SnippetGrid = key(SnippetGrid(), "the snippet grid")
    test_subset: str = key("validation", "subset to score")


@dataclass(frozen=True)
class DiagnoseSpec(Spec):
    tiou: tuple[float, ...] = key(Evaluation().tiou, "temporal IoU thresholds", above=0, maximum=1, flag="--tiou")
    video_list: str | None = key(None, "a list of THUMOS14's test videos, as for evaluate", flag="--video-list")
    test_subset: str = key("validation", "subset to diagnose", flag="--subset")


@dataclass(frozen=True)
class SummarizeSpec(Spec):
    dataset: str = key(doc="name of the dataset")
    main_run: str = key(doc="the main run")
    seeds: tuple[int, ...] = key(doc="seeds of every run")
    runs: dict[str, Run] = key({}, "runs of the table; none for a summary of the main run")
    published: Literal["thumos14", "activitynet12"] | None = key(None, "published results to show")
    simulated: bool = key(False, "whether the features are simulated: every row says so")
    feature_adapters: dict[str, FeatureAdapter] = key({}, "feature adapters of these runs, by name")
    test_subset: str = key("validation", "subset whose videos detections.json lists; without annotations all videos")


@dataclass(frozen=True)
class ReportSpec(Spec):
    dataset: str = key(doc="name of the dataset")
    main_run: str = key(doc="the main run")
    seeds: tuple[int, ...] = key(doc="its seeds")
    rounds: int = key(doc="number of rounds to show", minimum=1)
    streams: tuple[str, ...] = key(doc="the streams that the main run reads")
    method: MethodName = key(doc="the main run's localizer")
    supervision: Supervision = key("unsupervised", "kind of labels of the main run")
    feature_adapter: FeatureAdapter | None = key(None, "the main run's feature adapter")
    published: Literal["thumos14", "activitynet12"] | None = key(None, "published results to show")
    grid: SnippetGrid = key(SnippetGrid(), "the snippet grid")


@dataclass(frozen=True)
class FreezeSpec(Spec):
    dataset: str = key(doc="name of the dataset")
    config: Config = key(doc="the part of the config that the main run depends on")
