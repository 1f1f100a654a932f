"""The localizer: the network that finds actions, saved in model files. A head, after a front end if there is one."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from clip_ae.core.config.methods import LocalizerConfig
from clip_ae.core.config.registry import FRONT_END_MODULE, METHODS, get_head_module, load_module
from clip_ae.localizers.batch import Batch, StreamTensors
from clip_ae.localizers.fusion_outputs import FrontEnd, FusedFeatures
from clip_ae.localizers.head import Curves, Head, StreamOutput


@dataclass(frozen=True)
class LocalizerOutput:
    """By cbp stream: the head's outputs, the features that the head reads, and the front end's outputs.

    Without a front end, `fused` is empty.
    """

    streams: Mapping[str, StreamOutput]
    features: StreamTensors
    fused: Mapping[str, FusedFeatures]


class InputScaling(nn.Module):
    """(x - mean) * factor for each stream, with the numbers of the config, which no training changes."""

    def __init__(self, config: LocalizerConfig) -> None:
        super().__init__()
        for prefix, values in (("mean", config.input_means), ("factor", config.input_factors)):
            for stream, numbers in values.items():
                self.register_buffer(f"{prefix}_{stream}", torch.tensor(numbers), persistent=False)

    def forward(self, features: StreamTensors) -> dict[str, Tensor]:
        return {name: self._scale(name, x) for name, x in features.items()}

    def _scale(self, stream: str, x: Tensor) -> Tensor:
        mean, factor = (getattr(self, f"{prefix}_{stream}", None) for prefix in ("mean", "factor"))
        x = x if mean is None else x - mean
        return x if factor is None else x * factor


class Localizer(nn.Module):
    """A head after an optional front end."""

    def __init__(self, head: Head[Any], front_end: FrontEnd | None, config: LocalizerConfig, precision: str) -> None:
        super().__init__()
        self.cbp_streams = config.roles.cbp
        self.input_scaling = InputScaling(config)
        self.head = head
        self.front_end = front_end
        self.precision = precision

    @property
    def has_branch_by_stream(self) -> bool:
        """Whether each stream has curves of its own; some heads have one branch on all streams."""
        return set(self.head.branches) == set(self.cbp_streams)

    def forward(self, batch: Batch) -> LocalizerOutput:
        """Runs the networks in the configured precision; the outputs are float32 again, for the losses."""
        device = next(iter(batch.features.values())).device.type
        with torch.autocast(device, torch.bfloat16, enabled=self.precision == "bf16"):
            output = self._run_networks(self.prepare_batch(batch))
        return to_float32(output) if self.precision == "bf16" else output

    def prepare_batch(self, batch: Batch) -> Batch:
        """The batch with scaled features, and 0 where masked: the values there can be any, and 0 * nan would be nan."""
        scaled = self.input_scaling(batch.features)
        features = {n: x.masked_fill(~batch.masks[n][..., None], 0.0) for n, x in scaled.items()}
        return Batch(batch.video_ids, features, batch.masks)

    def _run_networks(self, batch: Batch) -> LocalizerOutput:
        if self.front_end is None:
            features: StreamTensors = {name: batch.features[name] for name in self.cbp_streams}
            return LocalizerOutput(self.head(features, batch.masks), features, {})
        fused = self.front_end(batch)
        features = {name: stream.features for name, stream in fused.items()}
        return LocalizerOutput(self.head(features, batch.masks), features, fused)

    def diagnostics(self, batch: Batch) -> dict[str, float]:
        return self.front_end.diagnostics(self.prepare_batch(batch)) if self.front_end else {}

    def fuse(self, output: LocalizerOutput, masks: Mapping[str, Tensor], stream_weights: Mapping[str, float]) -> Curves:
        """The weighted mean of the streams' curves; without weights, their mean."""
        weights = {name: stream_weights[name] if stream_weights else 1.0 for name in self.cbp_streams}
        total = sum(weights.values())
        return self.head.fuse(output.streams, masks, {name: weight / total for name, weight in weights.items()})


def build(config: LocalizerConfig, precision: str = "fp32") -> Localizer:
    """A new localizer. The head is initialised first: for one seed it starts the same with and without a front end."""
    name = config.ugct.base_head if config.ugct else METHODS[config.method].head
    dims = {stream: config.dims[stream] for stream in config.roles.cbp}
    head: Head[Any] = load_module(get_head_module(name)).build(config, dims)
    # Loaded by name: methods without a front end do not depend on its code, so an edit does not run them again.
    front_end = load_module(FRONT_END_MODULE).build(config) if config.caf or config.ccp else None
    return Localizer(head, front_end, config, precision)


def to_float32(value: Any) -> Any:
    """A copy of nested outputs (dataclasses, mappings) with all tensors in float32."""
    if isinstance(value, Tensor):
        return value.float()
    if isinstance(value, Mapping):
        return {name: to_float32(item) for name, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: to_float32(getattr(value, f.name)) for f in fields(value)})
    return value
