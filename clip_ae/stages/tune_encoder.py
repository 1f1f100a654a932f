"""Tune the last blocks of one stream's I3D by what features are taught by, from the videos on."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from torch import Tensor

from clip_ae.core.config.dataclass_config import parse_dataclass
from clip_ae.core.config.registry import STREAMS, load_module
from clip_ae.core.config.schema import I3dOptions
from clip_ae.core.config.specs import TuneEncoderSpec
from clip_ae.core.errors import UserError
from clip_ae.core.progress import log_line
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
from clip_ae.language.snippet_subset import remap_spans, select_snippets, snippets_of
from clip_ae.language.training_spans import TrainingSpans, limit_snippets
from clip_ae.localizers.feature_table import FeatureTable
from clip_ae.media.decoder_process import create_decoders
from clip_ae.pipeline.extraction import FeatureExtractor
from clip_ae.pipeline.stream_encoder import check_networks
from clip_ae.pipeline.training_log import write_training_log
from clip_ae.pipeline.training_spans import check_training_spans, load_contrastive_targets, load_training_spans
from clip_ae.weights.network_file import read_weights, save_weights

LIBRARIES = ("av", "numpy", "torch")
MB = 1e6


def run(
    spec: TuneEncoderSpec,
    *,
    videos: Annotated[Path, "folder of raw videos"],
    probe: Annotated[tuple[Path, ...], "every shard's table of videos, made by probe"],
    encoder_weights: Annotated[
        tuple[Path, ...], "weights of the stream's network, then of a second one where it has two"
    ],
    features: Annotated[Path, "folder of feature shards, {stream}/{shard}.parquet"],
    shards: Annotated[int, "number of shards"],
    localizer: Annotated[Path, "model.safetensors of the run that tells actions from background"],
    labels: Annotated[Path, "labels.parquet that it was trained on"],
    out: Annotated[Path, "tuned network to write (safetensors)"],
    log: Annotated[Path, "training.jsonl to write"],
    annotations: Annotated[Path | None, "annotation file, where classes are to be left out"] = None,
    clip_weights: Annotated[Path | None, "the CLIP whose text tower reads class names"] = None,
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
    num_workers: Annotated[int, "decoders that read videos side by side"] = 2,
    gpu_batch_size: Annotated[int, "snippets a forward pass on a GPU; 0: as many as its free memory holds"] = 0,
    decoder_timeout_s: Annotated[float, "seconds without a frame after which a decoder is killed"] = 60.0,
    decoder_memory_gib: Annotated[float, "GiB of address space a decoder may take"] = 1.5,
) -> None:
    configure_torch(spec.torch_threads)
    place, tuning = resolve_device(device), spec.training.tuning
    files = [read_weights(path) for path in encoder_weights]
    check_networks(spec.extract, files)
    found, inputs = load_training_spans(spec, features, shards, localizer, labels, annotations, place)
    check_training_spans(found, localizer)
    material = _within(found, tuning.max_snippets, spec.feature_adapter.seed)
    words, read_by = load_contrastive_targets(spec, material, clip_weights, None, place)
    inputs |= read_by | {
        name: file.provenance.id for name, file in zip(spec.extract.encoder.weights_names, files, strict=True)
    }
    inputs |= {f"probe/{path.stem}": read_parquet_provenance(path).id for path in probe}

    kept = snippets_of([*material.actions, *material.background])
    infos = [VideoInfo(**row) for path in probe for row in read_rows(path) if row["video_id"] in kept]
    encoder, shape = _trunk(spec, files, place)
    network = BatchedEncoder(
        encoder.encode, spec.extract.encoder.batch_size if place == "cpu" else gpu_batch_size, place
    )
    readers = create_decoders(num_workers, decoder_timeout_s, decoder_memory_gib)
    work = FeatureExtractor(
        spec.extract.stream, spec.extract.grid, encoder, network, videos, readers, wanted_snippets=kept
    )
    rows = {video.video_id: select_snippets(video, kept[video.video_id]) for video in work.extract(infos)}
    _say_kept(rows)
    drawing = SequenceSampler(
        FeatureTable({spec.extract.stream: rows}, place),
        remap_spans(material.actions, kept),
        remap_spans(material.background, kept),
        spec.training,
    )
    tuned, lines = _tuned(spec, files[0], shape, drawing, words, place)
    write_training_log(log, lines)
    record = make_provenance(
        "tune_encoder", spec, inputs, (*LIBRARIES, *load_module(STREAMS[spec.extract.stream]).LIBRARIES)
    )
    save_weights(out, get_tensors(tuned), record, _about(files[0], tuning.blocks))


def _within(found: TrainingSpans, max_snippets: int, seed: int) -> TrainingSpans:
    material = limit_snippets(found, max_snippets, seed)
    if len(material.class_ids) < 2 or not material.background:
        raise UserError(
            f"tuning.max_snippets: {max_snippets} snippets hold {len(material.class_ids)} kinds of action and "
            f"{len(material.background)} stretches of background, which are too few to learn from; allow more"
        )
    return material


def _trunk(spec: TuneEncoderSpec, networks: Sequence[NetworkWeights], device: str) -> tuple[Encoder, tuple[int, ...]]:
    """The stream's encoder up to the blocks that learn, and the shape of what they read."""
    blocks, options = spec.training.tuning.blocks, _options(spec, networks[0])
    shape = compute_trunk_shape(options, blocks, spec.extract.grid.frames)
    built = load_module(STREAMS[spec.extract.stream]).build(
        spec.extract.encoder, networks, device, skip_last_blocks=blocks
    )
    return replace(built, dim=math.prod(shape)), shape


def _say_kept(rows: Mapping[str, VideoFeatures]) -> None:
    """How much memory it takes, and what a file has lost since it was extracted."""
    wanted, size = sum(len(v.feature) for v in rows.values()), sum(v.feature.nbytes for v in rows.values())
    log_line(f"{wanted} snippets kept as the blocks read them: {size / MB:.1f} MB")
    if lost := sum(int((v.coverage == 0).sum()) for v in rows.values()):
        log_line(f"{lost} of them could not be read again; they are learnt from as nothing")


def _tuned(
    spec: TuneEncoderSpec,
    base: NetworkWeights,
    shape: tuple[int, ...],
    drawing: SequenceSampler,
    words: Tensor,
    device: str,
) -> tuple[I3d, list[dict[str, float]]]:
    """The network with its last blocks tuned below a fresh joint space, which is thrown away; and the log's lines."""
    how, seed, stream = spec.training, spec.feature_adapter.seed, spec.extract.stream
    network = load_tensors(build(_options(spec, base)), base.tensors, spec.extract.encoder.weights)
    blocks = TunedBlocks(network, shape, how.tuning).to(device)
    joint = create_joint_embedding({stream: network.dim}, words.shape[1], how, seed).to(device)
    lines = fit_adapter(joint, drawing, words, how, seed, blocks, progress_label=f"tune {stream}")
    return network, lines


def _options(spec: TuneEncoderSpec, base: NetworkWeights) -> I3dOptions:
    return parse_dataclass(I3dOptions, base.metadata["i3d"], spec.extract.encoder.weights)


def _about(base: NetworkWeights, blocks: int) -> dict[str, Any]:
    """What is known of the network, but for figures that it no longer has."""
    known = {name: value for name, value in base.metadata.items() if name not in ("metrics", "sha256")}
    return {**known, "tuned": list(INCEPTION_CHANNELS)[-blocks:]}
