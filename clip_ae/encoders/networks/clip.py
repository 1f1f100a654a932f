"""CLIP (Radford et al., ICML 2021): open_clip's models, and a tiny model for the demo."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from clip_ae.core.config.schema import ClipOptions
from clip_ae.core.errors import UserError, suggest_name
from clip_ae.core.types import FrameSize
from clip_ae.encoders.crops import CLIP_MEAN, CLIP_STD
from clip_ae.encoders.frame_input import FrameInput
from clip_ae.encoders.networks.published import PublishedWeights, silence_warnings
from clip_ae.encoders.networks.state_dict import unwrap_state_dict

# Token ids of the tiny model: open_clip's, folded into fewer.
TINY_VOCABULARY = 4096
# CLIP's ResNet, not its transformer: the ResNet learns to recognise shapes from a thousand clips.
TINY_CONFIG: dict[str, Any] = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": 64, "layers": (1, 1, 1, 1), "width": 16, "head_width": 32},
    "text_cfg": {"context_length": 16, "vocab_size": TINY_VOCABULARY, "width": 64, "heads": 2, "layers": 2},
}

# open_clip's own default, for architectures that do not state a size.
DEFAULT_IMAGE_SIZE = 224
# What most weights expect; records state what differs.
OPENAI_RECORD: dict[str, Any] = {
    "mean": CLIP_MEAN,
    "std": CLIP_STD,
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}


class Tokenizer(Protocol):
    """Texts to token ids [texts, context_length]: longer texts are cut, shorter ones padded."""

    context_length: int

    def __call__(self, texts: list[str], context_length: int | None = None) -> Tensor: ...


class FoldedTokenizer:
    """open_clip's tokenizer with its ids folded into TINY_VOCABULARY: rare words share an embedding (hashing trick)."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.context_length: int = tokenizer.context_length

    def __call__(self, texts: list[str], context_length: int | None = None) -> Tensor:
        ids: Tensor = self.tokenizer(texts, context_length)
        # The marks of a text's start and end stay the largest ids: the text tower finds the end by argmax.
        num_marks = 2
        first_mark = self.tokenizer.vocab_size - num_marks
        folded = ids % (TINY_VOCABULARY - num_marks)
        return torch.where(ids < first_mark, folded, ids - self.tokenizer.vocab_size + TINY_VOCABULARY)


def input_description(options: ClipOptions) -> str:
    """The network's input, for the metadata of network files."""
    return get_frame_input(options).describe()


def build(options: ClipOptions) -> nn.Module:
    """open_clip's network (image tower and text tower) with random weights."""
    import open_clip

    if options.architecture == "tiny":
        return open_clip.CLIP(**TINY_CONFIG)  # type: ignore[no-any-return]
    check_architecture(options)
    with silence_warnings():
        return open_clip.create_model(options.architecture)  # type: ignore[no-any-return]


def check_architecture(options: ClipOptions) -> None:
    """Raise a UserError that names the nearest architecture if open_clip has none of this name."""
    import open_clip

    architectures = open_clip.list_models()
    if options.architecture not in architectures:
        raise UserError(
            f"clip.architecture: {options.architecture} is not an open_clip model"
            f"{suggest_name(options.architecture, architectures)}"
        )


def get_image_size(network: nn.Module) -> int:
    """Side in pixels of the image tower's square input."""
    size: int | tuple[int, int] = network.visual.image_size  # type: ignore[union-attr, assignment]
    return size if isinstance(size, int) else size[0]


def get_tokenizer(options: ClipOptions) -> Tokenizer:
    """The tokenizer of the architecture's text tower."""
    import open_clip

    if options.architecture == "tiny":
        return FoldedTokenizer(open_clip.SimpleTokenizer(context_length=TINY_CONFIG["text_cfg"]["context_length"]))
    return open_clip.get_tokenizer(options.architecture)  # type: ignore[no-any-return]


def convert_state_dict(state_dict: Mapping[str, Any], options: ClipOptions) -> dict[str, Any]:
    """A state dict in open_clip's layout, with this network's names."""
    return unwrap_state_dict(state_dict)


def find_published(options: ClipOptions, name: str) -> PublishedWeights:
    """open_clip's record of the weights ARCHITECTURE/TAG."""
    facts = get_pretrained_facts(options, name)
    repository = facts.get("hf_hub")
    address = f"https://huggingface.co/{repository}" if repository else facts["url"]
    metadata = get_frame_input(options, name).to_metadata()
    return PublishedWeights(address, lambda: download_weights(facts), metadata=metadata)


def get_frame_input(options: ClipOptions, name: str | None = None) -> FrameInput:
    """The input of the weights ARCHITECTURE/TAG by open_clip's record.

    Without a name: the input that the records of all weights of the architecture agree on; OpenAI's if they do not.
    """
    side: int = _get_config(options)["vision_cfg"].get("image_size", DEFAULT_IMAGE_SIZE)
    records = [_get_pretrained_cfg(name)] if name else _list_records(options.architecture)
    inputs = {_to_frame_input(record, side) for record in records}
    return inputs.pop() if len(inputs) == 1 else _to_frame_input(OPENAI_RECORD, side)


def _to_frame_input(record: Mapping[str, Any], side: int) -> FrameInput:
    facts = {**OPENAI_RECORD, **record}
    sizes: dict[str, FrameSize] = {"shortest": side, "squash": (side, side)}
    if facts["resize_mode"] not in sizes:
        raise UserError(
            f"clip: images are resized by open_clip's mode {facts['resize_mode']}; only "
            f"{' and '.join(sizes)} are known here"
        )
    mean, std = tuple(facts["mean"]), tuple(facts["std"])
    return FrameInput(sizes[facts["resize_mode"]], side, mean, std, facts["interpolation"])


def _list_records(architecture: str) -> list[dict[str, Any]]:
    """open_clip's records of all weights of an architecture."""
    import open_clip

    tags = open_clip.list_pretrained_tags_by_model(architecture)
    return [open_clip.get_pretrained_cfg(architecture, tag) for tag in tags]


def _get_pretrained_cfg(name: str) -> dict[str, Any]:
    """open_clip's record of ARCHITECTURE/TAG; empty if it has none."""
    import open_clip

    architecture, _, tag = name.partition("/")
    record: dict[str, Any] = open_clip.get_pretrained_cfg(architecture, tag)
    return record


def get_embedding_dim(options: ClipOptions) -> int:
    """Length of an embedding of an image or a text."""
    dim: int = _get_config(options)["embed_dim"]
    return dim


def _get_config(options: ClipOptions) -> dict[str, Any]:
    """open_clip's description of an architecture."""
    import open_clip

    if options.architecture == "tiny":
        return TINY_CONFIG
    check_architecture(options)
    config: dict[str, Any] = open_clip.get_model_config(options.architecture)
    return config


def get_pretrained_facts(options: ClipOptions, model_tag: str) -> dict[str, Any]:
    """open_clip's facts about the weights ARCHITECTURE/TAG.

    Weights for another activation are an error: they would load without a message and give wrong features.
    """
    import open_clip

    architecture, _, tag = model_tag.partition("/")
    facts = _get_pretrained_cfg(model_tag)
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

    with silence_warnings():
        return Path(download_pretrained(facts))


def _activation_name(facts: Mapping[str, Any]) -> str:
    return "QuickGELU" if facts.get("quick_gelu") else "GELU"


def _swap_activation(architecture: str) -> str:
    """The same architecture with the other activation."""
    if architecture.endswith("-quickgelu"):
        return architecture.removesuffix("-quickgelu")
    return f"{architecture}-quickgelu"
