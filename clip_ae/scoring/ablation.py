"""What each part of CLIP-AE brings: the paper's Table 3 with its two losses apart, as paired differences."""

from collections.abc import Sequence

from clip_ae.core.methods import Run, completed
from clip_ae.core.specs import SummarizeSpec
from clip_ae.core.tables import METHODS
from clip_ae.scoring.paired import CONFIDENCE, paired
from clip_ae.scoring.published import ABLATION, ACTIVITYNET12, SELECTION
from clip_ae.scoring.results import Scored, Sheet, averages, heading, mean_sd, ordered, source, title

OURS = ("ugct", "clip_ae")
WORDS = ["run", "method", "source"]
PARTS = ["CAF", "L_de-cor", "CCP", "L_ins-dis"]
LEAD = (
    "A loss is on where its module is on and its weight is not 0; without modules CLIP-AE is UGCT. Runs that differ in "
    "anything else (UGCT's switches, other losses' weights, clustering, descriptor) stand in the results table alone.",
    "Differences are taken seed by seed. Their interval is Student's t: it speaks of other seeds, not of other videos, "
    "and makes no allowance for the number of comparisons.",
)


def sheets(spec: SummarizeSpec, runs: Sequence[Scored]) -> list[Sheet]:
    """Ours with and without each part, the rivals, and the paper's own ablation."""
    told_nothing = [run for run in ordered(runs) if run.settings.supervision == "unsupervised"]
    ours = [run for run in told_nothing if run.settings.method in OURS]
    rivals = [run for run in told_nothing if run.settings.method not in OURS]
    base = baseline(ours)
    found = [_parts(spec, [run for run in ours if base is None or comparable(run, base)], base)]
    if base and rivals:
        found.append(_rivals(spec, base, rivals))
    return [*found, *_published(spec)]


def baseline(runs: Sequence[Scored]) -> Scored | None:
    """The `none` row: UGCT itself, or CLIP-AE without modules."""
    bare = [r for r in runs if not (r.settings.caf or r.settings.ccp) and _head(r.settings) == METHODS["ugct"].head]
    return min(bare, key=lambda run: (OURS.index(run.settings.method), run.name), default=None)


def comparable(run: Scored, base: Scored) -> bool:
    """Whether nothing but modules and the weights of their losses sets a run apart from the row without them."""
    mine, bare = (completed(r.settings) for r in (run, base))
    own = {k: v for k, v in run.settings.losses.items() if k not in ("decor", "ins_dis")}
    theirs = {k: v for k, v in base.settings.losses.items() if k not in ("decor", "ins_dis")}
    same = ("clustering", "descriptor")
    settings = (getattr(run.settings, name) == getattr(base.settings, name) for name in same)
    return mine["ugct"] == bare["ugct"] and own == theirs and all(settings)


def parts(run: Run) -> tuple[bool, bool, bool, bool]:
    """CAF, L_de-cor, CCP, L_ins-dis: on or off."""
    caf, ccp = run.caf is not None, run.ccp is not None
    return caf, caf and run.losses.get("decor", 1.0) != 0, ccp, ccp and run.losses.get("ins_dis", 1.0) != 0


def _head(run: Run) -> str:
    return run.ugct.base if run.ugct else METHODS[run.method].head


def _parts(spec: SummarizeSpec, runs: Sequence[Scored], base: Scored | None) -> Sheet:
    name = "CAF, CCP and their losses, average mAP, %"
    if not runs:
        return Sheet(name, [], [], 0, ("No unsupervised run of UGCT or CLIP-AE is in this dataset's `runs`.",))
    found = averages(runs[0])
    header = [*WORDS, *PARTS, *map(heading, found)]
    words = len(WORDS) + len(PARTS)
    rows = [[*_words(spec, r), *("on" if on else "-" for on in parts(r.settings)), *_means(r, found)] for r in runs]
    if base is None:
        note = "No run without modules is in this dataset's `runs`, so there is nothing to take differences to."
        return Sheet(name, header, rows, words, (note,))
    differences = [["-"] * 3 if run is base else _difference(run, base) for run in runs]
    body = [[*row, *difference] for row, difference in zip(rows, differences, strict=True)]
    return Sheet(name, [*header, *_heads(f"minus {base.name}")], body, words, (_note(base),))


def _rivals(spec: SummarizeSpec, base: Scored, rivals: Sequence[Scored]) -> Sheet:
    found = averages(base)
    header = [*WORDS, *map(heading, found), *_heads(f"{base.name} minus it")]
    rows = [[*_words(spec, run), *_means(run, found), *_difference(base, run)] for run in rivals]
    return Sheet("UGCT against the rivals, average mAP, %", header, rows, len(WORDS), (_note(base),))


def _published(spec: SummarizeSpec) -> list[Sheet]:
    rows = [
        [row.method, "published", *(f"{row.figures[c]:.1f}" for c in ACTIVITYNET12)]
        for row in ABLATION.get(spec.published or "", ())
    ]
    note = "Table 3 of the CLIP-AE paper, as printed: unsupervised, each module with its loss, no seeds, no intervals."
    header = ["modules", "source", *map(heading, ACTIVITYNET12)]
    return [Sheet("The published ablation, mAP, %", header, rows, 2, (note, SELECTION))] if rows else []


def _difference(first: Scored, second: Scored) -> list[str]:
    """Of the widest average, its interval, and over how many seeds."""
    widest = averages(first)[-1]
    found = paired(first.percent(widest), second.percent(widest))
    interval = f"[{', '.join(map(_signed, found.interval))}]" if found.interval else "-"
    return [_signed(found.mean), interval, str(found.seeds)]


def _signed(value: float) -> str:
    # Adding 0 turns -0.0 into 0.0.
    return f"{round(value, 1) + 0.0:+.1f}"


def _words(spec: SummarizeSpec, run: Scored) -> list[str]:
    return [run.name, title(run.settings), source(spec)]


def _means(run: Scored, found: Sequence[str]) -> list[str]:
    return [mean_sd(run.percent(c).values()) for c in found]


def _heads(name: str) -> list[str]:
    return [name, f"{100 * CONFIDENCE:.0f} % interval", "seeds"]


def _note(base: Scored) -> str:
    return f"Differences in percentage points of {heading(averages(base)[-1])}; {base.name} is the row without modules."
