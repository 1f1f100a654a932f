"""Command-line options that Snakemake does not compare: paths, and settings that change only the speed.

Every function takes `resources`: Snakemake ignores such params when it decides which jobs to run again.
"""

import shlex
from collections.abc import Callable, Mapping
from typing import Any

from clip_ae.core import paths
from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.schema import Config
from clip_ae.core.config.specs import CLIP_SPACE
from clip_ae.workflow.dataset_files import DatasetFiles
from clip_ae.workflow.rule_inputs import RuleInputs

Wildcards = Mapping[str, str]
Resources = Any


class RuleOptions:
    """Functions of a job's wildcards and resources, for `params`."""

    def __init__(self, config: Config, datasets: Mapping[str, DatasetFiles], inputs: RuleInputs) -> None:
        self.config, self.datasets, self.inputs = config, datasets, inputs

    def runtime(self, *keys: str) -> Callable[[Wildcards, Resources], str]:
        """Keys of `runtime` as options: `gpu_batch_size` is --gpu-batch-size."""
        values = to_plain_data(self.config.runtime)

        def options(wildcards: Wildcards, resources: Resources) -> str:
            return " ".join(f"--{key.replace('_', '-')} {values[key]}" for key in keys)

        return options

    # --- source files ---

    def source(self, wildcards: Wildcards, resources: Resources) -> str:
        """The folder of the dataset's files. Moving it runs no job again."""
        dataset = self.datasets[wildcards["dataset"]]
        kind = "features" if dataset.has_precomputed_features else "videos"
        return option(kind, str(dataset.source_dir))

    def report_source(self, wildcards: Wildcards, resources: Resources) -> str:
        """The folder of the videos that the report page plays."""
        dataset = self.datasets[wildcards["dataset"]]
        return "" if dataset.has_precomputed_features else option("source", str(dataset.source_dir))

    def annotations(self, wildcards: Wildcards, resources: Resources) -> str:
        dataset = self.datasets[wildcards["dataset"]]
        return option("annotations", dataset.annotations_path) if dataset.data.is_annotated else ""

    def scoring_annotations(self, wildcards: Wildcards, resources: Resources) -> str:
        """The annotations for scoring, if there are any."""
        dataset = self.datasets[wildcards["dataset"]]
        return option("annotations", dataset.ground_truth_path) if dataset.data.is_scored else ""

    def ground_truth(self, wildcards: Wildcards, resources: Resources) -> str:
        return option("ground-truth", self.datasets[wildcards["dataset"]].ground_truth_path)

    def sentences(self, wildcards: Wildcards, resources: Resources) -> str:
        return option("sentences", self.datasets[wildcards["dataset"]].sentences_path)

    def vocabulary(self, wildcards: Wildcards, resources: Resources) -> str:
        return option("vocabulary", self.config.datasets[wildcards["dataset"]].vocabulary)

    # --- features and adapters ---

    def features(self, wildcards: Wildcards, resources: Resources) -> str:
        """Folders of shards; adapted features override extracted ones."""
        adapter = self.config.runs[wildcards["run"]].feature_adapter
        adapted = [paths.ADAPTED_FEATURES_DIR.format(**{**wildcards, "adapter": adapter})] if adapter else []
        return " ".join(["--features", paths.FEATURES_DIR.format(**wildcards), *adapted])

    def tuned_features(self, wildcards: Wildcards, resources: Resources) -> str:
        folder = paths.TUNED_FEATURES_DIR.format(**wildcards)
        return option("tuned-features", folder) if self.inputs.tunes_encoder(wildcards) else ""

    def adapter_annotations(self, wildcards: Wildcards, resources: Resources) -> str:
        held_out = self.config.feature_adapters[wildcards["adapter"]].held_out_classes
        return self.annotations(wildcards, resources) if held_out else ""

    def trimmed_clips(self, wildcards: Wildcards, resources: Resources) -> str:
        name = self.config.feature_adapters[wildcards["adapter"]].trimmed_dataset
        if not name:
            return ""
        dataset = self.datasets[name]
        return " ".join(
            [
                option("trimmed-features", paths.FEATURES_DIR.format(dataset=name)),
                option("trimmed-shards", str(dataset.data.shards)),
                option("trimmed-annotations", dataset.annotations_path),
            ]
        )

    def text_encoder(self, wildcards: Wildcards, resources: Resources) -> str:
        kind = "text-embeddings" if self.config.datasets[wildcards["dataset"]].simulate else "clip-weights"
        return options_of(kind, self.inputs.text_encoder(wildcards))

    def adapter_texts(self, wildcards: Wildcards, resources: Resources) -> str:
        uses_class_names = self.config.feature_adapters[wildcards["adapter"]].uses_class_names
        return self.text_encoder(wildcards, resources) if uses_class_names else ""

    def adapted_space(self, wildcards: Wildcards, resources: Resources) -> str:
        """The adapter behind a search space and its features; CLIP's own space has none."""
        name, space = wildcards["dataset"], wildcards["space"]
        if space == CLIP_SPACE:
            return ""
        folder = paths.ADAPTED_FEATURES_DIR.format(dataset=name, adapter=space)
        model = paths.ADAPTER_MODEL.format(dataset=name, adapter=space)
        return f"{option('adapted-features', folder)} {option('adapter', model)}"

    def page_adapter(self, wildcards: Wildcards, resources: Resources) -> str:
        return options_of("adapter", self.inputs.page_adapter(wildcards))

    def search_adapters(self, wildcards: Wildcards, resources: Resources) -> str:
        return options_of("adapters", self.inputs.search_adapters(wildcards))

    # --- runs ---

    def pretrained(self, wildcards: Wildcards, resources: Resources) -> str:
        return options_of("pretrained", self.inputs.pretrained(wildcards))

    def previous_model(self, wildcards: Wildcards, resources: Resources) -> str:
        return options_of("previous-model", self.inputs.previous_model(wildcards))

    def tensorboard(self, wildcards: Wildcards, resources: Resources) -> str:
        """The folder for TensorBoard. It is not an output of the rule, as no result depends on it."""
        folder = paths.TENSORBOARD_DIR.format(**wildcards)
        return option("tensorboard", folder) if self.config.runtime.tensorboard else ""

    # --- summaries and the report page ---

    def cluster_names(self, wildcards: Wildcards, resources: Resources) -> str:
        return options_of("cluster-names", self.inputs.cluster_names(wildcards))

    def summary_cluster_names(self, wildcards: Wildcards, resources: Resources) -> str:
        has_segments = wildcards["summary"] == "detections.json"
        return self.cluster_names(wildcards, resources) if has_segments else ""

    def perfect_curves(self, wildcards: Wildcards, resources: Resources) -> str:
        return options_of("perfect-curves", self.inputs.perfect_curves(wildcards))

    def training_times(self, wildcards: Wildcards, resources: Resources) -> str:
        """Where Snakemake measures the training jobs, for the tables of results."""
        is_table = wildcards["summary"] in paths.RESULT_TABLES
        return option("training-times", paths.TRAINING_TIMES_DIR.format(**wildcards)) if is_table else ""

    def moments(self, wildcards: Wildcards, resources: Resources) -> str:
        return options_of("moments", self.inputs.moments(wildcards))

    def diagnosis(self, wildcards: Wildcards, resources: Resources) -> str:
        is_scored = self.config.datasets[wildcards["dataset"]].is_scored
        return option("diagnosis", paths.DIAGNOSIS.format(**wildcards)) if is_scored else ""

    def audio_shards(self, wildcards: Wildcards, resources: Resources) -> str:
        return options_of("audio-shards", self.inputs.audio_features(wildcards))

    # --- resources ---

    def gpus(self, wildcards: Wildcards) -> int:
        """One GPU for a job with a network, unless the device is cpu. A profile limits the number of such jobs."""
        return int(self.config.runtime.device != "cpu")

    def cluster_gpus(self, wildcards: Wildcards) -> int:
        """The first round's descriptors need no network."""
        return self.gpus(wildcards) if int(wildcards["round"]) else 0


def option(name: str, value: str | None) -> str:
    """`--name=value`, quoted for a shell; nothing without a value. With the sign, a value may begin with a dash."""
    return f"--{name}={shlex.quote(value)}" if value else ""


def options_of(name: str, values: list[str]) -> str:
    """One option with several values; nothing without values. Paths of results need no quotes."""
    return " ".join([f"--{name}", *values]) if values else ""
