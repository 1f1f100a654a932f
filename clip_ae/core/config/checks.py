"""Parse the config and check what concerns several keys at once."""

import re
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from clip_ae.core.config.dataclass_config import parse_dataclass
from clip_ae.core.config.feature_adapters import UNADAPTED, FeatureAdapter, FewShotEvaluation
from clip_ae.core.config.methods import SWITCHES_OF, Run
from clip_ae.core.config.model_weights import expand_models
from clip_ae.core.config.registry import HEAD_LOSSES, METHODS, PRETRAINERS, SINGLE_FILE_ENCODERS
from clip_ae.core.config.schema import (
    DATASET_SOURCES,
    NETWORK_KINDS,
    PIP_PREFIX,
    PRETRAIN,
    SDIST_PATTERN,
    SHIPPED,
    Config,
    Dataset,
    Evaluation,
    Weights,
)
from clip_ae.core.config.specs import CLIP_SPACE
from clip_ae.core.config.stream_checks import (
    NAME_PATTERN,
    check_adapter_streams,
    check_known,
    check_run_streams,
    check_streams,
    has_text_tower,
)
from clip_ae.core.errors import UserError, suggest_name
from clip_ae.core.tiou_ranges import parse_tiou_ranges
from clip_ae.core.video_lists import VIDEO_LISTS

# Folders of results/ that are not datasets.
RESERVED_NAMES = {"weights", "pretrained"}
INTEGRITY_PATTERN = re.compile(r"sha256:[0-9a-f]{64}|sha256-prefix:[0-9a-f]{8,64}|git-blob:[0-9a-f]{40}")


def load_config(data: Any) -> Config:
    """A checked Config from plain data; a UserError names the first wrong key."""
    config = expand_models(parse_dataclass(Config, data))
    for name, weights in config.weights.items():
        _check_name(f"weights.{name}", name)
        _check_weights(f"weights.{name}", weights)
    for name, run in config.runs.items():
        _check_name(f"runs.{name}", name)
        _check_run(f"runs.{name}", run)
        if run.feature_adapter:
            check_known(f"runs.{name}.feature_adapter", run.feature_adapter, config.feature_adapters)
    for name, adapter in config.feature_adapters.items():
        _check_name(f"feature_adapters.{name}", name, {CLIP_SPACE, UNADAPTED})
        _check_adapter(f"feature_adapters.{name}", adapter, config)
    for name, dataset in config.datasets.items():
        _check_name(f"datasets.{name}", name)
        _check_dataset(f"datasets.{name}", dataset, config)
    return replace(config, datasets={name: data.without_unused_encoders for name, data in config.datasets.items()})


def _check_run(where: str, run: Run) -> None:
    for switch, methods in SWITCHES_OF.items():
        if getattr(run, switch) is not None and run.method not in methods:
            raise UserError(f"{where}.{switch}: a switch of {' and '.join(methods)}, not of {run.method}")
    if run.descriptor == "fused" and not (run.caf or run.ccp):
        raise UserError(f"{where}.descriptor: `fused` needs caf or ccp")
    if run.vlp_stream and not run.ccp:
        raise UserError(f"{where}.vlp_stream: only CCP reads it; add `ccp: {{}}`, or remove the key")
    if run.method == "oracle" and run.supervision != "full":
        raise UserError(f"{where}.supervision: method oracle needs `full`")
    if run.supervision == "full" and run.method not in ("oracle", "ridge"):
        raise UserError(f"{where}.supervision: only the methods oracle and ridge can have `full`")
    _check_rising(f"{where}.confident_shares", run.confident_shares)
    if run.supervision != "unsupervised" and run.has_clustering_keys:
        raise UserError(f"{where}.supervision: a supervised run does not cluster; remove its clustering keys")
    if run.ugct and run.ugct.uncertainty == "dropout" and run.ugct.base_head not in ("ugct", "tscn"):
        raise UserError(f"{where}.ugct.uncertainty: {run.ugct.base_head} has no dropout, so its passes do not differ")
    if run.ugct and run.ugct.class_targets != "none" and run.ugct.base_head == "stpn":
        raise UserError(
            f"{where}.ugct.class_targets: `kl` and `mse` need a softmax over classes; stpn has one sigmoid per class"
        )
    for loss in run.losses:
        check_known(f"{where}.losses.{loss}", loss, list_losses(run))


