"""CLIP (Radford et al., ICML 2021): open_clip's models, and a tiny model for the demo."""

import contextlib
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn

from clip_ae.core.config.schema import ClipOptions
from clip_ae.core.errors import UserError, suggest_name
from clip_ae.encoders.networks.state_dict import unwrap_state_dict

# CLIP's ResNet, not its transformer: the ResNet learns to recognise shapes from a thousand clips.
TINY_CONFIG: dict[str, Any] = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": 64, "layers": (1, 1, 1, 1), "width": 32, "head_width": 32},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}


class Tokenizer(Protocol):
    """Texts to token ids [texts, context_length]: longer texts are cut, shorter ones padded."""

    context_length: int

    def __call__(self, texts: list[str], context_length: int | None = None) -> Tensor: ...


def input_description(options: ClipOptions) -> str:
    """The network's input, for the metadata of network files."""
    return "RGB, centre crop, (x / 255 - mean) / std"


def build(options: ClipOptions) -> nn.Module:
    """open_clip's network (image tower and text tower) with random weights."""
    import open_clip

    if options.architecture == "tiny":
        return open_clip.CLIP(**TINY_CONFIG)  # type: ignore[no-any-return]
    architectures = open_clip.list_models()
    if options.architecture not in architectures:
        raise UserError(
            f"clip.architecture: {options.architecture} is not an open_clip model"
            f"{suggest_name(options.architecture, architectures)}"
        )
    with _silence_warnings():
        return open_clip.create_model(options.architecture)  # type: ignore[no-any-return]


@contextlib.contextmanager
def _silence_warnings() -> Iterator[None]:
    """Silence open_clip's warning of random weights, which are replaced next, and the hub's of each failed attempt."""
    level_before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(level_before)


def get_image_size(network: nn.Module) -> int:
    """Side in pixels of the image tower's square input."""
    size: int | tuple[int, int] = network.visual.image_size  # type: ignore[union-attr, assignment]
    return size if isinstance(size, int) else size[0]


def get_tokenizer(options: ClipOptions) -> Tokenizer:
    """The tokenizer of the architecture's text tower."""
    import open_clip

    if options.architecture == "tiny":
        return open_clip.SimpleTokenizer(context_length=TINY_CONFIG["text_cfg"]["context_length"])  # type: ignore[no-any-return]
    return open_clip.get_tokenizer(options.architecture)  # type: ignore[no-any-return]


def convert_state_dict(state_dict: Mapping[str, Any]) -> dict[str, Any]:
    """A state dict in open_clip's layout, with this network's names."""
    return unwrap_state_dict(state_dict)


def get_pretrained_facts(options: ClipOptions, model_tag: str) -> dict[str, Any]:
    """open_clip's facts about the weights ARCHITECTURE/TAG.

    Weights for another activation are an error: they would load without a message and give wrong features.
    """
    import open_clip

    architecture, _, tag = model_tag.partition("/")
    facts: dict[str, Any] = open_clip.get_pretrained_cfg(architecture, tag)
    if not facts:
        tags = open_clip.list_pretrained_tags_by_model(architecture)
        raise UserError(f"{model_tag}: open_clip has no such weights{suggest_name(tag, tags)}")
    if architecture != options.architecture:
        raise UserError(f"{model_tag}: weights for {architecture}, but clip.architecture is {options.architecture}")
    model = open_clip.get_model_config(architecture)
    if bool(facts.get("quick_gelu")) != bool(model.get("quick_gelu")):
        raise UserError(
            f"{model_tag}: made with {_activation_name(facts)}, {architecture} has {_activation_name(model)}; "
            f"use {_swap_activation(architecture)}"
        )
    return facts


def download_weights(facts: dict[str, Any]) -> Path:
    """Path of the weights file, in the download cache of open_clip or of the Hugging Face hub."""
    from open_clip.pretrained import download_pretrained

    with _silence_warnings():
        return Path(download_pretrained(facts))


def _activation_name(facts: Mapping[str, Any]) -> str:
    return "QuickGELU" if facts.get("quick_gelu") else "GELU"


def _swap_activation(architecture: str) -> str:
    """The same architecture with the other activation."""
    if architecture.endswith("-quickgelu"):
        return architecture.removesuffix("-quickgelu")
    return f"{architecture}-quickgelu"
