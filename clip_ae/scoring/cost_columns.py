"""What a run costs, for the tables of results: parameters of its localizer, and minutes of training."""

import statistics

from clip_ae.scoring.results import ScoredRun

COST_COLUMNS = ["parameters", "training minutes"]
COST_NOTE = (
    "Parameters are those of the localizer that localizes: of UGCT and CLIP-AE the students, without teachers and "
    "memory banks. Training minutes are the run time of the training jobs of all rounds, mean over seeds, as Snakemake "
    "measured it here: they depend on the machine and its load, and a resumed training counts from its last start only."
)


def format_cost_cells(run: ScoredRun, *, for_csv: bool = False) -> list[str]:
    """Cells of COST_COLUMNS; empty for the CSV, else `-`, where a value is not known."""
    sizes = [result["num_parameters"] for result in run.results.values() if "num_parameters" in result]
    minutes = [run.training_minutes[seed] for seed in run.results if seed in run.training_minutes]
    blank, size_format = ("", ".0f") if for_csv else ("-", ",.0f")
    return [
        format(statistics.fmean(values), spec) if len(values) == len(run.results) else blank
        for values, spec in ((sizes, size_format), (minutes, ".1f"))
    ]
