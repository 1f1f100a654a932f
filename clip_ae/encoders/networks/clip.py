"""CLIP (Radford et al., ICML 2021): open_clip's models, and a tiny one of our own for the demo."""

import contextlib
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn

from clip_ae.core.config.schema import ClipOptions
from clip_ae.core.errors import UserError, suggest_name
from clip_ae.encoders.networks.state_dict import unwrap_state_dict

# CLIP's ResNet, not its transformer: from a thousand clips that learns to tell shapes.
TINY_CONFIG: dict[str, Any] = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": 64, "layers": (1, 1, 1, 1), "width": 32, "head_width": 32},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}


class Tokenizer(Protocol):
    """Rows of token ids as long as the context: what is longer is cut, what is shorter is padded."""

    context_length: int

    def __call__(self, texts: list[str], context_length: int | None = None) -> Tensor: ...


def input_description(options: ClipOptions) -> str:
    return "RGB, centre crop, (x / 255 - mean) / std"


def build(options: ClipOptions) -> nn.Module:
    """An image tower and a text tower, as open_clip lays them out."""
    import open_clip

    if options.architecture == "tiny":
        return open_clip.CLIP(**TINY_CONFIG)  # type: ignore[no-any-return]
    known = open_clip.list_models()
    if options.architecture not in known:
        raise UserError(
            f"clip.architecture: {options.architecture} is not an open_clip model"
            f"{suggest_name(options.architecture, known)}"
        )
    with _quiet():
        return open_clip.create_model(options.architecture)  # type: ignore[no-any-return]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """open_clip warns of random weights, which are about to be replaced, and the hub of every try that failed."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def get_image_size(network: nn.Module) -> int:
    """Side of the square images that the image tower reads."""
    size: int | tuple[int, int] = network.visual.image_size  # type: ignore[union-attr, assignment]
    return size if isinstance(size, int) else size[0]


def get_tokenizer(options: ClipOptions) -> Tokenizer:
    """Texts to the token ids that the text tower reads."""
    import open_clip

    if options.architecture == "tiny":
        return open_clip.SimpleTokenizer(context_length=TINY_CONFIG["text_cfg"]["context_length"])  # type: ignore[no-any-return]
    return open_clip.get_tokenizer(options.architecture)  # type: ignore[no-any-return]


def convert_state_dict(state_dict: Mapping[str, Any]) -> dict[str, Any]:
    """A state dict in open_clip's layout under this network's names."""
    return unwrap_state_dict(state_dict)


def get_pretrained_facts(options: ClipOptions, model_tag: str) -> dict[str, Any]:
    """open_clip's facts on ARCHITECTURE/TAG; weights for another activation load silently and are wrong: refused."""
    import open_clip

    architecture, _, tag = model_tag.partition("/")
    facts: dict[str, Any] = open_clip.get_pretrained_cfg(architecture, tag)
    if not facts:
        known = open_clip.list_pretrained_tags_by_model(architecture)
        raise UserError(f"{model_tag}: open_clip knows no such weights{suggest_name(tag, known)}")
    if architecture != options.architecture:
        raise UserError(f"{model_tag}: made for {architecture}, but clip.architecture is {options.architecture}")
    model = open_clip.get_model_config(architecture)
    if bool(facts.get("quick_gelu")) != bool(model.get("quick_gelu")):
        raise UserError(
            f"{model_tag}: made with {_gelu(facts)}, {architecture} has {_gelu(model)}; use {_twin(architecture)}"
        )
    return facts


def download_weights(facts: dict[str, Any]) -> Path:
    """The file behind `published`, in the download cache of open_clip or of the Hugging Face hub."""
    from open_clip.pretrained import download_pretrained

    with _quiet():
        return Path(download_pretrained(facts))


def _gelu(facts: Mapping[str, Any]) -> str:
    return "QuickGELU" if facts.get("quick_gelu") else "GELU"


def _twin(architecture: str) -> str:
    """The same architecture with the other activation."""
    bare = architecture.removesuffix("-quickgelu")
    return bare if bare != architecture else f"{architecture}-quickgelu"
