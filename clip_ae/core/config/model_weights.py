"""The key `model` of an encoder: pretrained weights by their name in a library, in place of an entry of `weights`."""

import re
from dataclasses import replace

from clip_ae.core.config.network_options import TimmOptions, TorchvisionOptions
from clip_ae.core.config.schema import Config, Dataset, Weights
from clip_ae.core.config.streams import LibraryEncoder, Stream
from clip_ae.core.errors import UserError


def expand_models(config: Config) -> Config:
    """The config with an entry of `weights` for every `model`. An entry of that name in the config is used as it is."""
    models = []
    for name, data in config.datasets.items():
        for stream, encoder in data.streams.items():
            if isinstance(encoder, LibraryEncoder):
                check_library_encoder(f"datasets.{name}.streams.{stream}", encoder)
                models += [encoder] if encoder.model else []
    return replace(
        config,
        weights={**dict(map(implicit_weights, models)), **config.weights},
        datasets={name: _name_all_weights(data) for name, data in config.datasets.items()},
    )


def _name_all_weights(data: Dataset) -> Dataset:
    return replace(data, streams={name: name_weights(stream) for name, stream in data.streams.items()})


def implicit_weights(encoder: LibraryEncoder) -> tuple[str, Weights]:
    """Name and content of the `weights` entry that the encoder's `model` stands for."""
    model = encoder.model or ""
    name = _make_name(encoder.encoder, model)
    if encoder.encoder == "timm":
        return name, Weights(f"timm:{model}", timm=TimmOptions(model))
    architecture, _, tag = model.partition(".")
    source = f"torchvision:{architecture}/{tag or 'DEFAULT'}"
    return name, Weights(source, torchvision=TorchvisionOptions(architecture))


def describe_entry(name: str, weights: Weights) -> str:
    """The entry of `weights`, for messages; an entry that `model` stands for is not in the user's config."""
    model = weights.source.partition(":")[2].replace("/", ".")
    implicit_names = [_make_name(weights.network_kind, text) for text in (model, model.removesuffix(".DEFAULT"))]
    return f"weights.{name}, the `model` of a stream" if name in implicit_names else f"weights.{name}"


def _make_name(library: str, model: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", f"{library}-{model}")


def name_weights(stream: Stream) -> Stream:
    """The stream with `weights` in place of `model`, so that both spellings are the same spec."""
    if not isinstance(stream, LibraryEncoder) or stream.model is None:
        return stream
    return replace(stream, weights=implicit_weights(stream)[0], model=None)


def check_library_encoder(where: str, encoder: LibraryEncoder) -> None:
    """Raise a UserError unless exactly one of `weights` and `model` is given."""
    if (encoder.weights is None) == (encoder.model is None):
        given = "both are" if encoder.model else "neither is"
        raise UserError(f"{where}: give one of `weights` (an entry of `weights`) and `model`; {given} given")
