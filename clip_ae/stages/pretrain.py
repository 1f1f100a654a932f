"""Train one network of the demo on generated trimmed clips."""

from pathlib import Path
from typing import Annotated

import numpy as np

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.registry import PRETRAINERS, load_module
from clip_ae.core.config.schema import I3dOptions, VggishOptions
from clip_ae.core.config.specs import PretrainSpec
from clip_ae.core.errors import UserError
from clip_ae.core.progress import log_line, track
from clip_ae.core.provenance import make_provenance
from clip_ae.encoders.devices import configure_torch
from clip_ae.weights.network_file import Tensors, save_weights
from clip_ae.worlds import trimmed

LIBRARIES = ("numpy", "open_clip_torch", "opencv-contrib-python-headless", "torch", "torchaudio")


def run(spec: PretrainSpec, *, out: Annotated[Path, "trained network to write (safetensors)"]) -> None:
    weights = spec.weights
    (options,) = weights.network_arguments
    if isinstance(options, I3dOptions | VggishOptions) and options.classes != len(trimmed.CLASSES):
        key = f"weights.{spec.name}.{weights.network_kind}.classes"
        raise UserError(f"{key}: {options.classes}; the generated clips have {len(trimmed.CLASSES)} classes")
    configure_torch(spec.torch_threads)
    clips = track(trimmed.generate_clips(spec.seed, spec.num_clips), "draw clips", spec.num_clips, unit="clips")
    train = load_module(PRETRAINERS[weights.network_kind]).train
    tensors, metrics = train(weights, spec.schedule, spec.seed, clips)
    log_line(f"pretrain {spec.name}: " + ", ".join(f"{name} {value:.3f}" for name, value in metrics.items()))
    facts = {
        "name": spec.name,
        "source": weights.source,
        weights.network_kind: to_plain_data(options),
        "licence": weights.licence,
        "trained_on": weights.trained_on,
        "metrics": metrics,
    }
    save_weights(out, halve_matrices(tensors), make_provenance("pretrain", spec, libraries=LIBRARIES), facts)


def halve_matrices(tensors: Tensors) -> Tensors:
    """Weight matrices as float16, half the bytes to ship; vectors (BatchNorm's variances among them) as they are."""
    return {name: tensor.astype(np.float16) if tensor.ndim > 1 else tensor for name, tensor in tensors.items()}
