"""Say whether one result beats another on the same ground truth: a paired bootstrap over its videos."""

from pathlib import Path
from typing import Annotated, Any

from clip_ae.core.errors import UserError
from clip_ae.core.tiou_ranges import list_score_columns
from clip_ae.data.detections import read_json_object
from clip_ae.pages.text_table import align_table, format_percent
from clip_ae.scoring import bootstrap_io
from clip_ae.scoring.bootstrap import CONFIDENCE, PairedComparison, compare_scores

# Fewer draws tell nothing of the ends of an interval.
MIN_BOOTSTRAP_SAMPLES = 100
HEADER = [
    "tIoU",
    "first, %",
    "second, %",
    "first - second",
    f"{100 * CONFIDENCE:.0f} % from",
    "to",
    "first is ahead in",
]


def run(
    first: Annotated[Path, "map.json of one result, or of a headline run over its seeds"],
    second: Annotated[Path, "map.json of another, scored by the same protocol against the same ground truth"],
) -> None:
    one, other = _scored(first), _scored(second)
    _check_alike(first, one, second, other)
    found, ours, theirs = list_score_columns(one), bootstrap_io.read_draws(one), bootstrap_io.read_draws(other)
    results = {(k, c): compare_scores(one[k][c], other[k][c], ours[k][c], theirs[k][c]) for k, c in found}
    rows = [_row(name, one[kind][name], other[kind][name], results[kind, name]) for kind, name in found]
    print("\n".join(align_table([HEADER, *rows])))
    print(_verdict(first, second, found[-1][1], results[found[-1]]))


def _verdict(first: Path, second: Path, name: str, result: PairedComparison) -> str:
    low, high = (f"{100 * end:+.1f}" for end in result.interval)
    span = f"(average over {name}: {100 * result.difference:+.1f} points, 95 % from {low} to {high})"
    if not result.is_significant:
        return f"undecided: these videos do not tell {first} from {second} {span}"
    better, worse = (first, second) if result.difference > 0 else (second, first)
    return f"{better} beats {worse} {span}"


def _row(name: str, first: float, second: float, result: PairedComparison) -> list[str]:
    signed = [f"{100 * value:+.1f}" for value in (result.difference, *result.interval)]
    shown = f"avg {name}" if ":" in name else name
    return [shown, format_percent(first), format_percent(second), *signed, f"{100 * result.share_ahead:.0f} % of draws"]


def _scored(path: Path) -> Any:
    result = read_json_object(path)
    try:
        known = (
            bootstrap_io.read_draws(result)
            if "bootstrap" in result
            else {kind: {} for kind in bootstrap_io.METRIC_KINDS}
        )
        whole = all(known[kind].keys() in (set(), result[kind].keys()) for kind in bootstrap_io.METRIC_KINDS)
    except (KeyError, TypeError, ValueError, AttributeError):
        whole = False
    if not whole:
        raise UserError(f"{path}: no map.json of `clip-ae evaluate`")
    if min((len(values) for values in known["mAP"].values()), default=0) < MIN_BOOTSTRAP_SAMPLES:
        raise UserError(
            f"{path}: has fewer than {MIN_BOOTSTRAP_SAMPLES} draws of videos; score it again with --bootstrap 1000"
        )
    return result


def _check_alike(first: Path, one: Any, second: Path, other: Any) -> None:
    if one["bootstrap"]["truth"] != other["bootstrap"]["truth"]:
        raise UserError(f"{first} and {second}: scored against different ground truth, or different videos of it")
    for a, b in zip(_how(one), _how(other), strict=True):
        if a != b:
            raise UserError(f"{first} and {second}: scored {a} and {b}; score them alike")


def _how(result: Any) -> list[str]:
    return [
        f"by the protocol {result['bootstrap']['protocol']}",
        f"at tIoU {', '.join([*result['mAP'], *result['average']])}",
        f"with {_number_of_draws(result)} draws",
    ]


def _number_of_draws(result: Any) -> int:
    return len(next(iter(bootstrap_io.read_draws(result)["mAP"].values())))
