"""A stage is declared once: its name, its spec, its outputs.

The command line, plan, verify and explain are derived from it.
"""

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from clip_ae.core.config.specs import Spec

BuildSpec = TypeVar("BuildSpec", bound=Callable[..., Spec])


@dataclass(frozen=True)
class Stage:
    """A stage of the workflow: rule, sub-command and file in clip_ae/stages have its name."""

    name: str
    # Cuts the config to the spec of one job; its parameters after `config` are wildcards of the output's path.
    build_spec: Callable[..., Spec]
    # Path patterns of outputs with provenance. Training logs and the demo's videos have none of their own.
    outputs: tuple[str, ...]

    @property
    def spec_class(self) -> type[Spec]:
        spec_class: type[Spec] = typing.get_type_hints(self.build_spec)["return"]
        return spec_class

    @property
    def wildcards(self) -> tuple[str, ...]:
        return tuple(inspect.signature(self.build_spec).parameters)[1:]


# By name, in the order of the workflow.
STAGES: dict[str, Stage] = {}


def stage(*outputs: str) -> Callable[[BuildSpec], BuildSpec]:
    """Declare a stage by the function that builds its spec; the function's name is the stage's."""

    def declare(build_spec: BuildSpec) -> BuildSpec:
        STAGES[build_spec.__name__] = Stage(build_spec.__name__, build_spec, outputs)
        return build_spec

    return declare
