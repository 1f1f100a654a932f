"""Fine-tune the last I3D blocks of one stream on the videos, with the losses of feature adapters."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from torch import Tensor

from clip_ae.core.config.dataclass_config import parse_dataclass
from clip_ae.core.config.registry import ENCODERS, load_module
from clip_ae.core.config.schema import DEFAULT_RUNTIME, I3dOptions, Runtime
from clip_ae.core.config.specs import TuneEncoderSpec
from clip_ae.core.errors import UserError
from clip_ae.core.progress import log_line, log_warning
from clip_ae.core.provenance import make_provenance
from clip_ae.core.types import Encoder, NetworkWeights, VideoFeatures, VideoInfo
from clip_ae.data.parquet import read_parquet_provenance, read_rows
from clip_ae.encoders.batch_size import BatchedEncoder
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.encoders.networks.i3d import INCEPTION_CHANNELS, I3d, build
from clip_ae.encoders.networks.i3d_finetuning import TunedBlocks, compute_trunk_shape
from clip_ae.encoders.networks.state_dict import get_tensors, load_tensors
from clip_ae.language.adapter_training import create_joint_embedding, fit_adapter
from clip_ae.language.sequences import SequenceSampler
from clip_ae.language.snippet_subset import collect_snippets, select_snippets, shift_spans_to_subset
from clip_ae.language.training_spans import TrainingSpans, limit_snippets
from clip_ae.localizers.feature_table import FeatureTable
from clip_ae.media.decoder_process import create_decoders
from clip_ae.pipeline.extraction import FeatureExtractor
from clip_ae.pipeline.stream_encoder import check_networks
from clip_ae.pipeline.text_encoder_files import NO_TEXT_ENCODER, TextEncoderFiles
from clip_ae.pipeline.training_log import write_training_log
from clip_ae.pipeline.training_spans import (
    SpanFiles,
    check_training_spans,
    load_contrastive_targets,
    load_training_spans,
)
from clip_ae.weights.network_file import read_weights, save_weights

LIBRARIES = ("av", "numpy", "torch")
MB = 1e6


@dataclass(frozen=True)
class SourceFiles:
    """The videos, and the network that is fine-tuned on them."""

    videos: Annotated[Path, "folder of raw videos"]
    probe: Annotated[tuple[Path, ...], "table of videos of every shard, from the probe stage"]
    encoder_weights: Annotated[
        tuple[Path, ...], "weights of the stream's network, then of its second network if it has one"
    ]


def run(
    spec: TuneEncoderSpec,
    *,
    source: SourceFiles,
    files: SpanFiles,
    out: Annotated[Path, "fine-tuned network to write (safetensors)"],
    log: Annotated[Path, "training.jsonl to write"],
    text_files: TextEncoderFiles = NO_TEXT_ENCODER,
    runtime: Annotated[
        Runtime, "device num_workers gpu_batch_size decoder_timeout_s decoder_memory_gib"
    ] = DEFAULT_RUNTIME,
) -> None:
    configure_torch(spec.torch_threads)
    torch_device, tuning = resolve_device(runtime.device), spec.training.tuning
    networks = [read_weights(path) for path in source.encoder_weights]
    check_networks(spec.extract, networks)
    run_spans, inputs = load_training_spans(spec, files, torch_device)
    check_training_spans(run_spans, files.localizer)
    spans = _limit_spans(run_spans, tuning.max_snippets, spec.feature_adapter.seed)
    targets, text_inputs = load_contrastive_targets(spec, spans, text_files, torch_device)
    names = spec.extract.encoder.weights_names
    inputs |= text_inputs | {name: network.provenance.id for name, network in zip(names, networks, strict=True)}
    inputs |= {f"probe/{path.stem}": read_parquet_provenance(path).id for path in source.probe}
    encoder, trunk_shape = _build_trunk(spec, networks, torch_device)
    batch_size = spec.extract.encoder.batch_size if torch_device == "cpu" else runtime.gpu_batch_size
    decoders = create_decoders(runtime)
    snippets = collect_snippets([*spans.actions, *spans.background])
    batched, extract = BatchedEncoder(encoder.encode, batch_size, torch_device), spec.extract
    extractor = FeatureExtractor(
        extract.stream, extract.grid, encoder, batched, source.videos, decoders, wanted_snippets=snippets
    )
    trunk_features = _extract_trunk_features(extractor, source.probe, snippets)
    table = FeatureTable({spec.extract.stream: trunk_features}, torch_device)
    actions = shift_spans_to_subset(spans.actions, snippets)
    background = shift_spans_to_subset(spans.background, snippets)
    sampler = SequenceSampler(table, actions, background, spec.training)
    tuned, lines = _tune(spec, networks[0], trunk_shape, sampler, targets, torch_device)
    write_training_log(log, lines)
    libraries = (*LIBRARIES, *load_module(ENCODERS[spec.extract.encoder.encoder]).LIBRARIES)
    provenance = make_provenance("tune_encoder", spec, inputs, libraries)
    save_weights(out, get_tensors(tuned), provenance, _describe_tuned(networks[0], tuning.blocks))


def _limit_spans(run_spans: TrainingSpans, max_snippets: int, seed: int) -> TrainingSpans:
    spans = limit_snippets(run_spans, max_snippets, seed)
    if len(spans.class_ids) < 2 or not spans.background:
        raise UserError(
            f"tuning.max_snippets: {max_snippets} snippets contain {len(spans.class_ids)} action classes and "
            f"{len(spans.background)} background spans, too few for training; increase it"
        )
    return spans


def _build_trunk(
    spec: TuneEncoderSpec, networks: Sequence[NetworkWeights], device: str
) -> tuple[Encoder, tuple[int, ...]]:
    """The stream's encoder without the blocks that are tuned, and the shape of these blocks' input."""
    blocks, options = spec.training.tuning.blocks, _read_options(spec, networks[0])
    shape = compute_trunk_shape(options, blocks, spec.extract.grid.frames)
    build_encoder = load_module(ENCODERS[spec.extract.encoder.encoder]).build_stream
    trunk = build_encoder(spec.extract.encoder, networks, device, skip_last_blocks=blocks)
    return replace(trunk, dim=math.prod(shape)), shape


def _extract_trunk_features(
    extractor: FeatureExtractor, probe_tables: Sequence[Path], snippets: Mapping[str, Sequence[int]]
) -> dict[str, VideoFeatures]:
    """The inputs of the tuned blocks, by video id: rows of the snippets that training needs."""
    infos = [VideoInfo(**row) for path in probe_tables for row in read_rows(path) if row["video_id"] in snippets]
    videos = {video.video_id: select_snippets(video, snippets[video.video_id]) for video in extractor.extract(infos)}
    _report_memory(videos.values())
    return videos


def _report_memory(videos: Collection[VideoFeatures]) -> None:
    """Log the size of the features, and how many snippets could not be decoded."""
    num_snippets, num_bytes = sum(len(v.feature) for v in videos), sum(v.feature.nbytes for v in videos)
    log_line(f"{num_snippets} snippets as inputs of the tuned blocks: {num_bytes / MB:.1f} MB")
    if num_undecoded := sum(int((v.coverage == 0).sum()) for v in videos):
        log_warning(f"{num_undecoded} of them could not be decoded again; their features are zeros")


def _tune(
    spec: TuneEncoderSpec,
    base: NetworkWeights,
    trunk_shape: tuple[int, ...],
    sampler: SequenceSampler,
    targets: Tensor,
    device: str,
) -> tuple[I3d, list[dict[str, float]]]:
    """The network with fine-tuned last blocks, and the lines of the log.

    A new joint embedding is trained on the blocks' output, and discarded afterwards.
    """
    settings, seed, stream = spec.training, spec.feature_adapter.seed, spec.extract.stream
    network = load_tensors(build(_read_options(spec, base)), base.tensors, spec.extract.encoder.weights)
    # TunedBlocks contains the last blocks of `network`, so fit_adapter trains `network` in place.
    blocks = TunedBlocks(network, trunk_shape, settings.tuning).to(device)
    joint = create_joint_embedding({stream: network.dim}, targets.shape[1], settings, seed).to(device)
    lines = fit_adapter(joint, sampler, targets, settings, seed, blocks, progress_label=f"tune {stream}")
    return network, lines


def _read_options(spec: TuneEncoderSpec, base: NetworkWeights) -> I3dOptions:
    return parse_dataclass(I3dOptions, base.metadata["i3d"], spec.extract.encoder.weights)


def _describe_tuned(base: NetworkWeights, num_blocks: int) -> dict[str, Any]:
    """The base network's metadata and the names of the tuned blocks; its metrics and digest no longer hold."""
    facts = {name: value for name, value in base.metadata.items() if name not in ("metrics", "sha256")}
    return {**facts, "tuned": list(INCEPTION_CHANNELS)[-num_blocks:]}
