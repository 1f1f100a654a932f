"""Cut the whole config to the spec of one job: one function a stage, in the order of the workflow."""

from collections.abc import Iterable
from dataclasses import replace

from clip_ae.core import paths
from clip_ae.core.config.dataclass_config import apply_overrides, merge_overrides
from clip_ae.core.config.feature_adapters import FeatureAdapter
from clip_ae.core.config.methods import Run, UgctSwitches, select_streams, with_defaults
from clip_ae.core.config.schema import Config, Dataset, Runtime
from clip_ae.core.config.specs import (
    CLIP_SPACE,
    AdaptFeaturesSpec,
    CatalogSpec,
    ClusterSpec,
    DiagnoseSpec,
    EvaluateSpec,
    ExtractSpec,
    FindMomentsSpec,
    FreezeSpec,
    ImportFeaturesSpec,
    IndexSpec,
    LocalizeSpec,
    MakeDemoSpec,
    NameClustersSpec,
    PretrainSpec,
    ProbeSpec,
    ReportSpec,
    ScoreFewshotSpec,
    ScoreGroundingSpec,
    ScorePerfectCurvesSpec,
    SimulateSpec,
    SummarizeSpec,
    TrainAdapterSpec,
    TrainSpec,
    TuneEncoderSpec,
    WeightsSpec,
)
from clip_ae.core.config.stage_registry import stage
from clip_ae.core.config.streams import StreamRoles
from clip_ae.core.config.training import RunOverrides
from clip_ae.core.errors import UserError


@stage(paths.WORLD_MANIFEST)
def make_demo(config: Config, dataset: str) -> MakeDemoSpec:
    world = config.datasets[dataset].demo
    if world is None:
        raise UserError(f"datasets.{dataset}: is not the generated demo")
    return MakeDemoSpec(world)


@stage()
def simulate(config: Config, dataset: str) -> SimulateSpec:
    data = config.datasets[dataset]
    if data.simulate is None:
        raise UserError(f"datasets.{dataset}: is not a simulated dataset")
    return SimulateSpec(data.simulate, data.grid)


@stage(paths.PRETRAINED)
def pretrain(config: Config, name: str) -> PretrainSpec:
    weights, world = config.weights[name], config.pretrain
    schedule = world.schedule_of(weights.network_kind)
    return PretrainSpec(name, weights, world.seed, world.num_clips, schedule, config.torch_threads)


@stage(paths.WEIGHTS)
def weights(config: Config, name: str) -> WeightsSpec:
    return WeightsSpec(name, config.weights[name])


@stage(paths.PROBE, paths.SHARD_FAILURES.replace("{stage}", "probe"))
def probe(config: Config, dataset: str) -> ProbeSpec:
    data = config.datasets[dataset]
    return ProbeSpec(data.grid, None if data.encoders else data.stream_names, data.layout)


@stage(paths.FEATURES, paths.SHARD_FAILURES.replace("{stage}", "{stream}"), paths.TUNED_FEATURES, paths.TUNED_FAILURES)
def extract(config: Config, dataset: str, stream: str) -> ExtractSpec:
    data = config.datasets[dataset]
    if stream not in data.encoders:
        raise UserError(f"datasets.{dataset}.streams: no encoder for a stream called {stream}")
    return ExtractSpec(stream, data.encoders[stream], data.grid, config.torch_threads)


@stage()
def import_features(config: Config, dataset: str, stream: str) -> ImportFeaturesSpec:
    data = config.datasets[dataset]
    description = "simulated" if data.simulate else data.features_description
    return ImportFeaturesSpec(
        stream,
        data.grid,
        description,
        with_loudness=data.roles[stream] == "audio",
        streams=data.stream_names,
        layout=data.layout,
    )


@stage(paths.VIDEOS, paths.FAILURES)
def catalog(config: Config, dataset: str) -> CatalogSpec:
    data = config.datasets[dataset]
    return CatalogSpec(data.train_subset, data.test_subset, data.max_failures)


@stage(paths.TUNED_WEIGHTS)
def tune_encoder(config: Config, dataset: str, adapter: str, stream: str) -> TuneEncoderSpec:
    base = train_adapter(config, dataset, adapter)
    return TuneEncoderSpec(
        base.feature_adapter,
        base.roles,
        config.datasets[dataset].adapter_training.for_tuning,
        base.method,
        base.base_head,
        trimmed_subset=base.trimmed_subset,
        torch_threads=base.torch_threads,
        extract=extract(config, dataset, stream),
    )


@stage(paths.ADAPTER_MODEL)
def train_adapter(config: Config, dataset: str, adapter: str) -> TrainAdapterSpec:
    settings = config.feature_adapters[adapter]
    run = config.runs[settings.run]
    trimmed = config.datasets[settings.trimmed_dataset] if settings.trimmed_dataset else None
    return TrainAdapterSpec(
        settings,
        adapter_streams(config, dataset, adapter),
        config.datasets[dataset].adapter_training.without_tuning,
        run.method,
        _base_head(run),
        trimmed_subset=trimmed.train_subset if trimmed else TrainAdapterSpec.trimmed_subset,
        torch_threads=config.torch_threads,
    )


