"""Published weights: fetched, checked by hash, converted without running code from the file."""

import contextlib
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy._core.multiarray import _reconstruct
from numpy.typing import NDArray

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.registry import NETWORKS, load_module
from clip_ae.core.config.specs import WeightsSpec
from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.core.progress import log_line
from clip_ae.core.provenance import make_provenance
from clip_ae.data.pickles import read_pickled_arrays
from clip_ae.encoders.networks.state_dict import get_tensors, load_tensors
from clip_ae.weights.downloads import make_download_error
from clip_ae.weights.integrity import check_integrity, file_digest
from clip_ae.weights.network_file import Tensors, read_weights, save_weights
from clip_ae.weights.sources import fetch_weights

# open_clip:ARCHITECTURE/TAG names weights that open_clip knows where to find.
OPEN_CLIP_PREFIX = "open_clip:"


# Plain arrays, as old numpy and new name them: some publishers saved them instead of tensors.
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
    options = weights.network_options
    inputs: dict[str, str] = {}
    about = {
        "name": spec.name,
        "source": weights.source,
        weights.network_kind: to_plain_data(options),
        "reads": network.input_description(options),
        "licence": weights.licence,
        "trained_on": weights.trained_on,
    }
    if weights.source == "pretrain":
        if pretrained is None:
            raise UserError(f"{key}: its source is `pretrain`, so --pretrained must name the trained network")
        made = read_weights(pretrained)
        tensors, inputs = made.tensors, {"pretrained": made.provenance.id}
        about["metrics"] = made.metadata.get("metrics", {})
    else:
        with fetch_source(spec, network, about, out.parent) as path:
            about["integrity"] = weights.integrity or f"sha256:{file_digest(path)}"
            tensors = convert_arrays(network.convert_state_dict(read_state_dict(key, path)), key)
    fitted = load_tensors(network.build(options), tensors, key)
    record = make_provenance("weights", spec, inputs, libraries=("numpy", "open_clip_torch", "safetensors", "torch"))
    save_weights(out, get_tensors(fitted), record, about)


@contextlib.contextmanager
def fetch_source(spec: WeightsSpec, network: ModuleType, about: dict[str, Any], beside: Path) -> Iterator[Path]:
    """The checked source file; what open_clip knows of its weights joins `about`."""
    weights, key = spec.weights, f"weights.{spec.name}"
    if not weights.source.startswith(OPEN_CLIP_PREFIX):
        with fetch_weights(key, weights, beside) as path:
            yield path
        return
    if weights.clip is None:
        raise UserError(f"{key}.source: {weights.source} is for a clip network")
    facts = network.get_pretrained_facts(weights.clip, weights.source.removeprefix(OPEN_CLIP_PREFIX))
    about |= {"mean": list(facts["mean"]), "std": list(facts["std"])}
    where = f"https://huggingface.co/{facts['hf_hub']}" if facts.get("hf_hub") else facts["url"]
    log_line(f"{key}: from {where}, or from where it was kept the last time")
    try:
        path = network.download_weights(facts)
    except (OSError, RuntimeError) as error:
        raise make_download_error(key, weights, where, error, "get its safetensors file") from None
    check_integrity(key, path, weights.integrity)
    yield path


def read_state_dict(key: str, path: Path) -> dict[str, Any]:
    """Tensors by name from safetensors, pickled arrays (.ckpt) or a PyTorch file; no code in it is ever run."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if path.suffix == ".ckpt":
        return {name: _tensor(array) for name, array in read_pickled_arrays(key, path).items()}
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        with torch.serialization.safe_globals(SAFE_GLOBALS):
            state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise RefusedInput(f"{key}: {path.name} is not plain weights ({_reason(error)})") from None
    if not isinstance(state, dict):
        raise RefusedInput(f"{key}: {path.name} holds a {type(state).__name__}, not tensors by name")
    return state


def _reason(error: Exception) -> str:
    """What a file names, or the first sentence: torch goes on to advise how to run the code in it."""
    named = re.search(r"GLOBAL ([\w.]+)", str(error))
    first = str(error).partition("\n")[0].partition(". ")[0]
    return f"names {named[1]}" if named else first or type(error).__name__


def _tensor(array: NDArray[Any]) -> torch.Tensor:
    """A copy, which torch may write to, in this machine's byte order."""
    return torch.from_numpy(array.astype(array.dtype.newbyteorder("=")))


def convert_arrays(state: dict[str, Any], key: str) -> Tensors:
    for name, value in state.items():
        if not isinstance(value, torch.Tensor):
            raise RefusedInput(f"{key}: {name} is a {type(value).__name__}, not a tensor")
    return {name: value.detach().float().numpy().astype(np.float32) for name, value in state.items()}
