"""The audio stream: VGGish on 0.96 s of sound centred on a snippet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.config import AudioEncoder, VggishOptions
from clip_ae.core.typed import read
from clip_ae.encoders.inference import infer
from clip_ae.encoders.log_mel import log_mel
from clip_ae.encoders.networks import vggish
from clip_ae.encoders.networks.fit import fit


@dataclass(frozen=True)
class Audio:
    """Samples [15360] at 16 kHz to features [dim]."""

    network: vggish.Vggish
    device: str
    short_side: None = None
    lookahead: int = 0

    @property
    def dim(self) -> int:
        return self.network.dim

    def prepare(self, window: NDArray[Any]) -> NDArray[np.float32]:
        return log_mel(window.astype(np.float32))[None]

    def encode(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return infer(self.network.embed, batch, self.device)


def build(encoder: AudioEncoder, about: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]], device: str) -> Audio:
    options = read(VggishOptions, about["vggish"], encoder.weights)
    return Audio(fit(vggish.build(options), tensors, encoder.weights).to(device), device)
