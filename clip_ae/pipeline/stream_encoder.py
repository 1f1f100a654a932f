"""Build a stream's extractor with its network, and the provenance of its features."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from clip_ae.core.config import registry
from clip_ae.core.config.specs import ExtractSpec
from clip_ae.core.errors import UserError
from clip_ae.core.provenance import Provenance, make_provenance
from clip_ae.core.types import Encoder, NetworkWeights
from clip_ae.encoders.batch_size import BatchedEncoder
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
) -> FeatureExtractor:
    """The extractor of one stream; the paths of videos are relative to `videos_dir`."""
    encoder, network = _build_encoder(spec, networks, device, gpu_batch_size)
    return FeatureExtractor(spec.stream, spec.grid, encoder, network, videos_dir, decoders)


def make_extract_provenance(
    spec: ExtractSpec, networks: Sequence[WeightsFile], source_inputs: dict[str, str], stage: str = "extract"
) -> Provenance:
    """Provenance of a stream's features; `stage` is the stage or tool that extracts, `source_inputs` the videos."""
    names, libraries = (
        spec.encoder.weights_names,
        registry.load_module(registry.ENCODERS[spec.encoder.encoder]).LIBRARIES,
    )
    inputs = source_inputs | {name: file.provenance.id for name, file in zip(names, networks, strict=True)}
    return make_provenance(stage, spec, inputs, ("av", "numpy", "torch", *libraries))


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
) -> tuple[Encoder, BatchEncoder]:
    """The stream's encoder and its batched network, which logs its error against fp32 if the precision is lower."""
    check_networks(spec, networks)
    build = registry.load_module(registry.ENCODERS[spec.encoder.encoder]).build_stream
    encoder: Encoder = build(encoder=spec.encoder, networks=networks, device=device)
    network = BatchedEncoder(encoder.encode, spec.encoder.batch_size if device == "cpu" else gpu_batch_size, device)
    reference = replace(spec.encoder, precision="fp32", compile=False)
    if reference == spec.encoder:
        return encoder, network
    name = f"{spec.stream} in {spec.encoder.precision}{', compiled,' if spec.encoder.compile else ''}"
    return encoder, PrecisionCheckedNetwork(
        network, lambda: build(encoder=reference, networks=networks, device=device).encode, name
    )
