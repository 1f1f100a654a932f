"""From the whole config to the part that one job reads: a function a stage, by the stage's name."""

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace

from clip_ae.core.config.dataclass_config import apply_overrides
from clip_ae.core.config.feature_adapters import FeatureAdapter
from clip_ae.core.config.methods import I3D_STREAMS, Run, UgctSwitches, with_defaults
from clip_ae.core.config.schema import Config, Dataset, Encoders, Runtime
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
    SimulateSpec,
    Spec,
    SummarizeSpec,
    TrainAdapterSpec,
    TrainSpec,
    TuneEncoderSpec,
    WeightsSpec,
)


def build_stage_spec(config: Config, stage: str, wildcards: Mapping[str, str]) -> Spec:
    """The spec of one job of a stage, which the wildcards of its output name."""
    make = globals()[stage]
    names = list(inspect.signature(make).parameters)[1:]
    numbers = {"seed", "round"}
    spec: Spec = make(config, **{n: int(wildcards[n]) if n in numbers else wildcards[n] for n in names})
    return spec


def make_demo(config: Config, dataset: str) -> MakeDemoSpec:
    world = config.datasets[dataset].demo
    assert world is not None
    return MakeDemoSpec(world)


def simulate(config: Config, dataset: str) -> SimulateSpec:
    data = config.datasets[dataset]
    assert data.simulate is not None
    return SimulateSpec(data.simulate, data.grid)


def pretrain(config: Config, name: str) -> PretrainSpec:
    weights, world = config.weights[name], config.pretrain
    schedule = getattr(world, weights.network_kind)
    return PretrainSpec(name, weights, world.seed, world.num_clips, schedule, config.torch_threads)


def weights(config: Config, name: str) -> WeightsSpec:
    return WeightsSpec(name, config.weights[name])


def probe(config: Config, dataset: str) -> ProbeSpec:
    data = config.datasets[dataset]
    return ProbeSpec(data.grid, data.stream_names if data.simulate else data.streams)


def extract(config: Config, dataset: str, stream: str) -> ExtractSpec:
    data = config.datasets[dataset]
    assert data.encoders is not None
    others = {f.name: None for f in fields(Encoders) if f.name != stream}
    return ExtractSpec(replace(data.encoders, **others), data.grid, config.torch_threads)


def import_features(config: Config, dataset: str, stream: str) -> ImportFeaturesSpec:
    data = config.datasets[dataset]
    return ImportFeaturesSpec(stream, data.grid, "simulated" if data.simulate else data.features_description)


def catalog(config: Config, dataset: str) -> CatalogSpec:
    data = config.datasets[dataset]
    return CatalogSpec(data.train_subset, data.test_subset, data.max_failures)


def tune_encoder(config: Config, dataset: str, adapter: str, stream: str) -> TuneEncoderSpec:
    taught_by = vars(train_adapter(config, dataset, adapter))
    training = config.datasets[dataset].adapter_training.for_tuning
    return TuneEncoderSpec(**{**taught_by, "training": training}, extract=extract(config, dataset, stream))


def train_adapter(config: Config, dataset: str, adapter: str) -> TrainAdapterSpec:
    data, recipe = config.datasets[dataset], config.feature_adapters[adapter]
    settings, clips = (
        config.runs[recipe.run],
        config.datasets[recipe.trimmed_dataset] if recipe.trimmed_dataset else None,
    )
    return TrainAdapterSpec(
        recipe,
        data.adapter_training.without_tuning,
        settings.method,
        _base(settings),
        tuple(dict.fromkeys([*settings.streams, *(() if recipe.uses_class_names else ("clip",))])),
        trimmed_subset=clips.train_subset if clips else TrainAdapterSpec.trimmed_subset,
        torch_threads=config.torch_threads,
    )


def adapt_features(config: Config, dataset: str, adapter: str, stream: str) -> AdaptFeaturesSpec:
    return AdaptFeaturesSpec(stream, config.torch_threads)


def score_fewshot(config: Config, dataset: str) -> ScoreFewshotSpec:
    data = config.datasets[dataset]
    assert data.fewshot is not None
    return ScoreFewshotSpec(
        localization=data.localization,
        torch_threads=config.torch_threads,
        dataset=dataset,
        fewshot=data.fewshot,
        feature_adapters={name: config.feature_adapters[name] for name in data.fewshot.feature_adapters},
        evaluation=data.evaluation,
        grid=data.grid,
        train_subset=data.train_subset,
        test_subset=data.test_subset,
        simulated=data.simulate is not None,
    )


def cluster(config: Config, dataset: str, run: str, seed: int, round: int) -> ClusterSpec:
    data, settings = _pair(config, dataset, run)
    later = {"raw": "attention", "fused": "fused"}[settings.descriptor]
    return ClusterSpec(
        classes=data.classes,
        supervision=settings.supervision,
        clustering=settings.clustering,
        descriptor=later if round else "mean",  # type: ignore[arg-type]
        method=settings.method if round else None,
        base_head=_base(settings) if round else None,
        train_subset=data.train_subset,
        # Told labels are the same whatever the seed.
        seed=seed if settings.supervision == "unsupervised" else 0,
        torch_threads=config.torch_threads,
    )


