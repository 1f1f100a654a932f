"""Combine the map.json files of the main run's seeds into one."""

import statistics
from collections.abc import Callable
from typing import Any

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.schema import CLUSTER_MAPPING_NAMES
from clip_ae.core.config.specs import SummarizeSpec
from clip_ae.core.provenance import Provenance
from clip_ae.core.score_columns import list_score_kinds
from clip_ae.scoring.bootstrap_io import bootstrap_seed_mean

JsonTree = Any
Reduction = Callable[[list[float]], float]


def build_main_run_map(
    spec: SummarizeSpec, results: list[JsonTree], source_counts: dict[str, int], provenance: Provenance
) -> dict[str, Any]:
    """Content of results/{dataset}_map.json: fractions, mean over seeds."""
    metrics = {kind: _average([r[kind] for r in results]) for kind in list_score_kinds(results[0])}
    adapter = next(iter(spec.feature_adapters.values()), None)
    return {
        "dataset": spec.dataset,
        "run": spec.main_run,
        **({"features": adapter.description} if adapter else {}),
        **metrics,
        **bootstrap_seed_mean(metrics, results),
        "sd": {kind: reduce_over_seeds([r[kind] for r in results], _compute_sd) for kind in metrics},
        "chance": _average([r["chance"] for r in results]),
        "per_class": _average([r["per_class"] for r in results]),
        **({"frame_AP": _average([r["frame_AP"] for r in results])} if "frame_AP" in results[0] else {}),
        "mapping": {
            "headline": results[0]["mapping"]["headline"],
            **{
                name: _average([_select_metrics(r["mapping"][name]) for r in results]) for name in CLUSTER_MAPPING_NAMES
            },
        },
        "counts": {**_average([r["counts"] for r in results]), **source_counts},
        "seeds": {
            str(seed): {**_select_metrics(r), "chance": _select_metrics(r["chance"]), "rounds": r["rounds"]}
            for seed, r in zip(spec.seeds, results, strict=True)
        },
        "protocol": results[0]["protocol"],
        "provenance": to_plain_data(provenance),
    }


def reduce_over_seeds(trees: list[JsonTree], reduce: Reduction) -> JsonTree:
    """One tree: each number is reduced over all trees that have it; other leaves are those of the first tree."""
    first = trees[0]
    if isinstance(first, dict):
        keys = dict.fromkeys(key for tree in trees for key in tree)
        return {key: reduce_over_seeds([tree[key] for tree in trees if key in tree], reduce) for key in keys}
    if isinstance(first, int | float) and not isinstance(first, bool):
        value = reduce(trees)
        return int(value) if all(isinstance(t, int) for t in trees) and value == int(value) else value
    return first


def _average(trees: list[JsonTree]) -> JsonTree:
    return reduce_over_seeds(trees, statistics.fmean)


def _select_metrics(result: JsonTree) -> dict[str, JsonTree]:
    return {kind: result[kind] for kind in list_score_kinds(result)}


def _compute_sd(values: list[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0
