"""All stages: the spec of a job, and the stage behind an output's path."""

from collections.abc import Mapping
from typing import Any

from clip_ae.core import paths
from clip_ae.core.config import stage_registry
from clip_ae.core.config import stage_specs as _declarations  # noqa: F401  # its functions declare the stages
from clip_ae.core.config.schema import Config
from clip_ae.core.config.specs import Spec
from clip_ae.core.errors import UserError

# By name, in the order of the workflow.
STAGES = stage_registry.STAGES
INTEGER_WILDCARDS = frozenset({"seed", "round"})


def build_stage_spec(config: Config, stage_name: str, wildcards: Mapping[str, str]) -> Spec:
    """Build the spec of the job whose output path has these wildcards."""
    stage = STAGES[stage_name]
    _check_wildcards(config, {name: wildcards[name] for name in stage.wildcards})
    values: dict[str, Any] = {
        name: int(wildcards[name]) if name in INTEGER_WILDCARDS else wildcards[name] for name in stage.wildcards
    }
    return stage.build_spec(config, **values)


def _check_wildcards(config: Config, wildcards: Mapping[str, str]) -> None:
    """Refuse wildcards whose dataset, run, adapter or network is not in the config.

    A path on disk may be older than the config.
    """
    known: dict[str, tuple[str, Mapping[str, Any]]] = {
        "dataset": ("datasets", config.datasets),
        "run": ("runs", config.runs),
        "adapter": ("feature_adapters", config.feature_adapters),
        "name": ("weights", config.weights),
    }
    for wildcard, (section, entries) in known.items():
        if wildcard in wildcards and wildcards[wildcard] not in entries:
            raise UserError(f"{section}.{wildcards[wildcard]}: not in the config")


def find_output(path: str) -> tuple[str, Mapping[str, str]] | None:
    """(stage, wildcards) of an output's path; None for any other file."""
    for stage in STAGES.values():
        for pattern in stage.outputs:
            wildcards = paths.parse_wildcards(pattern, path)
            if wildcards is not None:
                return stage.name, wildcards
    return None


def workflow_order(path: str) -> tuple[int, str]:
    """A key to sort outputs by: the order of their stages, then the path."""
    found = find_output(path)
    return (list(STAGES).index(found[0]) if found else len(STAGES), path)
