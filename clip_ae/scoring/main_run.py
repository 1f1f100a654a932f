"""The headline run over its seeds, as one map.json."""

import statistics
from typing import Any

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.schema import CLUSTER_MAPPINGS
from clip_ae.core.config.specs import SummarizeSpec
from clip_ae.core.provenance import Provenance
from clip_ae.scoring import bootstrap_io

JsonTree = Any


def build_main_run_map(
    spec: SummarizeSpec, results: list[JsonTree], source_counts: dict[str, int], provenance: Provenance
) -> dict[str, Any]:
    """results/{dataset}_map.json: fractions, mean over seeds."""
    scores = {name: reduce_over_seeds([r[name] for r in results], statistics.fmean) for name in ("mAP", "average")}
    return {
        "dataset": spec.dataset,
        "run": spec.main_run,
        **({"features": recipe.description} if (recipe := next(iter(spec.feature_adapters.values()), None)) else {}),
        **scores,
        **bootstrap_io.bootstrap_seed_mean(scores, results),
        "sd": {name: reduce_over_seeds([r[name] for r in results], _sd) for name in scores},
        "chance": reduce_over_seeds([r["chance"] for r in results], statistics.fmean),
        "per_class": reduce_over_seeds([r["per_class"] for r in results], statistics.fmean),
        "mapping": {
            "headline": results[0]["mapping"]["headline"],
            **{
                name: reduce_over_seeds([_scores(r["mapping"][name]) for r in results], statistics.fmean)
                for name in CLUSTER_MAPPINGS
            },
        },
        "counts": {**reduce_over_seeds([r["counts"] for r in results], statistics.fmean), **source_counts},
        "seeds": {
            str(seed): {**_scores(r), "chance": _scores(r["chance"]), "rounds": r["rounds"]}
            for seed, r in zip(spec.seeds, results, strict=True)
        },
        "protocol": results[0]["protocol"],
        "provenance": to_plain_data(provenance),
    }


def reduce_over_seeds(trees: list[JsonTree], reduce: Any) -> JsonTree:
    """Numbers at the same place of every tree, reduced to one; other leaves as in the first tree."""
    first = trees[0]
    if isinstance(first, dict):
        keys = dict.fromkeys(key for tree in trees for key in tree)
        return {key: reduce_over_seeds([tree[key] for tree in trees if key in tree], reduce) for key in keys}
    if isinstance(first, int | float) and not isinstance(first, bool):
        value = reduce(trees)
        return int(value) if all(isinstance(t, int) for t in trees) and value == int(value) else value
    return first


def _scores(result: JsonTree) -> dict[str, JsonTree]:
    return {name: result[name] for name in ("mAP", "average")}


def _sd(values: list[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0