def _check_adapter(where: str, adapter: FeatureAdapter, config: Config) -> None:
    check_known(f"{where}.run", adapter.run, config.runs)
    run = config.runs[adapter.run]
    if run.feature_adapter or run.supervision == "full":
        raise UserError(
            f"{where}.run: {adapter.run} {'reads adapted features itself' if run.feature_adapter else 'is an oracle'}"
        )
    if run.vlp_stream or (run.caf and run.caf.audio != "own"):
        raise UserError(f"{where}.run: {adapter.run} is a control, by its vlp_stream or caf.audio; name another run")
    if adapter.trimmed_dataset:
        check_known(f"{where}.trimmed_dataset", adapter.trimmed_dataset, config.datasets)
        if adapter.mode == "encoder":
            raise UserError(
                f"{where}.trimmed_dataset: an encoder is fine-tuned on the dataset's own videos; use mode: adapter"
            )
    has_class_names = adapter.trimmed_dataset is not None or run.supervision == "weak"
    if adapter.uses_class_names and not has_class_names:
        raise UserError(
            f"{where}.align_to: {adapter.run} has clusters only; `names` need a weak run, or trimmed_dataset"
        )
    if has_class_names and not adapter.uses_class_names:
        raise UserError(
            f"{where}.align_to: {adapter.trimmed_dataset or adapter.run} has class names; "
            f"`{adapter.align_to}` are for clusters"
        )


def check_feature_adapter(where: str, dataset: Dataset, adapter: str, config: Config) -> None:
    """Refuse a dataset that lacks what a feature adapter needs."""
    settings = config.feature_adapters[adapter]
    run = config.runs[settings.run]
    check_adapter_streams(where, dataset, adapter, config)
    if (run.supervision != "unsupervised" or settings.held_out_classes) and not dataset.is_annotated:
        raise UserError(f"{where} needs annotations for feature_adapters.{adapter}; this dataset has none")
    if settings.trimmed_dataset and config.datasets[settings.trimmed_dataset] is dataset:
        raise UserError(f"{where}: feature_adapters.{adapter}.trimmed_dataset is this dataset; name another")
    if settings.trimmed_dataset and not config.datasets[settings.trimmed_dataset].is_annotated:
        raise UserError(f"{where}: the trimmed clips have no annotations")


def check_search_space(where: str, dataset: Dataset, space: str, config: Config) -> None:
    """Refuse a search space that the dataset cannot have."""
    check_known(where, space, (CLIP_SPACE, *config.feature_adapters))
    if space != CLIP_SPACE:
        check_feature_adapter(f"{where}: {space}", dataset, space, config)


def list_losses(run: Run) -> tuple[str, ...]:
    """Names of a run's losses: its head's and its method's, without those of switches that are off."""
    method, ugct = METHODS[run.method], run.ugct
    head = ugct.base_head if ugct else method.head
    off = {
        "decor": run.caf is None,
        "ins_dis": run.ccp is None,
        "class_pseudo": ugct is None or ugct.class_targets == "none",
    }
    return (*HEAD_LOSSES[head], *(loss for loss in method.extra_losses if not off.get(loss)))


