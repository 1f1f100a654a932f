"""Build a stream's extractor with its network, and the provenance of its features."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.config import registry
from clip_ae.core.config.specs import ExtractSpec
from clip_ae.core.config.streams import StreamEncoder
from clip_ae.core.errors import UserError
from clip_ae.core.provenance import Provenance, make_provenance
from clip_ae.core.types import Encoder, NetworkWeights
from clip_ae.encoders.backend_choice import choose_encoder, describe, exact_encoder, list_candidates
from clip_ae.encoders.batch_size import BatchedEncoder, EncodeFunction
from clip_ae.encoders.crops import Array
from clip_ae.encoders.precision_check import PrecisionCheckedNetwork
from clip_ae.media.decoder_process import Decoder
from clip_ae.pipeline.extraction import BatchEncoder, FeatureExtractor
from clip_ae.weights.network_file import WeightsFile


def build_extractor(
    spec: ExtractSpec,
    networks: Sequence[NetworkWeights],
    decoders: Sequence[Decoder],
    device: str,
    gpu_batch_size: int = 0,
    videos_dir: Path = Path(),
) -> "StreamExtractor":
    """The extractor of one stream; the paths of videos are relative to `videos_dir`."""
    encoder, network = _build_encoder(spec, networks, device, gpu_batch_size)
    return StreamExtractor(spec.stream, spec.grid, encoder, network, videos_dir, decoders)


def make_extract_provenance(
    spec: ExtractSpec,
    networks: Sequence[WeightsFile],
    source_inputs: dict[str, str],
    chosen: StreamEncoder | None,
    stage: str = "extract",
) -> Provenance:
    """Provenance of a stream's features; `stage` is the stage or tool that extracts, `source_inputs` the videos.

    `chosen` has the backend and precision that ran; None if there was no snippet to encode.
    """
    names = spec.encoder.weights_names
    libraries = [*registry.load_module(registry.ENCODERS[spec.encoder.encoder]).LIBRARIES]
    if chosen and chosen.backend == "openvino":
        libraries.append("openvino")
    inputs = source_inputs | {name: file.provenance.id for name, file in zip(names, networks, strict=True)}
    provenance = make_provenance(stage, spec, inputs, ("av", "numpy", "torch", *libraries))
    if chosen is None or chosen == spec.encoder:
        return provenance
    return replace(provenance, versions={**provenance.versions, "backend": describe(chosen)})


def check_networks(spec: ExtractSpec, networks: Sequence[NetworkWeights]) -> None:
    """Refuse a wrong number of weight files, and weights of another kind of network."""
    kinds = [kind for name, kind in spec.encoder.network_kind_by_key.items() if getattr(spec.encoder, name) is not None]
    if len(networks) != len(kinds):
        raise UserError(f"--weights: {spec.stream} needs {len(kinds)} files ({', '.join(kinds)}); got {len(networks)}")
    for kind, network in zip(kinds, networks, strict=True):
        if kind not in network.metadata:
            raise UserError(
                f"--weights: {network.metadata.get('name', 'one')} has no {kind} network, which {spec.stream} needs"
            )


def _build_encoder(
    spec: ExtractSpec, networks: Sequence[NetworkWeights], device: str, gpu_batch_size: int
) -> tuple[Encoder, "ChosenNetwork"]:
    """The stream's encoder, which prepares windows, and its network, chosen for the first of them."""
    check_networks(spec, networks)
    build_stream = registry.load_module(registry.ENCODERS[spec.encoder.encoder]).build_stream

    def build(encoder: StreamEncoder) -> Encoder:
        stream: Encoder = build_stream(encoder=encoder, networks=networks, device=device)
        return stream

    batch_size = spec.encoder.batch_size if device == "cpu" else gpu_batch_size
    weights_ids = [str(network.metadata.get("sha256", "")) for network in networks]
    # Preparing a window does not depend on the backend or the precision.
    encoder = build(list_candidates(spec.encoder, device)[0])
    return encoder, ChosenNetwork(spec, build, encoder, batch_size, device, weights_ids)


class StreamExtractor(FeatureExtractor):
    """An extractor whose network is chosen for the first window."""

    network: "ChosenNetwork"

    @property
    def chosen(self) -> StreamEncoder | None:
        """The encoder with the backend and precision that run; None before the first window."""
        return self.network.chosen


class ChosenNetwork:
    """The stream's batched network. Where the config says `auto`, it is chosen for the first window."""

    def __init__(
        self,
        spec: ExtractSpec,
        build: Callable[[StreamEncoder], Encoder],
        encoder: Encoder,
        batch_size: int,
        device: str,
        weights_ids: Sequence[str],
    ) -> None:
        self.spec, self.build, self.batch_size, self.device = spec, build, batch_size, device
        self.weights_ids = weights_ids
        # The encoder of the first candidate, until a network is chosen.
        self.encoder: Encoder | None = encoder
        self.chosen: StreamEncoder | None = None
        self.network: BatchEncoder | None = None

    def choose_batch_size(self, window: Array) -> int:
        """Number of snippets in a batch of windows like this one."""
        return self._choose(window).choose_batch_size(window)

    def __call__(self, batch: Array) -> NDArray[np.float32]:
        """Features [N, dim]."""
        return self._choose(batch[0])(batch)

    def _choose(self, window: Array) -> BatchEncoder:
        if self.network is None:
            example = np.stack([window] * (self.batch_size or 1))
            self.chosen = choose_encoder(
                self.spec.stream, self.spec.encoder, self._build_encode, example, self.device, self.weights_ids
            )
            self.network = self._build_network(self.chosen)
            self.encoder = None
        return self.network

    def _build_encode(self, encoder: StreamEncoder) -> EncodeFunction:
        """The encode function of a candidate; the first candidate is there already."""
        is_first = encoder == list_candidates(self.spec.encoder, self.device)[0]
        return self.encoder.encode if self.encoder and is_first else self.build(encoder).encode

    def _build_network(self, encoder: StreamEncoder) -> BatchEncoder:
        """The network in batches; one that differs from torch in fp32 logs by how much on its first batch."""
        network = BatchedEncoder(self._build_encode(encoder), self.batch_size, self.device)
        exact = exact_encoder(encoder)
        if exact == encoder:
            return network
        name = f"{self.spec.stream} by {describe(encoder)}{', compiled,' if encoder.compile else ''}"
        return PrecisionCheckedNetwork(network, lambda: self.build(exact).encode, name)
