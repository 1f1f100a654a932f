"""Check the targets on Snakemake's command line before the DAG is built: a misspelt one is an error of one line."""

from collections.abc import Sequence

from clip_ae.core import paths
from clip_ae.core.config.schema import Config
from clip_ae.core.config.stages import STAGES
from clip_ae.core.errors import UserError, suggest_name


def check_targets(words: Sequence[str], config: Config) -> None:
    """Refuse a target such as `results/mien_map.json` that is not a result of any dataset."""
    targets = {
        pattern.format(dataset=name, summary=summary)
        for stage in STAGES.values()
        for pattern in stage.outputs
        if pattern.startswith("results/{dataset}_")
        for name in config.datasets
        for summary in paths.SUMMARIES
    }
    for word in words:
        # Snakemake itself checks deeper paths, which are intermediate files.
        if word.startswith("results/") and word.count("/") == 1 and word not in targets:
            raise UserError(f"{word}: no rule makes this file{suggest_name(word, targets)}")
