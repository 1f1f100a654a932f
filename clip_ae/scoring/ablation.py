"""What each part of CLIP-AE brings: the paper's Table 3 with its two losses apart, as paired differences."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from clip_ae.core.config.methods import Run, with_defaults
from clip_ae.core.config.specs import SummarizeSpec
from clip_ae.scoring.paired import CONFIDENCE, compare_paired
from clip_ae.scoring.published import ACTIVITYNET12_COLUMNS, PUBLISHED_ABLATION, SELECTION_NOTE
from clip_ae.scoring.results import (
    ResultTable,
    ScoredRun,
    describe_source,
    format_column_heading,
    format_mean_sd,
    format_run_title,
    list_tiou_ranges,
    sort_runs,
)

OWN_METHODS = ("ugct", "clip_ae")
RUN_COLUMNS = ["run", "method", "source"]
PART_NAMES = ["CAF", "L_de-cor", "CCP", "L_ins-dis"]
# What one run may have and another not, as flags of PARTS.
STEP_NAMES = {
    (True, False, False, False): "CAF alone",
    (True, True, False, False): "CAF and L_de-cor",
    (False, True, False, False): "L_de-cor",
    (False, False, True, False): "CCP alone",
    (False, False, True, True): "CCP and L_ins-dis",
    (False, False, False, True): "L_ins-dis",
    (False, True, False, True): "L_de-cor and L_ins-dis",
}
ABLATION_NOTES = (
    "A loss is on where its module is on and its weight is not 0; without modules CLIP-AE is UGCT. Runs that differ "
    "from the headline run in anything else (switches, other losses' weights, clustering, descriptor, features) stand "
    "in the results table alone; where the headline is a rival, the first of ours takes its place.",
    "Differences are taken seed by seed. Their interval is Student's t: it speaks of other seeds, not of other videos, "
    "and makes no allowance for the number of comparisons.",
)


def build_ablation_tables(spec: SummarizeSpec, runs: Sequence[ScoredRun]) -> list[ResultTable]:
    """Ours with and without each part, the rivals, and the paper's own ablation."""
    told_nothing = [run for run in sort_runs(runs) if run.settings.supervision == "unsupervised"]
    ours = select_comparable_runs([run for run in told_nothing if run.settings.method in OWN_METHODS], spec.main_run)
    base = find_baseline(ours)
    found = [_parts(spec, ours, base), *_steps(spec, ours, base)]
    rivals = [run for run in told_nothing if base and _rivals_of(base.settings, run.settings)]
    if base and rivals:
        found.append(_rivals(spec, base, rivals))
    return [*found, *_published(spec)]


def _rivals_of(ours: Run, run: Run) -> bool:
    return run.method not in OWN_METHODS and (run.clustering, run.feature_adapter) == (
        ours.clustering,
        ours.feature_adapter,
    )


def select_comparable_runs(runs: Sequence[ScoredRun], main_run: str) -> list[ScoredRun]:
    """Those that nothing but modules and the weights of their losses sets apart from the headline run, or the first."""
    found = [_besides_parts(run.settings) for run in sorted(runs, key=lambda run: run.name != main_run)]
    # What the headline run does not have, the first run that has it decides.
    wanted = {n: next((s[n] for s in found if s[n] is not None), None) for n in (found[0] if found else ())}
    return [run for run in runs if all(v in (None, wanted[n]) for n, v in _besides_parts(run.settings).items())]


def _besides_parts(run: Run) -> Mapping[str, Any]:
    """All that sets runs apart besides their parts; None where a run has no such thing."""
    losses = {name: weight for name, weight in run.losses.items() if name not in ("decor", "ins_dis")}
    found = {
        **with_defaults(run),
        "features": run.feature_adapter or "extracted",
        "descriptor": run.descriptor,
        "clustering": run.clustering,
        "losses": losses,
    }
    idle = () if run.caf or run.ccp else ("feed", "self_supervision", "descriptor")
    return {name: None if name in idle else value for name, value in found.items()}


def find_baseline(runs: Sequence[ScoredRun]) -> ScoredRun | None:
    """The `none` row: UGCT itself, or CLIP-AE without modules."""
    bare = [run for run in runs if not (run.settings.caf or run.settings.ccp)]
    return min(bare, key=lambda run: (OWN_METHODS.index(run.settings.method), run.name), default=None)


def get_active_parts(run: Run) -> tuple[bool, bool, bool, bool]:
    """CAF, L_de-cor, CCP, L_ins-dis: on or off."""
    caf, ccp = run.caf is not None, run.ccp is not None
    return caf, caf and run.losses.get("decor", 1.0) != 0, ccp, ccp and run.losses.get("ins_dis", 1.0) != 0


