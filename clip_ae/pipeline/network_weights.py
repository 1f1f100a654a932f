"""Download published weights, check their hash, and convert them without running code from the file."""

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy._core.multiarray import _reconstruct
from numpy.typing import NDArray

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.registry import NETWORKS, load_module
from clip_ae.core.config.specs import WeightsSpec
from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.core.provenance import make_provenance
from clip_ae.data.pickles import read_pickled_arrays
from clip_ae.encoders.frame_input import METADATA_KEY, read_frame_input
from clip_ae.encoders.networks.state_dict import get_tensors, load_tensors
from clip_ae.pipeline.weights_source import fetch_source, report_with_entry
from clip_ae.weights.integrity import file_digest
from clip_ae.weights.network_file import Tensors, read_weights, save_weights

# The default of `licence` in the config.
UNKNOWN = "unknown"
# Libraries that convert a kind of network, in addition to those of every kind.
LIBRARIES = {"timm": ("timm",), "torchvision": ("torchvision",)}
# Globals of numpy arrays, by their old and new names: some publishers saved arrays instead of tensors.
SAFE_GLOBALS: list[Any] = [
    (_reconstruct, "numpy.core.multiarray._reconstruct"),
    (_reconstruct, "numpy._core.multiarray._reconstruct"),
    np.ndarray,
    np.dtype,
    np.dtypes.Float32DType,
    np.dtypes.Float64DType,
]


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
    if weights.source == "pretrain":
        if pretrained is None:
            raise UserError(f"{key}: its source is `pretrain`, so --pretrained must name the trained network")
        trained = read_weights(pretrained)
        tensors, inputs = trained.tensors, {"pretrained": trained.provenance.id}
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


def read_state_dict(key: str, path: Path) -> dict[str, Any]:
    """Tensors by name from safetensors, pickled arrays (.ckpt) or a PyTorch file. Never runs code from the file."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if path.suffix == ".ckpt":
        return {name: _to_tensor(array) for name, array in read_pickled_arrays(key, path).items()}
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        with torch.serialization.safe_globals(SAFE_GLOBALS):
            state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise RefusedInput(f"{key}: {path.name} is not plain weights ({_shorten_reason(error)})") from None
    if not isinstance(state, dict):
        raise RefusedInput(f"{key}: {path.name} contains a {type(state).__name__}, not tensors by name")
    return state


def _shorten_reason(error: Exception) -> str:
    """The name that the file refers to, or the first sentence: torch goes on with how to run the code in the file."""
    global_name = re.search(r"GLOBAL ([\w.]+)", str(error))
    first = str(error).partition("\n")[0].partition(". ")[0]
    return f"names {global_name[1]}" if global_name else first or type(error).__name__


def _to_tensor(array: NDArray[Any]) -> torch.Tensor:
    """A writable copy in this machine's byte order."""
    return torch.from_numpy(array.astype(array.dtype.newbyteorder("=")))


def convert_arrays(state: dict[str, Any], key: str) -> Tensors:
    """Tensors as float32 arrays."""
    for name, value in state.items():
        if not isinstance(value, torch.Tensor):
            raise RefusedInput(f"{key}: {name} is a {type(value).__name__}, not a tensor")
    return {name: value.detach().float().numpy().astype(np.float32) for name, value in state.items()}
