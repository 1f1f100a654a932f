"""Compare two scored results on the same ground truth: a paired bootstrap over its videos."""

import math
from dataclasses import dataclass
from typing import Any

from clip_ae.core.errors import UserError
from clip_ae.core.score_columns import list_score_columns, list_score_kinds
from clip_ae.scoring import bootstrap_io
from clip_ae.scoring.bootstrap import PairedComparison, compare_scores

# With fewer samples the ends of an interval are not reliable.
MIN_BOOTSTRAP_SAMPLES = 100


@dataclass(frozen=True)
class ComparedMetric:
    """One column of two results: a frame protocol, a tIoU threshold, or an average over a range such as `0.1:0.7`."""

    name: str
    first: float
    second: float
    comparison: PairedComparison


def compare_results(first: Any, second: Any, names: tuple[str, str] = ("first", "second")) -> list[ComparedMetric]:
    """Every column that the contents of two map.json have; the average over the widest tIoU range comes last."""
    for result, name in zip((first, second), names, strict=True):
        _check_result(result, name)
    _check_comparable(first, second, " and ".join(names))
    first_draws, second_draws = bootstrap_io.read_draws(first), bootstrap_io.read_draws(second)
    return [
        ComparedMetric(
            name,
            first[kind][name],
            second[kind][name],
            compare_scores(first[kind][name], second[kind][name], first_draws[kind][name], second_draws[kind][name]),
        )
        for kind, name in list_score_columns(first)
    ]


def _check_result(result: Any, name: str) -> None:
    if not _is_scored(result):
        raise UserError(f"{name}: not a map.json of `clip-ae evaluate`")
    if _count_samples(result) < MIN_BOOTSTRAP_SAMPLES:
        raise UserError(
            f"{name}: has fewer than {MIN_BOOTSTRAP_SAMPLES} bootstrap samples; score it again with --bootstrap 1000"
        )


def _is_scored(result: Any) -> bool:
    """Whether every column has its bootstrap samples; a result without a bootstrap has none at all."""
    try:
        if "bootstrap" not in result:
            return all(isinstance(result[kind], dict) for kind in list_score_kinds(result))
        draws = bootstrap_io.read_draws(result)
        numbers = [*_list_numbers(result), *(x for columns in draws.values() for v in columns.values() for x in v)]
        return (
            all(draws[kind].keys() == result[kind].keys() for kind in list_score_kinds(result))
            # Draws without ground truth, or without a positive frame, are left out of their kind.
            and all(len({len(values) for values in columns.values()}) == 1 for columns in draws.values())
            and {"truth", "protocol"} <= result["bootstrap"].keys()
            and all(map(math.isfinite, numbers))
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        # A file that the user names may be JSON of any structure.
        return False


def _list_numbers(result: Any) -> list[float]:
    return [result[kind][name] for kind, name in list_score_columns(result)]


def _check_comparable(first: Any, second: Any, names: str) -> None:
    for one, other in zip(_describe_scoring(first), _describe_scoring(second), strict=True):
        if one != other:
            raise UserError(f"{names}: scored {one} and {other}; score both with the same settings")
    if first["bootstrap"]["truth"] != second["bootstrap"]["truth"]:
        raise UserError(f"{names}: scored against different ground truth, or different videos of it")


def _describe_scoring(result: Any) -> list[str]:
    return [
        f"by the protocol {result['bootstrap']['protocol']}",
        f"at tIoU {', '.join([*result['mAP'], *result['average']])}",
        f"with {_list_sample_counts(result)} bootstrap samples",
    ]


def _list_sample_counts(result: Any) -> str:
    """The numbers of draws: one, or one for each kind of score that has another."""
    counts = [len(next(iter(columns.values()), ())) for columns in bootstrap_io.read_draws(result).values()]
    return ", ".join(map(str, dict.fromkeys(counts)))


def _count_samples(result: Any) -> int:
    if "bootstrap" not in result:
        return 0
    return min((len(values) for values in bootstrap_io.read_draws(result)["mAP"].values()), default=0)
