"""Params that Snakemake compares: the spec of a stage, its code, and digests of inputs that are not rule inputs."""

from collections.abc import Callable, Mapping
from pathlib import Path

from clip_ae.core.config.dataclass_config import to_canonical_json
from clip_ae.core.config.schema import Config
from clip_ae.core.config.stages import build_stage_spec
from clip_ae.core.errors import UserError
from clip_ae.core.provenance import digest_stage_code
from clip_ae.data import source_folder
from clip_ae.data.annotations import annotations_digest
from clip_ae.data.input_digests import (
    ABSENT,
    adapter_annotations_digest,
    annotation_facts_digest,
    ids_digest,
    sentences_digest,
    supervision_labels_digest,
)
from clip_ae.data.vocabulary import read_vocabulary, vocabulary_digest
from clip_ae.workflow.dataset_files import DatasetFiles

Wildcards = Mapping[str, str]
# Value for the files of a generated dataset: an input of the rule already identifies them.
RULE_INPUT = "an input of the rule"


class RuleDigests:
    """Functions of a job's wildcards, for `params`."""

    def __init__(self, config: Config, datasets: Mapping[str, DatasetFiles]) -> None:
        self.config, self.datasets = config, datasets

    def spec(self, stage: str) -> Callable[[Wildcards], str]:
        """The stage's spec as canonical JSON: the only part of the config that the stage receives."""
        return lambda wildcards: to_canonical_json(build_stage_spec(self.config, stage, wildcards))

    def code(self, stage: str) -> Callable[[Wildcards], str]:
        """Digest of the stage's code and of the modules that its spec names."""
        if not self.config.rerun_on_code_change:
            return lambda wildcards: "untracked"
        return lambda wildcards: digest_stage_code(stage, build_stage_spec(self.config, stage, wildcards).modules)

    def source_files(self, wildcards: Wildcards) -> str:
        """Digest of the source files of one shard: raw videos are not inputs of the rule."""
        dataset = self.datasets[wildcards["dataset"]]
        return RULE_INPUT if dataset.data.world else dataset.source_files_digest(wildcards["shard"], with_mtime=True)

    def weights_file(self, wildcards: Wildcards) -> str:
        """Digest of the local file that weights are read from; it must exist before any job starts."""
        weights = self.config.weights[wildcards["name"]]
        source = weights.source
        if not weights.is_local_file:
            return source
        if not Path(source).is_file():
            raise UserError(f"{source}: no such file; it is the source of weights.{wildcards['name']} in the config")
        return source_folder.files_digest(Path(), [source], with_mtime=True)

    def annotation_facts(self, wildcards: Wildcards) -> str:
        """Digest of the subset and the duration of every annotated video."""
        annotations = self.config.datasets[wildcards["dataset"]].annotations
        return annotation_facts_digest(Path(annotations) if annotations else None)

    def train_ids(self, wildcards: Wildcards) -> str:
        """Digest of the ids of the training videos."""
        dataset = self.datasets[wildcards["dataset"]]
        return ids_digest(dataset.ids_of(dataset.data.train_subset))

    def test_ids(self, wildcards: Wildcards) -> str:
        """Digest of the ids of the test videos."""
        dataset = self.datasets[wildcards["dataset"]]
        return ids_digest(dataset.ids_of(dataset.data.test_subset))

    def supervision_labels(self, wildcards: Wildcards) -> str:
        """Digest of the labels of a supervised run; empty for a generated dataset: its annotations are a rule input."""
        supervision = self.config.runs[wildcards["run"]].supervision
        data = self.config.datasets[wildcards["dataset"]]
        if supervision == "unsupervised" or not data.annotations:
            return ABSENT
        return supervision_labels_digest(Path(data.annotations), data.train_subset, supervision)

    def adapter_annotations(self, wildcards: Wildcards) -> str:
        """Digest of the annotations that a feature adapter reads: of held-out classes, and of trimmed clips."""
        adapter = self.config.feature_adapters[wildcards["adapter"]]
        names = [wildcards["dataset"]] if adapter.held_out_classes else []
        names += [adapter.trimmed_dataset] if adapter.trimmed_dataset else []
        files = [self.config.datasets[name].annotations for name in names]
        return adapter_annotations_digest([Path(path) for path in files if path])

    def ground_truth(self, wildcards: Wildcards) -> str:
        """Digest of the annotations for scoring."""
        data = self.config.datasets[wildcards["dataset"]]
        path = data.annotations or data.partial_annotations
        return annotations_digest(Path(path)) if path else ABSENT

    def sentences(self, wildcards: Wildcards) -> str:
        """Digest of the sentences of grounding, or of the annotations if their class names are the queries."""
        path = self.config.datasets[wildcards["dataset"]].sentences
        return sentences_digest(Path(path)) if path else self.ground_truth(wildcards)

    def vocabulary(self, wildcards: Wildcards) -> str:
        """Digest of the words for cluster names and for the search on the report page."""
        path = self.config.datasets[wildcards["dataset"]].vocabulary
        if path is None:
            raise UserError(
                f"datasets.{wildcards['dataset']}.vocabulary: missing; "
                "give a text file of words, such as workflow/vocabularies/everyday.txt"
            )
        return vocabulary_digest(read_vocabulary(Path(path)))
