"""Check the targets on Snakemake's command line before the DAG is built: a misspelt one is an error of one line."""

import os
from collections.abc import Sequence
from pathlib import Path

from clip_ae.core import paths
from clip_ae.core.config.schema import Config
from clip_ae.core.config.stages import STAGES, find_output
from clip_ae.core.errors import UserError, find_similar_name, suggest_name

# How similar a path in any folder must be to a target to be taken for a misspelt one: 1 for equal words.
MISSPELT_TARGET = 0.9


def check_targets(words: Sequence[str], config: Config) -> None:
    """Refuse a target such as `results/mien_map.json` that is not a result of any dataset.

    Snakemake itself checks intermediate files, in subfolders of results/.
    """
    targets = _list_targets(config)
    for previous, word in zip(("", *words), words, strict=False):
        path = os.path.normpath(word)
        if word.startswith("-") or "=" in word or "/" not in path or path in targets:
            continue
        is_result = path.startswith("results/") and path.count("/") == 1
        if is_result or not (_takes_value(previous) or Path(path).exists()):
            _refuse_unknown_dataset(path, config)
            if is_result or _is_misspelt(path, targets):
                raise UserError(f"{word}: no rule makes this file{suggest_name(path, targets)}")


def _list_targets(config: Config) -> set[str]:
    """The results of every dataset that lie directly in results/."""
    return {
        pattern.format(dataset=name, summary=summary)
        for stage in STAGES.values()
        for pattern in stage.outputs
        if pattern.startswith("results/{dataset}_")
        for name in config.datasets
        for summary in paths.SUMMARIES
    }


def _takes_value(word: str) -> bool:
    """Whether the word after this one may be the value of an option."""
    return word.startswith("--") and word != "--"


def _refuse_unknown_dataset(path: str, config: Config) -> None:
    """Refuse an output of a dataset that the config does not have."""
    found = find_output(path)
    dataset = found[1].get("dataset") if found else None
    if dataset is None or dataset in config.datasets:
        return
    similar = find_similar_name(dataset, config.datasets)
    other = path.replace(f"results/{dataset}", f"results/{similar}", 1)
    question = f", or did you mean '{other}'?" if similar else ""
    raise UserError(f"{path}: the config has no dataset '{dataset}'; add it to config.yaml{question}")


def _is_misspelt(path: str, targets: set[str]) -> bool:
    """Whether the path is meant as one of the targets."""
    return find_output(path) is None and find_similar_name(path, targets, MISSPELT_TARGET) is not None
