"""Ablation tables: CLIP-AE with and without each module and the module's loss, compared seed by seed.

Table 3 of the paper has each module only together with its loss.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from clip_ae.core.config.methods import Run, with_defaults
from clip_ae.core.config.specs import SummarizeSpec
from clip_ae.core.score_columns import format_column_heading
from clip_ae.scoring.paired import CONFIDENCE, compare_paired
from clip_ae.scoring.published import ACTIVITYNET12_COLUMNS, PUBLISHED_ABLATION, SELECTION_NOTE
from clip_ae.scoring.results import (
    ResultTable,
    ScoredRun,
    describe_source,
    format_mean_sd,
    format_run_title,
    list_tiou_ranges,
    sort_runs,
)

OWN_METHODS = ("ugct", "clip_ae")
RUN_COLUMNS = ["run", "method", "source"]
PART_NAMES = ["CAF", "L_de-cor", "CCP", "L_ins-dis"]
# Names of the steps between two runs: flags of PART_NAMES that one run has and the other does not.
STEP_NAMES = {
    (True, False, False, False): "CAF alone",
    (True, True, False, False): "CAF and L_de-cor",
    (False, True, False, False): "L_de-cor",
    (False, False, True, False): "CCP alone",
    (False, False, True, True): "CCP and L_ins-dis",
    (False, False, False, True): "L_ins-dis",
    (False, True, False, True): "L_de-cor and L_ins-dis",
}
# Settings without effect in a run without modules.
MODULE_SETTINGS = ("fusion_input", "self_supervision", "descriptor", "vlp_stream")
ABLATION_NOTES = (
    "A loss is on if its module is on and its weight is not 0; CLIP-AE without modules is UGCT. Runs that differ from "
    "the main run in anything else (switches, weights of other losses, clustering, number of clusters, descriptor, "
    "features, streams, training, localization) are in the results table only. If the main run is another method, the "
    "first run of UGCT or CLIP-AE takes its place.",
    "Differences are taken seed by seed. Their interval is Student's t: it covers other seeds, not other videos, and "
    "is not corrected for the number of comparisons.",
)


def build_ablation_tables(spec: SummarizeSpec, runs: Sequence[ScoredRun]) -> list[ResultTable]:
    """Runs of UGCT and CLIP-AE by their parts, other methods, and the published ablation."""
    unsupervised = [run for run in sort_runs(runs) if run.settings.supervision == "unsupervised"]
    own_runs = [run for run in unsupervised if run.settings.method in OWN_METHODS]
    own_runs = select_comparable_runs(own_runs, spec.main_run)
    base = find_baseline(own_runs)
    other_runs = [run for run in unsupervised if base and _has_other_method(base.settings, run.settings)]
    tables = [
        _build_parts_table(spec, own_runs, base),
        _build_steps_table(spec, own_runs, base),
        _build_methods_table(spec, base, other_runs) if base and other_runs else None,
        _build_published_table(spec),
    ]
    return [table for table in tables if table is not None]


def _has_other_method(base: Run, run: Run) -> bool:
    """Whether a run has another method, with the clustering and the features of the baseline."""
    same_inputs = (run.clustering_settings, run.feature_adapter) == (base.clustering_settings, base.feature_adapter)
    return run.method not in OWN_METHODS and same_inputs


def select_comparable_runs(runs: Sequence[ScoredRun], main_run: str) -> list[ScoredRun]:
    """Keep the runs whose only differences from the main run are CAF, CCP and their loss weights.

    Without a main run here, the first run takes its place.
    """
    by_priority = sorted(runs, key=lambda run: run.name != main_run)
    all_settings = [_settings_besides_parts(run.settings) for run in by_priority]
    names = all_settings[0] if all_settings else ()
    # Where the main run does not have a setting, all runs are compared with the first run that has it.
    expected = {name: next((s[name] for s in all_settings if s[name] is not None), None) for name in names}
    return [
        run
        for run in runs
        if all(value in (None, expected[name]) for name, value in _settings_besides_parts(run.settings).items())
    ]


def _settings_besides_parts(run: Run) -> Mapping[str, Any]:
    """All settings of a run other than its parts; None for a setting that the run does not have."""
    losses = {name: weight for name, weight in run.losses.items() if name not in ("decor", "ins_dis")}
    settings = {
        **with_defaults(run),
        "features": run.feature_adapter or "extracted",
        "cbp_streams": run.cbp_streams or "the dataset's",
        "vlp_stream": run.vlp_stream or "the dataset's",
        "training": run.training or "the dataset's",
        "localization": run.localization or "the dataset's",
        "descriptor": run.descriptor,
        "clustering": run.clustering_settings,
        "losses": losses,
    }
    unused = () if run.caf or run.ccp else MODULE_SETTINGS
    return {name: None if name in unused else value for name, value in settings.items()}


def find_baseline(runs: Sequence[ScoredRun]) -> ScoredRun | None:
    """The run without modules: UGCT, or CLIP-AE without modules; None if there is none."""
    runs_without_modules = [run for run in runs if not (run.settings.caf or run.settings.ccp)]
    return min(runs_without_modules, key=lambda run: (OWN_METHODS.index(run.settings.method), run.name), default=None)


def get_active_parts(run: Run) -> tuple[bool, bool, bool, bool]:
    """Whether CAF, L_de-cor, CCP and L_ins-dis are on."""
    caf, ccp = run.caf is not None, run.ccp is not None
    return caf, caf and run.losses.get("decor", 1.0) != 0, ccp, ccp and run.losses.get("ins_dis", 1.0) != 0


def _build_parts_table(spec: SummarizeSpec, runs: Sequence[ScoredRun], base: ScoredRun | None) -> ResultTable:
    """A row for each run, with its parts, and its difference to the baseline."""
    heading = "CAF, CCP and their losses, average mAP, %"
    if not runs:
        return ResultTable(heading, [], [], 0, ("No unsupervised run of UGCT or CLIP-AE is in this dataset's `runs`.",))
    columns = list_tiou_ranges(runs[0])
    header = [*RUN_COLUMNS, *PART_NAMES, *map(format_column_heading, columns)]
    num_text_columns = len(RUN_COLUMNS) + len(PART_NAMES)
    rows = [[*_describe_run(spec, run), *_format_parts(run.settings), *_format_means(run, columns)] for run in runs]
    if base is None:
        note = "No run without modules is in this dataset's `runs`, so there are no differences."
        return ResultTable(heading, header, rows, num_text_columns, (note,))
    differences = [["-"] * 3 if run is base else _format_difference(run, base) for run in runs]
    rows = [[*row, *difference] for row, difference in zip(rows, differences, strict=True)]
    header += _list_difference_headings(f"minus {base.name}")
    return ResultTable(heading, header, rows, num_text_columns, (_describe_differences(base),))


def _build_steps_table(spec: SummarizeSpec, runs: Sequence[ScoredRun], base: ScoredRun | None) -> ResultTable | None:
    """A row for each pair of runs that differ by one step; pairs with the baseline are in the table of parts.

    None if there is no such pair.
    """
    pairs = (
        (with_part, without_part, _list_added_parts(with_part.settings, without_part.settings))
        for with_part in runs
        for without_part in runs
        if without_part is not base
    )
    rows = [
        [
            STEP_NAMES[step],
            with_part.name,
            describe_source(spec),
            without_part.name,
            *_format_difference(with_part, without_part),
        ]
        for with_part, without_part, step in pairs
        if step in STEP_NAMES
    ]
    if not rows:
        return None
    header = ["part", "with it", "source", "without it", *_list_difference_headings("with minus without")]
    note = f"Percentage points of {format_column_heading(list_tiou_ranges(runs[0])[-1])}."
    return ResultTable("Gain of a part over runs with other parts", header, rows, 4, (note,))


def _list_added_parts(with_part: Run, without_part: Run) -> tuple[bool, ...] | None:
    """Flags of the parts that only the first run has; None if the second has a part that the first lacks."""
    pairs = list(zip(get_active_parts(with_part), get_active_parts(without_part), strict=True))
    return None if any(b and not a for a, b in pairs) else tuple(a != b for a, b in pairs)


def _build_methods_table(spec: SummarizeSpec, base: ScoredRun, other_runs: Sequence[ScoredRun]) -> ResultTable:
    columns = list_tiou_ranges(base)
    header = [*RUN_COLUMNS, *map(format_column_heading, columns), *_list_difference_headings(f"{base.name} minus it")]
    rows = [
        [*_describe_run(spec, run), *_format_means(run, columns), *_format_difference(base, run)] for run in other_runs
    ]
    note = _describe_differences(base)
    return ResultTable("UGCT against other methods, average mAP, %", header, rows, len(RUN_COLUMNS), (note,))


def _build_published_table(spec: SummarizeSpec) -> ResultTable | None:
    """The ablation that the paper printed for this dataset; None if it printed none."""
    rows = [
        [row.method, "published", *(f"{row.metrics[c]:.1f}" for c in ACTIVITYNET12_COLUMNS)]
        for row in PUBLISHED_ABLATION.get(spec.published or "", ())
    ]
    if not rows:
        return None
    note = "Table 3 of the CLIP-AE paper, as printed: unsupervised, each module with its loss, no seeds, no intervals."
    header = ["modules", "source", *map(format_column_heading, ACTIVITYNET12_COLUMNS)]
    return ResultTable("The published ablation, mAP, %", header, rows, 2, (note, SELECTION_NOTE))


def _format_difference(first: ScoredRun, second: ScoredRun) -> list[str]:
    """Cells: difference of the widest average, its interval, the number of seeds."""
    widest = list_tiou_ranges(first)[-1]
    difference = compare_paired(first.get_percent_by_seed(widest), second.get_percent_by_seed(widest))
    interval = f"[{', '.join(map(_format_signed, difference.interval))}]" if difference.interval else "-"
    return [_format_signed(difference.mean), interval, str(difference.num_values)]


def _format_signed(value: float) -> str:
    # Adding 0 turns -0.0 into 0.0. With two decimals, an interval end near 0 keeps its sign.
    return f"{round(value, 2) + 0.0:+.2f}"


def _describe_run(spec: SummarizeSpec, run: ScoredRun) -> list[str]:
    return [run.name, format_run_title(spec, run.settings), describe_source(spec)]


def _format_parts(run: Run) -> list[str]:
    return ["on" if active else "-" for active in get_active_parts(run)]


def _format_means(run: ScoredRun, columns: Sequence[str]) -> list[str]:
    return [format_mean_sd(run.get_percent_by_seed(c).values()) for c in columns]


def _list_difference_headings(name: str) -> list[str]:
    return [name, f"{100 * CONFIDENCE:.0f} % interval", "seeds"]


def _describe_differences(base: ScoredRun) -> str:
    heading = format_column_heading(list_tiou_ranges(base)[-1])
    return f"Differences in percentage points of {heading}; {base.name} is the run without modules."
