"""Download published weights, check their hash, and convert them without running code from the file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.registry import NETWORKS, load_module
from clip_ae.core.config.schema import PRETRAIN, SHIPPED
from clip_ae.core.config.specs import WeightsSpec
from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.core.provenance import make_provenance
from clip_ae.encoders.frame_input import METADATA_KEY, read_frame_input
from clip_ae.encoders.networks.state_dict import get_tensors, load_tensors
from clip_ae.pipeline.state_dict_file import read_state_dict
from clip_ae.pipeline.weights_source import fetch_source, report_with_entry
from clip_ae.weights.integrity import check_integrity, file_digest
from clip_ae.weights.network_file import Tensors, WeightsFile, read_weights, save_weights
from clip_ae.weights.shipped_networks import find_shipped

# The default of `licence` in the config.
UNKNOWN = "unknown"
# Libraries that convert a kind of network, in addition to those of every kind.
LIBRARIES = {"timm": ("timm",), "torchvision": ("torchvision",)}


def convert_weights(spec: WeightsSpec, out: Path, pretrained: Path | None = None) -> None:
    """Fetch, check, convert and save one network's weights with their provenance."""
    weights, key = spec.weights, f"weights.{spec.name}"
    network = load_module(NETWORKS[weights.network_kind])
    arguments = weights.network_arguments
    inputs: dict[str, str] = {}
    with report_with_entry(spec):
        reads = network.input_description(*arguments)
    facts = {
        "name": spec.name,
        "source": weights.source,
        weights.network_kind: to_plain_data(arguments[0]) if arguments else {},
        "reads": reads,
        "licence": weights.licence,
        "trained_on": weights.trained_on,
    }
    if weights.source in (PRETRAIN, SHIPPED):
        trained = read_trained(spec, pretrained)
        tensors = to_float32(trained.tensors)
        # A shipped file is known by its integrity, as a download is.
        inputs = {"pretrained": trained.provenance.id} if weights.source == PRETRAIN else {}
        facts["metrics"] = trained.metadata.get("metrics", {})
    else:
        with fetch_source(spec, network, out.parent) as (path, library_facts):
            # A licence in the config takes precedence over that of the record.
            licence = weights.licence if weights.licence != UNKNOWN else library_facts.get("licence", UNKNOWN)
            facts |= {**library_facts, "licence": licence}
            if METADATA_KEY in facts:
                facts["reads"] = read_frame_input(facts, key).describe()
            facts["integrity"] = weights.integrity or f"sha256:{file_digest(path)}"
            published_state = read_state_dict(key, path)
            with report_with_entry(spec):
                state = network.convert_state_dict(published_state, *arguments)
            tensors = convert_arrays(state, key)
    loaded = load_tensors(network.build(*arguments), tensors, key)
    libraries = ("numpy", "open_clip_torch", "safetensors", "torch", *LIBRARIES.get(weights.network_kind, ()))
    save_weights(out, get_tensors(loaded), make_provenance("weights", spec, inputs, libraries), facts)


def read_trained(spec: WeightsSpec, pretrained: Path | None) -> WeightsFile:
    """A network that the pretrain stage has trained: the file given, or the one that is shipped."""
    key = f"weights.{spec.name}"
    if spec.weights.source == SHIPPED:
        pretrained = find_shipped(spec.name)
        check_integrity(key, pretrained, spec.weights.integrity)
    if pretrained is None:
        raise UserError(f"{key}: its source is `pretrain`, so --pretrained must name the trained network")
    return read_weights(pretrained)


def to_float32(tensors: Mapping[str, NDArray[Any]]) -> Tensors:
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}


def convert_arrays(state: dict[str, Any], key: str) -> Tensors:
    """Tensors as float32 arrays."""
    for name, value in state.items():
        if not isinstance(value, torch.Tensor):
            raise RefusedInput(f"{key}: {name} is a {type(value).__name__}, not a tensor")
    return {name: value.detach().float().numpy().astype(np.float32) for name, value in state.items()}
