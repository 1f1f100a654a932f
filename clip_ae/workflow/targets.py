"""Targets on Snakemake's command line, checked before the DAG is built: a misspelt one ends in one line."""

from collections.abc import Sequence

from clip_ae.core import paths
from clip_ae.core.config.schema import Config
from clip_ae.core.errors import UserError, suggest_name

PER_DATASET = (
    *(f"results/{{dataset}}_{summary}" for summary in ("map.json", "detections.json", "table.md", "table.csv")),
    "results/{dataset}_ablation.md",
    paths.DIAGNOSIS,
    paths.REPORT,
    paths.REPRO,
    paths.GROUNDING,
    paths.FEWSHOT,
)


def check_targets(words: Sequence[str], config: Config) -> None:
    """Refuse a word like `results/mien_map.json` that no dataset's results are called."""
    known = {pattern.format(dataset=name) for name in config.datasets for pattern in PER_DATASET}
    known |= {paths.GROUNDING_TABLE.format(dataset=name) for name in config.datasets}
    known |= {paths.FEWSHOT_TABLE.format(dataset=name) for name in config.datasets}
    for word in words:
        # Deeper paths are intermediate files: Snakemake itself checks these.
        if word.startswith("results/") and word.count("/") == 1 and word not in known:
            raise UserError(f"{word}: no rule makes this file{suggest_name(word, known)}")