def _check_weights(where: str, weights: Weights) -> None:
    own = () if weights.network is None else ("network",)
    _expect_one(where, (*weights.options_by_kind, *own), (*NETWORK_KINDS, "network"))
    if weights.network is not None:
        _check_network(f"{where}.network", weights.network)
    if weights.source == PRETRAIN and weights.network_kind not in PRETRAINERS:
        raise UserError(
            f"{where}.source: the workflow cannot train a {weights.network_kind} network; give a path or a URL"
        )
    if weights.i3d and weights.i3d.crop > weights.i3d.short_side:
        raise UserError(
            f"{where}.i3d.crop: {weights.i3d.crop} pixels do not fit into short_side {weights.i3d.short_side}"
        )
    if weights.integrity and not INTEGRITY_PATTERN.fullmatch(weights.integrity):
        raise UserError(f"{where}.integrity: expected sha256:HEX, sha256-prefix:HEX or git-blob:HEX")
    if ("://" in weights.source or weights.source == SHIPPED) and not weights.integrity:
        raise UserError(f"{where}.integrity: missing; a file from elsewhere is checked before it is read")
    if weights.source.startswith(PIP_PREFIX):
        _check_sdist(where, weights)


def _check_network(where: str, network: str) -> None:
    if network in NETWORK_KINDS:
        raise UserError(f"{where}: {network} has options; write `{network}: {{...}}` in its place")
    if network not in SINGLE_FILE_ENCODERS:
        raise UserError(
            f"{where}: '{network}' is not a row of SINGLE_FILE_ENCODERS in clip_ae/core/config/registry.py"
            f"{suggest_name(network, SINGLE_FILE_ENCODERS)}"
        )


def _check_sdist(where: str, weights: Weights) -> None:
    if not SDIST_PATTERN.fullmatch(weights.source):
        raise UserError(f"{where}.source: expected pip:NAME==VERSION/MEMBER, got {weights.source}")
    if not (weights.integrity or "").startswith("sha256:"):
        raise UserError(f"{where}.integrity: expected sha256:HEX of the package's source archive, which pip compares")


def _check_dataset(where: str, dataset: Dataset, config: Config) -> None:
    _expect_one(where, dataset.sources, DATASET_SOURCES)
    _check_source(where, dataset)
    check_streams(where, dataset, config)
    if dataset.is_scored and dataset.train_subset == dataset.test_subset:
        raise UserError(f"{where}.test_subset: '{dataset.test_subset}' is also the training subset")
    for run in dataset.runs:
        check_known(f"{where}.runs", run, config.runs)
        if config.runs[run].supervision != "unsupervised" and not dataset.is_annotated:
            raise UserError(f"{where}.runs: {run} needs labels, and this dataset has no annotations")
        check_run_streams(where, dataset, run, config)
        if adapter := config.runs[run].feature_adapter:
            check_feature_adapter(f"{where}.runs: {run}", dataset, adapter, config)
    for run in dataset.run_overrides:
        check_known(f"{where}.run_overrides", run, config.runs)
    if dataset.main_run not in dataset.runs:
        raise UserError(
            f"{where}.main_run: '{dataset.main_run}' is not among the runs of this dataset "
            f"({', '.join(dataset.runs) or 'none'}); name one of them"
        )
    if not dataset.search_spaces:
        raise UserError(f"{where}.search_spaces: empty; name at least clip")
    for space in dataset.search_spaces:
        check_search_space(f"{where}.search_spaces", dataset, space, config)
    _check_text_files(where, dataset)
    if dataset.fewshot:
        _check_fewshot(where, dataset, dataset.fewshot, config)
    if not dataset.seeds or len(set(dataset.seeds)) < len(dataset.seeds):
        raise UserError(f"{where}.seeds: expected different seeds, got {list(dataset.seeds)}")
    _check_evaluation(f"{where}.evaluation", dataset.evaluation)
    _check_rising(f"{where}.localization.activation_thresholds", dataset.localization.activation_thresholds)
    if dataset.localization.attention_thresholds:
        _check_rising(f"{where}.localization.attention_thresholds", dataset.localization.attention_thresholds)