def adapter_streams(config: Config, dataset: str, adapter: str) -> StreamRoles:
    """The streams of the adapter's run, and the vlp stream where actions are aligned to CLIP images."""
    settings = config.feature_adapters[adapter]
    roles = run_streams(config, dataset, settings.run)
    return roles if settings.uses_class_names else replace(roles, vlp=config.datasets[dataset].vlp_stream)


def run_streams(config: Config, dataset: str, run: str) -> StreamRoles:
    """The streams of the dataset that a run reads."""
    return select_streams(f"datasets.{dataset}.runs: {run}", config.datasets[dataset].roles, config.runs[run])


@stage(paths.ADAPTED_FEATURES)
def adapt_features(config: Config, dataset: str, adapter: str, stream: str) -> AdaptFeaturesSpec:
    return AdaptFeaturesSpec(stream, config.torch_threads)


@stage(paths.FEWSHOT, paths.FEWSHOT_TABLE)
def score_fewshot(config: Config, dataset: str) -> ScoreFewshotSpec:
    data = config.datasets[dataset]
    if data.fewshot is None:
        raise UserError(f"datasets.{dataset}: has no few-shot episodes")
    return ScoreFewshotSpec(
        localization=data.localization,
        torch_threads=config.torch_threads,
        dataset=dataset,
        fewshot=data.fewshot,
        streams=adapter_streams(config, dataset, data.fewshot.feature_adapters[0]).cbp,
        feature_adapters={name: config.feature_adapters[name] for name in data.fewshot.feature_adapters},
        evaluation=data.evaluation,
        grid=data.grid,
        train_subset=data.train_subset,
        test_subset=data.test_subset,
        simulated=data.simulate is not None,
    )


@stage(paths.LABELS)
def cluster(config: Config, dataset: str, run: str, seed: int, round: int) -> ClusterSpec:
    data, settings = _dataset_and_run(config, dataset, run)
    later = {"raw": "attention", "fused": "fused"}[settings.descriptor]
    return ClusterSpec(
        classes=settings.clusters or data.classes,
        supervision=settings.supervision,
        streams=run_streams(config, dataset, run).cbp,
        clustering=settings.clustering,
        cluster_refinement=settings.cluster_refinement,
        confident_share=settings.get_confident_share(round),
        descriptor=later if round else "mean",  # type: ignore[arg-type]
        descriptor_weights=settings.descriptor_weights if round else None,
        method=settings.method if round else None,
        base_head=_base_head(settings) if round else None,
        train_subset=data.train_subset,
        # Supervision labels do not depend on the seed.
        seed=seed if settings.supervision == "unsupervised" else 0,
        torch_threads=config.torch_threads,
    )


@stage(paths.MODEL)
def train(config: Config, dataset: str, run: str, seed: int) -> TrainSpec:
    data, settings = _dataset_and_run(config, dataset, run)
    return TrainSpec(
        **with_defaults(settings),
        method=settings.method,
        roles=run_streams(config, dataset, run),
        classes=settings.clusters or data.classes,
        supervision=settings.supervision,
        losses=settings.losses,
        training=apply_overrides(data.training, settings.training),
        train_subset=data.train_subset,
        grid=data.grid if settings.supervision == "full" else None,
        seed=seed,
        torch_threads=config.torch_threads,
    )


@stage(paths.DETECTIONS, paths.OTHER_CURVE_DETECTIONS, paths.CURVES)
def localize(config: Config, dataset: str, run: str) -> LocalizeSpec:
    data, settings = _dataset_and_run(config, dataset, run)
    return LocalizeSpec(
        method=settings.method,
        base_head=_base_head(settings),
        roles=run_streams(config, dataset, run),
        localization=apply_overrides(data.localization, settings.localization),
        grid=data.grid,
        test_subset=data.test_subset,
        torch_threads=config.torch_threads,
    )


@stage(paths.CLUSTER_NAMES)
def name_clusters(config: Config, dataset: str) -> NameClustersSpec:
    return NameClustersSpec(_vlp_stream(config, dataset), torch_threads=config.torch_threads)


@stage(paths.INDEX)
def index(config: Config, dataset: str, space: str) -> IndexSpec:
    adapted = () if space == CLIP_SPACE else adapter_streams(config, dataset, space).cbp
    return IndexSpec(_vlp_stream(config, dataset), adapted, config.datasets[dataset].grid)


@stage(paths.MOMENTS)
def find_moments(config: Config, dataset: str) -> FindMomentsSpec:
    return FindMomentsSpec(torch_threads=config.torch_threads)


@stage(paths.GROUNDING, paths.GROUNDING_TABLE)
def score_grounding(config: Config, dataset: str) -> ScoreGroundingSpec:
    data = config.datasets[dataset]
    named = [v for v in data.search_spaces if v != CLIP_SPACE and config.feature_adapters[v].uses_class_names]
    return ScoreGroundingSpec(
        dataset, data.search_spaces, tuple(named), test_subset=data.test_subset, torch_threads=config.torch_threads
    )


