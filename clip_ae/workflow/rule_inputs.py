"""Inputs of rules: the paths that a job reads, from its wildcards."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from clip_ae.core import paths
from clip_ae.core.config.checks import check_feature_adapter, check_search_space
from clip_ae.core.config.schema import PRETRAIN, Config, Dataset
from clip_ae.core.config.specs import CLIP_SPACE
from clip_ae.core.config.stage_specs import adapter_streams, count_rounds, run_streams
from clip_ae.core.config.stream_checks import has_text_tower
from clip_ae.core.config.streams import StreamRoles
from clip_ae.core.errors import UserError
from clip_ae.core.sharding import list_shard_names
from clip_ae.data.sentences import read_sentences
from clip_ae.workflow.dataset_files import DatasetFiles

Wildcards = Mapping[str, str]
Paths = list[str]


class RuleInputs:
    """Functions of a job's wildcards, for `input`."""

    def __init__(self, config: Config, datasets: Mapping[str, DatasetFiles]) -> None:
        self.config, self.datasets = config, datasets

    # --- source files and annotations ---

    def source_files(self, wildcards: Wildcards) -> Paths:
        """The manifest of a generated dataset. Every dataset is checked here, before any job starts."""
        dataset = self.datasets[wildcards["dataset"]]
        dataset.check()
        return [paths.WORLD_MANIFEST.format(**wildcards)] if dataset.data.world else []

    def annotations(self, wildcards: Wildcards) -> Paths:
        """The annotations of a generated dataset. Others are not rule inputs: a param has their digest."""
        return [paths.WORLD_ANNOTATIONS.format(**wildcards)] if self._data(wildcards).world else []

    def supervision_annotations(self, wildcards: Wildcards) -> Paths:
        """The same annotations, if the run is supervised."""
        is_supervised = self.config.runs[wildcards["run"]].supervision != "unsupervised"
        return self.annotations(wildcards) if is_supervised else []

    def sentences(self, wildcards: Wildcards) -> Paths:
        """The sentences of a demo dataset. Others are checked here. Without sentences, class names are the queries."""
        data, name = self._data(wildcards), wildcards["dataset"]
        if data.demo:
            return [paths.WORLD_SENTENCES.format(dataset=name)]
        if data.sentences is None and not data.is_annotated:
            raise UserError(
                f"{paths.GROUNDING.format(dataset=name)}: {name} has no sentences and no annotations to score by; "
                f"set datasets.{name}.sentences, or search with `clip-ae ground`"
            )
        if data.sentences:
            read_sentences(Path(data.sentences))
        return []

    # --- weights and features ---

    def pretrained(self, wildcards: Wildcards) -> Paths:
        is_pretrained = self.config.weights[wildcards["name"]].source == PRETRAIN
        return [paths.PRETRAINED.format(**wildcards)] if is_pretrained else []

    def encoder_weights(self, wildcards: Wildcards) -> Paths:
        """The weights of the stream's encoder, its own network first."""
        encoder = self._data(wildcards).encoders.get(wildcards["stream"])
        return [paths.WEIGHTS.format(name=name) for name in encoder.weights_names] if encoder else []

    def tuned_encoder_weights(self, wildcards: Wildcards) -> Paths:
        """The same weights, with the fine-tuned network first."""
        return [paths.TUNED_WEIGHTS.format(**wildcards), *self.encoder_weights(wildcards)[1:]]

    def clip_weights(self, wildcards: Wildcards) -> str:
        data = self._data(wildcards)
        if data.vlp_stream is None or not has_text_tower(data):
            raise UserError(
                f"datasets.{wildcards['dataset']}: has no CLIP network to read text with; "
                "add a stream with role vlp and encoder clip"
            )
        return paths.WEIGHTS.format(name=data.encoders[data.vlp_stream].weights)

    def probe_shards(self, wildcards: Wildcards) -> Paths:
        return self._shards(paths.PROBE, wildcards["dataset"])

    def failure_shards(self, wildcards: Wildcards) -> Paths:
        """Failures of probe and of every stream."""
        stages = ["probe", *self._data(wildcards).stream_names]
        return [p for stage in stages for p in self._shards(paths.SHARD_FAILURES, wildcards["dataset"], stage=stage)]

    def vlp_features(self, wildcards: Wildcards) -> Paths:
        stream = self._data(wildcards).vlp_stream
        return self._features(wildcards["dataset"], [stream]) if stream else []

    def fewshot_features(self, wildcards: Wildcards) -> Paths:
        """The shards of the streams that the compared feature adapters adapt."""
        fewshot = self._data(wildcards).fewshot
        if fewshot is None:
            return []
        streams = adapter_streams(self.config, wildcards["dataset"], fewshot.feature_adapters[0])
        return self._features(wildcards["dataset"], streams.cbp)

    def audio_features(self, wildcards: Wildcards) -> Paths:
        """The audio shards, for the loudness curves of the report page."""
        stream = self._data(wildcards).audio_stream
        return self._features(wildcards["dataset"], [stream]) if stream else []

    def run_features(self, wildcards: Wildcards) -> Paths:
        """The shards of the streams that a run's method reads."""
        return self._run_shards(wildcards, self._run_roles(wildcards).names)

    def cluster_features(self, wildcards: Wildcards) -> Paths:
        """The cbp streams in round 0; from round 1 on all streams that the attention model reads."""
        is_first = int(wildcards["round"]) == 0
        return self._run_shards(wildcards, self._run_roles(wildcards).cbp) if is_first else self.run_features(wildcards)

    # --- feature adapters ---

    def adapter_features(self, wildcards: Wildcards) -> Paths:
        """The features of the adapter's run, and the vlp features that actions may be aligned to."""
        self._check_adapter(wildcards)
        return self._features(wildcards["dataset"], self._adapter_roles(wildcards).names)

    def adapter_run(self, pattern: str) -> Callable[[Wildcards], str]:
        """An output of the run that separates actions from background, in the last round of the first seed."""

        def path(wildcards: Wildcards) -> str:
            self._check_adapter(wildcards)
            dataset, run = wildcards["dataset"], self.config.feature_adapters[wildcards["adapter"]].run
            last = count_rounds(self.config, dataset, run) - 1
            return pattern.format(dataset=dataset, run=run, seed=self._data(wildcards).seeds[0], round=last)

        return path

    def adapter_annotations(self, wildcards: Wildcards) -> Paths:
        """The annotations, if videos of held-out classes must be excluded."""
        held_out = self.config.feature_adapters[wildcards["adapter"]].held_out_classes
        return self.annotations(wildcards) if held_out else []

    def adapter_texts(self, wildcards: Wildcards) -> Paths:
        """The files of the text encoder, if actions are aligned to class names."""
        uses_class_names = self.config.feature_adapters[wildcards["adapter"]].uses_class_names
        return self.text_encoder(wildcards) if uses_class_names else []

    def trimmed_clips(self, wildcards: Wildcards) -> Paths:
        """Features and annotations of the trimmed clips whose actions replace the run's."""
        dataset = self.config.feature_adapters[wildcards["adapter"]].trimmed_dataset
        if not dataset:
            return []
        streams = self._adapter_roles(wildcards).cbp
        return [*self._features(dataset, streams), *self.annotations({"dataset": dataset})]

    def tuned_features(self, wildcards: Wildcards) -> Paths:
        """The shards of fine-tuned encoders, if the adapter is trained on them."""
        if not self.tunes_encoder(wildcards):
            return []
        streams = self._adapter_roles(wildcards).cbp
        return [p for s in streams for p in self._shards(paths.TUNED_FEATURES, **wildcards, stream=s)]

    def features_to_adapt(self, wildcards: Wildcards) -> str:
        """The shard that adapted features are computed from."""
        pattern = paths.TUNED_FEATURES if self.tunes_encoder(wildcards) else paths.FEATURES
        return pattern.format(**wildcards)

    def tunes_encoder(self, wildcards: Wildcards) -> bool:
        return self.config.feature_adapters[wildcards["adapter"]].mode == "encoder"

    def fewshot_adapters(self, wildcards: Wildcards) -> Paths:
        """The models of the adapters that few-shot episodes compare."""
        dataset, fewshot = wildcards["dataset"], self._data(wildcards).fewshot
        if fewshot is None:
            raise UserError(
                f"{paths.FEWSHOT.format(dataset=dataset)}: datasets.{dataset}.fewshot is missing in the config; "
                "it names the feature adapters to score and the episodes"
            )
        return [paths.ADAPTER_MODEL.format(dataset=dataset, adapter=name) for name in fewshot.feature_adapters]

    # --- rounds and runs ---

    def previous_model(self, wildcards: Wildcards) -> Paths:
        """From round 1 on, the previous round's attention pools the descriptors."""
        number = int(wildcards["round"])
        return [paths.MODEL.format(**{**wildcards, "round": number - 1})] if number else []

    def every_round(self, pattern: str) -> Callable[[Wildcards], Paths]:
        def round_paths(wildcards: Wildcards) -> Paths:
            rounds = count_rounds(self.config, wildcards["dataset"], wildcards["run"])
            return [pattern.format(**wildcards, round=number) for number in range(rounds)]

        return round_paths

    def last_round(self, pattern: str) -> Callable[[Wildcards], str]:
        every_round = self.every_round(pattern)
        return lambda wildcards: every_round(wildcards)[-1]

    def main_run(self, pattern: str) -> Callable[[Wildcards], Paths]:
        """An output of the main run, for every seed."""

        def seed_paths(wildcards: Wildcards) -> Paths:
            data = self._data(wildcards)
            return [pattern.format(dataset=wildcards["dataset"], run=data.main_run, seed=seed) for seed in data.seeds]

        return seed_paths

    def main_run_first_seed(self, pattern: str) -> Callable[[Wildcards], str]:
        every_seed = self.main_run(pattern)
        return lambda wildcards: every_seed(wildcards)[0]

    # --- summaries and the report page ---

    def summary_sources(self, wildcards: Wildcards) -> Paths:
        """The detections of the main run, or the scores of the runs that a summary compares."""
        data, name, summary = self._data(wildcards), wildcards["dataset"], wildcards["summary"]
        if summary == "detections.json":
            return [self.main_run_first_seed(paths.DETECTIONS)(wildcards), *self.cluster_names(wildcards)]
        if not data.is_scored:
            raise UserError(
                f"results/{name}_{summary}: {name} has no annotations, so it has no scores; "
                f"use the target results/{name}_detections.json"
            )
        runs = [data.main_run] if summary == "map.json" else data.runs
        return [paths.MAP.format(dataset=name, run=run, seed=seed) for run in runs for seed in data.seeds]

    def perfect_curves(self, wildcards: Wildcards) -> Paths:
        """The scores of perfect curves, for the tables of results."""
        is_table = wildcards["summary"] in paths.RESULT_TABLES
        return [paths.PERFECT_CURVES_MAP.format(**wildcards)] if is_table else []

    def main_result(self, wildcards: Wildcards) -> str:
        """The result file of the main run."""
        summary = "map.json" if self._data(wildcards).is_scored else "detections.json"
        return paths.SUMMARY.format(dataset=wildcards["dataset"], summary=summary)

    def report_scores(self, wildcards: Wildcards) -> Paths:
        if not self._data(wildcards).is_scored:
            return []
        return [*self.main_run(paths.MAP)(wildcards), paths.DIAGNOSIS.format(**wildcards)]

    def report_labels(self, wildcards: Wildcards) -> Paths:
        """Labels of every round of the first seed."""
        return self._main_run_rounds(paths.LABELS, wildcards, seeds=1)

    def report_training(self, wildcards: Wildcards) -> Paths:
        """Training logs of every round of every seed."""
        return self._main_run_rounds(paths.TRAINING_LOG, wildcards, seeds=len(self._data(wildcards).seeds))

    def cluster_names(self, wildcards: Wildcards) -> Paths:
        """Suggested names of the first seed's clusters, if there is a vocabulary but no annotations."""
        data = self._data(wildcards)
        is_named = data.vocabulary is not None and not data.is_annotated
        return [self.main_run_first_seed(paths.CLUSTER_NAMES)(wildcards)] if is_named else []

    def moments(self, wildcards: Wildcards) -> Paths:
        """The moments for the search on the report page, if there is a vocabulary."""
        is_searchable = self._data(wildcards).vocabulary is not None
        return [paths.MOMENTS.format(**wildcards)] if is_searchable else []

    # --- grounding ---

    def text_encoder(self, wildcards: Wildcards) -> Paths:
        """The CLIP weights that embed text, or the text embeddings of a simulated dataset."""
        if self._data(wildcards).simulate:
            return [paths.WORLD_TEXT_EMBEDDINGS.format(dataset=wildcards["dataset"])]
        return [self.clip_weights(wildcards)]

    def index_features(self, wildcards: Wildcards) -> Paths:
        """The shards of the search space, those of the CLIP stream, and the adapter behind the space."""
        name, space, data = wildcards["dataset"], wildcards["space"], self._data(wildcards)
        target = paths.INDEX.format(**wildcards)
        if data.vlp_stream is None:
            raise UserError(f"{target}: only CLIP features can be searched by text, and {name} has no vlp stream")
        check_search_space(target, data, space, self.config)
        clip = self.vlp_features(wildcards)
        if space == CLIP_SPACE:
            return clip
        adapted = self._adapted_features(name, space, adapter_streams(self.config, name, space).cbp)
        return [*clip, *adapted, *self._adapter_models(name, [space])]

    def indices(self, wildcards: Wildcards) -> Paths:
        spaces = self._data(wildcards).search_spaces
        return [paths.INDEX.format(dataset=wildcards["dataset"], space=space) for space in spaces]

    def page_index(self, wildcards: Wildcards) -> str:
        """The index of the first search space, for the search on the report page."""
        return self.indices(wildcards)[0]

    def page_adapter(self, wildcards: Wildcards) -> Paths:
        return self._adapter_models(wildcards["dataset"], self._data(wildcards).search_spaces[:1])

    def search_adapters(self, wildcards: Wildcards) -> Paths:
        return self._adapter_models(wildcards["dataset"], self._data(wildcards).search_spaces)

    # --- helpers ---

    def _run_roles(self, wildcards: Wildcards) -> StreamRoles:
        return run_streams(self.config, wildcards["dataset"], wildcards["run"])

    def _adapter_roles(self, wildcards: Wildcards) -> StreamRoles:
        return adapter_streams(self.config, wildcards["dataset"], wildcards["adapter"])

    def _data(self, wildcards: Wildcards) -> Dataset:
        return self.config.datasets[wildcards["dataset"]]

    def _shards(self, pattern: str, dataset: str, **wildcards: str) -> Paths:
        shards = list_shard_names(self.config.datasets[dataset].shards)
        return [pattern.format(**wildcards, dataset=dataset, shard=shard) for shard in shards]

    def _features(self, dataset: str, streams: Sequence[str]) -> Paths:
        return [p for stream in streams for p in self._shards(paths.FEATURES, dataset, stream=stream)]

    def _adapted_features(self, dataset: str, adapter: str, streams: Sequence[str]) -> Paths:
        pattern = paths.ADAPTED_FEATURES
        return [p for s in streams for p in self._shards(pattern, dataset, adapter=adapter, stream=s)]

    def _run_shards(self, wildcards: Wildcards, streams: Sequence[str]) -> Paths:
        """Adapted features if the run names an adapter, extracted ones otherwise."""
        adapter = self.config.runs[wildcards["run"]].feature_adapter
        adapted = [s for s in streams if adapter and s in self._run_roles(wildcards).cbp]
        extracted = self._features(wildcards["dataset"], [s for s in streams if s not in adapted])
        return [*extracted, *(self._adapted_features(wildcards["dataset"], adapter, adapted) if adapter else ())]

    def _adapter_models(self, dataset: str, spaces: Sequence[str]) -> Paths:
        """The adapters behind some search spaces; CLIP's own space has none."""
        adapters = [space for space in spaces if space != CLIP_SPACE]
        return [paths.ADAPTER_MODEL.format(dataset=dataset, adapter=adapter) for adapter in adapters]

    def _main_run_rounds(self, pattern: str, wildcards: Wildcards, seeds: int) -> Paths:
        name, data = wildcards["dataset"], self._data(wildcards)
        rounds = count_rounds(self.config, name, data.main_run)
        return [
            pattern.format(dataset=name, run=data.main_run, seed=seed, round=number)
            for seed in data.seeds[:seeds]
            for number in range(rounds)
        ]

    def _check_adapter(self, wildcards: Wildcards) -> None:
        """Check an adapter with the dataset: the check of the config covers only adapters that a run names."""
        where = f"datasets.{wildcards['dataset']}"
        check_feature_adapter(where, self._data(wildcards), wildcards["adapter"], self.config)