def _parts(spec: SummarizeSpec, runs: Sequence[ScoredRun], base: ScoredRun | None) -> ResultTable:
    name = "CAF, CCP and their losses, average mAP, %"
    if not runs:
        return ResultTable(name, [], [], 0, ("No unsupervised run of UGCT or CLIP-AE is in this dataset's `runs`.",))
    found = list_tiou_ranges(runs[0])
    header = [*RUN_COLUMNS, *PART_NAMES, *map(format_column_heading, found)]
    words = len(RUN_COLUMNS) + len(PART_NAMES)
    rows = [
        [*_words(spec, r), *("on" if on else "-" for on in get_active_parts(r.settings)), *_means(r, found)]
        for r in runs
    ]
    if base is None:
        note = "No run without modules is in this dataset's `runs`, so there is nothing to take differences to."
        return ResultTable(name, header, rows, words, (note,))
    differences = [["-"] * 3 if run is base else _difference(run, base) for run in runs]
    body = [[*row, *difference] for row, difference in zip(rows, differences, strict=True)]
    return ResultTable(name, [*header, *_heads(f"minus {base.name}")], body, words, (_note(base),))


def _steps(spec: SummarizeSpec, runs: Sequence[ScoredRun], base: ScoredRun | None) -> Iterator[ResultTable]:
    """Every pair of runs that one step sets apart, but for those with the row without modules, which stand above."""
    pairs = ((more, less, _added(more.settings, less.settings)) for more in runs for less in runs if less is not base)
    rows = [
        [STEP_NAMES[step], more.name, describe_source(spec), less.name, *_difference(more, less)]
        for more, less, step in pairs
        if step in STEP_NAMES
    ]
    header = ["part", "with it", "source", "without it", *_heads("with minus without")]
    if rows:
        note = f"Percentage points of {format_column_heading(list_tiou_ranges(runs[0])[-1])}."
        yield ResultTable("What a part adds to the others", header, rows, 4, (note,))


def _added(more: Run, less: Run) -> tuple[bool, ...] | None:
    """The parts that one has and the other not; None where the other has some of its own."""
    pairs = list(zip(get_active_parts(more), get_active_parts(less), strict=True))
    return None if any(b and not a for a, b in pairs) else tuple(a != b for a, b in pairs)


def _rivals(spec: SummarizeSpec, base: ScoredRun, rivals: Sequence[ScoredRun]) -> ResultTable:
    found = list_tiou_ranges(base)
    header = [*RUN_COLUMNS, *map(format_column_heading, found), *_heads(f"{base.name} minus it")]
    rows = [[*_words(spec, run), *_means(run, found), *_difference(base, run)] for run in rivals]
    return ResultTable("UGCT against the rivals, average mAP, %", header, rows, len(RUN_COLUMNS), (_note(base),))


def _published(spec: SummarizeSpec) -> list[ResultTable]:
    rows = [
        [row.method, "published", *(f"{row.metrics[c]:.1f}" for c in ACTIVITYNET12_COLUMNS)]
        for row in PUBLISHED_ABLATION.get(spec.published or "", ())
    ]
    note = "Table 3 of the CLIP-AE paper, as printed: unsupervised, each module with its loss, no seeds, no intervals."
    header = ["modules", "source", *map(format_column_heading, ACTIVITYNET12_COLUMNS)]
    return [ResultTable("The published ablation, mAP, %", header, rows, 2, (note, SELECTION_NOTE))] if rows else []


def _difference(first: ScoredRun, second: ScoredRun) -> list[str]:
    """Of the widest average, its interval, and over how many seeds."""
    widest = list_tiou_ranges(first)[-1]
    found = compare_paired(first.get_percent_by_seed(widest), second.get_percent_by_seed(widest))
    interval = f"[{', '.join(map(_signed, found.interval))}]" if found.interval else "-"
    return [_signed(found.mean), interval, str(found.num_values)]


def _signed(value: float) -> str:
    # Adding 0 turns -0.0 into 0.0. Two decimals: an interval's end near 0 keeps its sign.
    return f"{round(value, 2) + 0.0:+.2f}"


def _words(spec: SummarizeSpec, run: ScoredRun) -> list[str]:
    return [run.name, format_run_title(spec, run.settings), describe_source(spec)]


def _means(run: ScoredRun, found: Sequence[str]) -> list[str]:
    return [format_mean_sd(run.get_percent_by_seed(c).values()) for c in found]


def _heads(name: str) -> list[str]:
    return [name, f"{100 * CONFIDENCE:.0f} % interval", "seeds"]


def _note(base: ScoredRun) -> str:
    heading = format_column_heading(list_tiou_ranges(base)[-1])
    return f"Differences in percentage points of {heading}; {base.name} is the row without modules."