@stage(paths.MAP)
def evaluate(config: Config, dataset: str, run: str) -> EvaluateSpec:
    data, settings = _dataset_and_run(config, dataset, run)
    return EvaluateSpec(data.evaluation, settings.supervision, data.train_subset, data.test_subset)


@stage(paths.PERFECT_CURVES_MAP)
def score_perfect_curves(config: Config, dataset: str) -> ScorePerfectCurvesSpec:
    data = config.datasets[dataset]
    return ScorePerfectCurvesSpec(data.localization, data.evaluation, data.grid, data.test_subset)


@stage(paths.DIAGNOSIS)
def diagnose(config: Config, dataset: str) -> DiagnoseSpec:
    data = config.datasets[dataset]
    return DiagnoseSpec(data.evaluation.tiou, data.evaluation.video_list, data.test_subset)


@stage(paths.SUMMARY)
def summarize(config: Config, dataset: str, summary: str) -> SummarizeSpec:
    data = config.datasets[dataset]
    adapters = _adapters_of(config, [data.main_run])
    spec = SummarizeSpec(dataset, data.main_run, data.seeds, feature_adapters=adapters, test_subset=data.test_subset)
    if summary in ("map.json", "detections.json"):
        return spec
    return replace(
        spec,
        runs={name: run_in_dataset(config, dataset, name) for name in data.runs},
        published=data.published,
        simulated=data.simulate is not None,
        feature_adapters=_adapters_of(config, data.runs),
    )


@stage(paths.REPORT)
def report(config: Config, dataset: str) -> ReportSpec:
    data = config.datasets[dataset]
    settings = config.runs[data.main_run]
    return ReportSpec(
        dataset,
        data.main_run,
        data.seeds,
        count_rounds(config, dataset, data.main_run),
        run_streams(config, dataset, data.main_run).names,
        settings.method,
        settings.supervision,
        next(iter(_adapters_of(config, [data.main_run]).values()), None),
        data.published,
        data.grid,
    )


@stage(paths.REPRO)
def freeze(config: Config, dataset: str) -> FreezeSpec:
    datasets = {name: _only_main_run(config.datasets[name]) for name in _required_datasets(config, dataset)}
    encoders = [encoder for data in datasets.values() for encoder in data.encoders.values()]
    networks = sorted({name for encoder in encoders for name in encoder.weights_names})
    main_runs = [data.main_run for data in datasets.values()]
    adapters = _adapters_of(config, main_runs)
    frozen = replace(
        config,
        datasets=datasets,
        runs={name: config.runs[name] for name in [*main_runs, *(adapter.run for adapter in adapters.values())]},
        feature_adapters=adapters,
        weights={name: config.weights[name] for name in networks},
        runtime=Runtime(),
    )
    return FreezeSpec(dataset, frozen)


def _required_datasets(config: Config, dataset: str) -> list[str]:
    """The dataset, and the trimmed datasets that its main run's feature adapter was trained on, recursively."""
    names = [dataset]
    for name in names:
        adapters = _adapters_of(config, [config.datasets[name].main_run]).values()
        names += [a.trimmed_dataset for a in adapters if a.trimmed_dataset and a.trimmed_dataset not in names]
    return names


def _only_main_run(data: Dataset) -> Dataset:
    """A dataset with its main run only, without search and few-shot episodes."""
    return replace(
        data,
        runs=(data.main_run,),
        run_overrides={name: keys for name, keys in data.run_overrides.items() if name == data.main_run},
        sentences=None,
        # Without annotations, the vocabulary also names the clusters.
        vocabulary=None if data.is_annotated else data.vocabulary,
        search_spaces=Dataset.search_spaces,
        fewshot=None,
    )


def count_rounds(config: Config, dataset: str, run: str) -> int:
    """Number of rounds of a run: 1 for supervised runs, whose labels do not change."""
    return config.datasets[dataset].rounds if config.runs[run].supervision == "unsupervised" else 1


def _adapters_of(config: Config, runs: Iterable[str]) -> dict[str, FeatureAdapter]:
    """The feature adapters whose output the runs read, by name."""
    names = (config.runs[run].feature_adapter for run in runs)
    return {name: config.feature_adapters[name] for name in names if name is not None}


def run_in_dataset(config: Config, dataset: str, run: str) -> Run:
    """A run with what differs in one dataset."""
    settings = config.runs[run]
    overrides = config.datasets[dataset].run_overrides.get(run, RunOverrides())
    return replace(
        settings,
        training=merge_overrides(settings.training, overrides.training),
        localization=merge_overrides(settings.localization, overrides.localization),
    )


def _dataset_and_run(config: Config, dataset: str, run: str) -> tuple[Dataset, Run]:
    return config.datasets[dataset], run_in_dataset(config, dataset, run)


def _vlp_stream(config: Config, dataset: str) -> str:
    stream = config.datasets[dataset].vlp_stream
    if stream is None:
        raise UserError(
            f"datasets.{dataset}: text needs a stream with role vlp, extracted by CLIP, and this dataset has none; "
            "add one to its `streams`"
        )
    return stream


def _base_head(run: Run) -> str | None:
    switches: UgctSwitches | None = with_defaults(run)["ugct"]
    return switches.base_head if switches else None
