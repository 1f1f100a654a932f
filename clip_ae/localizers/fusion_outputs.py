"""Outputs of a front end, and its interface."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from clip_ae.localizers.batch import Batch


@dataclass(frozen=True)
class CafOutput:
    """chi of both modalities [B, L, d]; 0 for snippets without coverage."""

    audio: Tensor
    visual: Tensor


@dataclass(frozen=True)
class CcpOutput:
    """Z of both views [B, T, d]; 0 for snippets without coverage."""

    cbp: Tensor
    vlp: Tensor

    @property
    def by_view(self) -> dict[str, Tensor]:
        return {"cbp": self.cbp, "vlp": self.vlp}


@dataclass(frozen=True)
class FusedFeatures:
    """The features F of one stream, input of the head, and the outputs of the modules that are on."""

    features: Tensor
    caf: CafOutput | None
    ccp: CcpOutput | None


class FrontEnd(Protocol):
    """The part of a localizer before the head."""

    def __call__(self, batch: Batch) -> Mapping[str, FusedFeatures]: ...

    def diagnostics(self, batch: Batch) -> dict[str, float]:
        """The entropy of the attention maps (1 is uniform), and their learned scales."""
        ...
