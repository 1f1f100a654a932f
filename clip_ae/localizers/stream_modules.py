"""Modules by stream."""

from collections.abc import Mapping

from torch import nn

from clip_ae.core.errors import UserError


def modules_by_stream(modules: Mapping[str, nn.Module]) -> nn.ModuleDict:
    """A ModuleDict; UserError for a stream whose name is an attribute of every torch module, such as `train`."""
    for name in modules:
        if hasattr(nn.ModuleDict, name):
            raise UserError(f"streams.{name}: torch uses this name for its own modules; call the stream otherwise")
    return nn.ModuleDict(modules)
