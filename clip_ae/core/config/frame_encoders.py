"""Encoders that read some frames of a snippet, or of a longer window around it, with a network of timm or torchvision.

An encoder names its network by `weights`, an entry of the config's `weights`, or by `model`, pretrained weights that
the library knows. `implicit_weights` is the entry that a `model` stands for.
"""

import re
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

from clip_ae.core.config.dataclass_config import key
from clip_ae.core.config.network_options import TimmOptions, TorchvisionOptions
from clip_ae.core.config.schema import StreamEncoder, Weights
from clip_ae.core.errors import UserError

E = TypeVar("E", bound="FrameEncoder")


@dataclass(frozen=True)
class FrameEncoder(StreamEncoder):
    """The keys of every encoder that reads sampled frames. Exactly one of `weights` and `model` is given."""

    weights: str | None = key(None, "name of an entry of `weights`")  # type: ignore[assignment]
    model: str | None = key(None, "in place of `weights`: pretrained weights by their name in the library")
    frames: int = key(4, "frames per snippet, evenly spread over the window", minimum=1, maximum=256)
    window_s: float | None = key(
        None,
        "seconds; the frames are spread over this window, centred on the snippet; null: the snippet",
        above=0,
        maximum=30,
    )


@dataclass(frozen=True)
class TimmEncoder(FrameEncoder):
    """An image network of timm on frames; their embeddings are averaged."""

    NETWORK_KIND_BY_KEY: ClassVar = {"weights": "timm"}
    batch_size: int = key(8, "snippets per forward pass; it changes features by rounding only", minimum=1)


@dataclass(frozen=True)
class TorchvisionEncoder(FrameEncoder):
    """A video network of torchvision on a clip of frames."""

    NETWORK_KIND_BY_KEY: ClassVar = {"weights": "torchvision"}
    frames: int = key(16, "frames per snippet, evenly spread over the window", minimum=1, maximum=256)


def implicit_weights(encoder: FrameEncoder) -> tuple[str, Weights]:
    """Name and content of the `weights` entry that the encoder's `model` stands for."""
    model = encoder.model or ""
    kind = encoder.NETWORK_KIND_BY_KEY["weights"]
    name = re.sub(r"[^A-Za-z0-9_-]", "-", f"{kind}-{model}")
    if kind == "timm":
        return name, Weights(f"timm:{model}", timm=TimmOptions(model))
    architecture, _, tag = model.partition(".")
    source = f"torchvision:{architecture}/{tag or 'DEFAULT'}"
    return name, Weights(source, torchvision=TorchvisionOptions(architecture))


def name_weights(encoder: E) -> E:
    """The encoder with `weights` in place of `model`, so that both spellings are the same spec."""
    if encoder.model is None:
        return encoder
    return replace(encoder, weights=implicit_weights(encoder)[0], model=None)


def check_frame_encoder(where: str, encoder: FrameEncoder) -> None:
    """Raise a UserError unless exactly one of `weights` and `model` is given."""
    if (encoder.weights is None) == (encoder.model is None):
        given = "both are" if encoder.model else "neither is"
        raise UserError(f"{where}: give one of `weights` (an entry of `weights`) and `model`; {given} given")
