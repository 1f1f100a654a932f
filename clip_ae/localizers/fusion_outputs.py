"""What stands before a head makes of the I3D streams."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from clip_ae.localizers.batch import Batch


@dataclass(frozen=True)
class CafOutput:
    """CAF's chi of both modalities, [B, L, d]; 0 where there is no such snippet."""

    audio: Tensor
    visual: Tensor


@dataclass(frozen=True)
class CcpOutput:
    """CCP's Z of both views, [B, T, d]; 0 where there is no such snippet."""

    cbp: Tensor
    vlp: Tensor


@dataclass(frozen=True)
class FusedFeatures:
    """Of one stream: the features F that its head sees, and what the modules that are on made."""

    features: Tensor
    caf: CafOutput | None
    ccp: CcpOutput | None


class FrontEnd(Protocol):
    """A front end."""

    def __call__(self, batch: Batch) -> Mapping[str, FusedFeatures]: ...

    def diagnostics(self, batch: Batch) -> dict[str, float]:
        """How even its attention maps are, where 1 points nowhere, and what sharpens them."""
        ...