def _check_text_files(where: str, dataset: Dataset) -> None:
    """Partial annotations are for datasets without annotations; text needs a vlp stream with known CLIP weights."""
    if dataset.partial_annotations is not None and dataset.is_annotated:
        raise UserError(f"{where}.partial_annotations: not together with `annotations`")
    for name in ("vocabulary", "sentences"):
        if getattr(dataset, name) is None:
            continue
        if dataset.vlp_stream is None:
            raise UserError(f"{where}.{name}: needs a stream with role vlp, and this dataset has none")
        if dataset.simulate is not None:
            raise UserError(f"{where}.{name}: a simulated dataset has no CLIP text tower; remove {name}")
        if dataset.features_dir is not None:
            raise UserError(
                f"{where}.{name}: needs CLIP's text tower, and precomputed features do not say which CLIP made them"
            )
        if not has_text_tower(dataset):
            raise UserError(f"{where}.{name}: needs CLIP's text tower; the vlp stream needs encoder clip")


def _check_fewshot(where: str, dataset: Dataset, fewshot: FewShotEvaluation, config: Config) -> None:
    if not dataset.is_annotated:
        raise UserError(f"{where}.fewshot: needs annotations, for support examples and for scores")
    if not fewshot.feature_adapters or not fewshot.shots:
        raise UserError(f"{where}.fewshot: names no {'shots' if fewshot.feature_adapters else 'feature_adapters'}")
    for name in fewshot.feature_adapters:
        check_known(f"{where}.fewshot.feature_adapters", name, config.feature_adapters)
        check_feature_adapter(f"{where}.fewshot", dataset, name, config)
        if config.feature_adapters[name].mode != "adapter":
            raise UserError(
                f"{where}.fewshot.feature_adapters: {name} has mode encoder; all rows must share the same features"
            )
    held_out = {frozenset(config.feature_adapters[name].held_out_classes) for name in fewshot.feature_adapters}
    if len(held_out - {frozenset()}) > 1:
        raise UserError(
            f"{where}.fewshot.feature_adapters: have different held_out_classes; all rows need the same episodes"
        )


def _check_source(where: str, dataset: Dataset) -> None:
    if dataset.simulate is not None:
        _check_simulated(where, dataset)
        return
    if dataset.features_dir is None and dataset.features_description is not None:
        raise UserError(
            f"{where}.features_description: only for a `features_dir` source; for videos the provenance has it"
        )
    if dataset.features_dir is None and dataset.layout is not None:
        raise UserError(f"{where}.layout: only for a `features_dir` source; videos are found by suffix")
    for name in ("annotations", "sentences"):
        if dataset.demo and getattr(dataset, name) is not None:
            raise UserError(f"{where}.{name}: the demo has its own")
    if dataset.demo and dataset.demo.seconds_min > dataset.demo.seconds_max:
        raise UserError(f"{where}.demo.seconds_min: larger than seconds_max")


def _check_simulated(where: str, dataset: Dataset) -> None:
    for name in ("features_description", "layout", "annotations"):
        if getattr(dataset, name) is not None:
            raise UserError(f"{where}.{name}: a simulated dataset has its own")
    if dataset.simulate and dataset.simulate.classes != dataset.classes:
        raise UserError(f"{where}.classes: {dataset.classes}, but simulate.classes is {dataset.simulate.classes}")


def _check_evaluation(where: str, evaluation: Evaluation) -> None:
    parse_tiou_ranges(evaluation.tiou_ranges, evaluation.tiou, where)
    if evaluation.video_list is not None:
        check_known(f"{where}.video_list", evaluation.video_list, VIDEO_LISTS)


def _check_rising(where: str, values: tuple[float, ...]) -> None:
    if not values or list(values) != sorted(set(values)):
        raise UserError(f"{where}: expected rising numbers, got {list(values)}")


def _check_name(where: str, name: str, reserved: Collection[str] = RESERVED_NAMES) -> None:
    if not NAME_PATTERN.fullmatch(name) or name in reserved:
        raise UserError(
            f"{where}: a name has only letters, digits, '-' and '_', begins with a letter or digit, and is none of "
            f"{', '.join(sorted(reserved))}"
        )


def _expect_one(where: str, given: tuple[str, ...], names: tuple[str, ...]) -> None:
    if len(given) != 1:
        raise UserError(f"{where}: expected exactly one of {', '.join(names)}; got {', '.join(given) or 'none'}")
