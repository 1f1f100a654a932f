"""Check, convert and save a network's weights with their provenance."""

from pathlib import Path
from typing import Annotated

from clip_ae.core.config.specs import WeightsSpec
from clip_ae.pipeline.network_weights import convert_weights


def run(
    spec: WeightsSpec,
    *,
    out: Annotated[Path, "checked and converted weights (safetensors)"],
    pretrained: Annotated[Path | None, "output of the pretrain stage, for the source `pretrain`"] = None,
) -> None:
    convert_weights(spec, out, pretrained)
