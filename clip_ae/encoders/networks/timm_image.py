"""Image networks of the library timm (DINOv2, DINOv3, ConvNeXt and others) without their classifier."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import nn

from clip_ae.core.config.network_options import TimmOptions
from clip_ae.core.errors import RefusedInput, UserError, suggest_name
from clip_ae.encoders.frame_input import FrameInput
from clip_ae.encoders.networks.published import PublishedWeights, download_from_hub
from clip_ae.encoders.networks.state_dict import unwrap_state_dict

# Files of a repository of the hub, best first.
HUB_FILES = ("model.safetensors", "pytorch_model.bin")
# timm's ways to make an image square: centre crop, and resize without regard to proportions.
CROP_MODES = ("center", "squash")


def input_description(options: TimmOptions) -> str:
    """The network's input, for the metadata of network files."""
    return get_frame_input(options).describe()


def build(options: TimmOptions) -> nn.Module:
    """The network with random weights. It returns the embedding [B, dim] that the classifier would get."""
    import timm

    _get_record(options.model)
    network: nn.Module = timm.create_model(options.model, num_classes=0, **_size_arguments(options))
    return network


def get_dim(network: nn.Module) -> int:
    """Length of an embedding."""
    dim: int = network.head_hidden_size  # type: ignore[assignment]
    return dim


def convert_state_dict(state_dict: Mapping[str, Any], options: TimmOptions) -> dict[str, Any]:
    """A state dict in the layout of timm or of the network's authors, as timm itself converts it to this network.

    Position embeddings are interpolated to the configured image size. The classifier is left out.
    """
    import timm

    classifiers = _list_classifiers(_get_record(options.model))
    state = {name: value for name, value in unwrap_state_dict(state_dict).items() if not name.startswith(classifiers)}
    # With equal numbers of classes timm refuses a file that lacks a tensor or has another one.
    overlay = {"state_dict": state, "num_classes": 0}
    try:
        network = timm.create_model(
            options.model, pretrained=True, num_classes=0, pretrained_cfg_overlay=overlay, **_size_arguments(options)
        )
    except (RuntimeError, KeyError, ValueError, AttributeError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise RefusedInput(f"timm.model: the file is not one of {options.model} ({reason})") from None
    return unwrap_state_dict(network.state_dict())


def find_published(options: TimmOptions, name: str) -> PublishedWeights:
    """timm's record of the weights MODEL or MODEL.TAG."""
    record = _get_record(name)
    architecture = options.model.partition(".")[0]
    if record["architecture"] != architecture:
        raise UserError(f"timm:{name}: weights for {record['architecture']}, but timm.model is {architecture}")
    metadata = get_frame_input(options, name).to_metadata()
    if "license" in record:
        metadata["licence"] = record["license"]
    repository, url = record.get("hf_hub_id"), record.get("url")
    if repository:
        files = (record["hf_hub_filename"],) if record.get("hf_hub_filename") else HUB_FILES
        address = f"https://huggingface.co/{repository}"
        return PublishedWeights(address, partial(download_from_hub, repository, files), metadata=metadata)
    if not url:
        raise UserError(f"timm:{name}: timm has no weights of this name{_suggest_weights(name)}")
    return PublishedWeights(url, metadata=metadata)


def get_frame_input(options: TimmOptions, name: str | None = None) -> FrameInput:
    """The input of the weights `name`, or of the model's default weights, by timm's record."""
    from timm.data import resolve_data_config

    name = name or options.model
    facts = resolve_data_config(pretrained_cfg=_get_record(name))
    channels, height, width = facts["input_size"]
    if facts["crop_mode"] not in CROP_MODES or height != width or channels != 3:
        raise UserError(
            f"timm.model: {name} expects {height}x{width} images of {channels} channels, crop mode "
            f"{facts['crop_mode']}; use a model with square RGB images and crop mode {' or '.join(CROP_MODES)}"
        )
    crop = options.image_size or height
    side = math.floor(crop / facts["crop_pct"])
    size = (side, side) if facts["crop_mode"] == "squash" else side
    return FrameInput(size, crop, tuple(facts["mean"]), tuple(facts["std"]), facts["interpolation"])


def _get_record(name: str) -> dict[str, Any]:
    """timm's record of a model or of its weights; a UserError names the nearest for an unknown one."""
    import timm
    from timm.models import get_pretrained_cfg

    architecture = name.partition(".")[0]
    if not timm.is_model(architecture):
        raise UserError(f"timm.model: timm has no model {architecture}{suggest_name(architecture, timm.list_models())}")
    try:
        record = get_pretrained_cfg(name)
    except RuntimeError:
        raise UserError(f"timm.model: timm has no weights {name}{_suggest_weights(name)}") from None
    return {"architecture": architecture, **(record.to_dict() if record else {})}


def _list_classifiers(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Prefixes of the classifier's tensors: the record has one name, several or none."""
    names = record.get("classifier") or ()
    return tuple(f"{name}." for name in ([names] if isinstance(names, str) else names))


def _suggest_weights(name: str) -> str:
    import timm

    return suggest_name(name, timm.list_pretrained(f"{name.partition('.')[0]}.*"))


def _size_arguments(options: TimmOptions) -> dict[str, int]:
    """Only networks whose layers depend on the image size have an argument for it."""
    is_fixed = _get_record(options.model).get("fixed_input_size", False)
    return {"img_size": options.image_size} if options.image_size and is_fixed else {}