def train(config: Config, dataset: str, run: str, seed: int) -> TrainSpec:
    data, settings = _pair(config, dataset, run)
    return TrainSpec(
        **with_defaults(settings),
        method=settings.method,
        streams=settings.streams,
        classes=data.classes,
        supervision=settings.supervision,
        losses=settings.losses,
        training=apply_overrides(data.training, settings.training),
        train_subset=data.train_subset,
        grid=data.grid if settings.supervision == "full" else None,
        seed=seed,
        torch_threads=config.torch_threads,
    )


def localize(config: Config, dataset: str, run: str) -> LocalizeSpec:
    data, settings = _pair(config, dataset, run)
    return LocalizeSpec(
        method=settings.method,
        base_head=_base(settings),
        streams=settings.streams,
        localization=apply_overrides(data.localization, settings.localization),
        grid=data.grid,
        test_subset=data.test_subset,
        torch_threads=config.torch_threads,
    )


def name_clusters(config: Config, dataset: str) -> NameClustersSpec:
    return NameClustersSpec(torch_threads=config.torch_threads)


def index(config: Config, dataset: str, space: str) -> IndexSpec:
    return IndexSpec(("clip",) if space == CLIP_SPACE else I3D_STREAMS, config.datasets[dataset].grid)


def find_moments(config: Config, dataset: str) -> FindMomentsSpec:
    return FindMomentsSpec(torch_threads=config.torch_threads)


def score_grounding(config: Config, dataset: str) -> ScoreGroundingSpec:
    data = config.datasets[dataset]
    named = [v for v in data.search_spaces if v != CLIP_SPACE and config.feature_adapters[v].uses_class_names]
    return ScoreGroundingSpec(
        dataset, data.search_spaces, tuple(named), test_subset=data.test_subset, torch_threads=config.torch_threads
    )


def evaluate(config: Config, dataset: str, run: str) -> EvaluateSpec:
    data, settings = _pair(config, dataset, run)
    return EvaluateSpec(data.evaluation, settings.supervision, data.train_subset, data.test_subset)


def diagnose(config: Config, dataset: str) -> DiagnoseSpec:
    data = config.datasets[dataset]
    return DiagnoseSpec(data.evaluation.tiou, data.evaluation.video_list, data.test_subset)


def summarize(config: Config, dataset: str, summary: str) -> SummarizeSpec:
    data = config.datasets[dataset]
    headline = SummarizeSpec(dataset, data.main_run, data.seeds, feature_adapters=_taught(config, [data.main_run]))
    if summary in ("map.json", "detections.json"):
        return headline
    return replace(
        headline,
        runs={name: config.runs[name] for name in data.runs},
        published=data.published,
        simulated=data.simulate is not None,
        feature_adapters=_taught(config, data.runs),
    )


def report(config: Config, dataset: str) -> ReportSpec:
    data = config.datasets[dataset]
    settings = config.runs[data.main_run]
    return ReportSpec(
        dataset,
        data.main_run,
        data.seeds,
        count_rounds(config, dataset, data.main_run),
        data.stream_names,
        settings.method,
        settings.supervision,
        next(iter(_taught(config, [data.main_run]).values()), None),
        data.published,
        data.grid,
    )


def freeze(config: Config, dataset: str) -> FreezeSpec:
    datasets = {name: _headline_alone(config.datasets[name]) for name in _rests_on(config, dataset)}
    encoders = [getattr(d.encoders, stream) for d in datasets.values() if d.encoders for stream in d.stream_names]
    networks = sorted({name for encoder in encoders for name in encoder.weights_names})
    headlines = [data.main_run for data in datasets.values()]
    taught = _taught(config, headlines)
    kept = replace(
        config,
        datasets=datasets,
        runs={name: config.runs[name] for name in [*headlines, *(recipe.run for recipe in taught.values())]},
        feature_adapters=taught,
        weights={name: config.weights[name] for name in networks},
        runtime=Runtime(),
    )
    return FreezeSpec(dataset, kept)


def _rests_on(config: Config, dataset: str) -> list[str]:
    """The dataset, and those of trimmed clips that taught its headline's features, and so on."""
    names = [dataset]
    for name in names:
        recipes = _taught(config, [config.datasets[name].main_run]).values()
        names += [
            recipe.trimmed_dataset
            for recipe in recipes
            if recipe.trimmed_dataset and recipe.trimmed_dataset not in names
        ]
    return names


def _headline_alone(data: Dataset) -> Dataset:
    """Names of clusters stand in detections; what only searches does not."""
    words = None if data.is_annotated else data.vocabulary
    return replace(
        data, runs=(data.main_run,), sentences=None, vocabulary=words, search_spaces=Dataset.search_spaces, fewshot=None
    )


def count_rounds(config: Config, dataset: str, run: str) -> int:
    """Told labels do not change from round to round."""
    return config.datasets[dataset].rounds if config.runs[run].supervision == "unsupervised" else 1


def _taught(config: Config, runs: Iterable[str]) -> dict[str, FeatureAdapter]:
    names = (config.runs[run].feature_adapter for run in runs)
    return {name: config.feature_adapters[name] for name in names if name is not None}


def _pair(config: Config, dataset: str, run: str) -> tuple[Dataset, Run]:
    return config.datasets[dataset], config.runs[run]


def _base(run: Run) -> str | None:
    switches: UgctSwitches | None = with_defaults(run)["ugct"]
    return switches.base_head if switches else None
