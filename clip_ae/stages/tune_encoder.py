"""Tune the last blocks of one stream's I3D by what features are taught by, from the videos on."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from torch import Tensor

from clip_ae.core.config.dataclass_config import read
from clip_ae.core.config.registry import STREAMS, load
from clip_ae.core.config.schema import I3dOptions
from clip_ae.core.config.specs import TuneSpec
from clip_ae.core.errors import UserError
from clip_ae.core.progress import say, track
from clip_ae.core.provenance import make_record
from clip_ae.core.types import Encoder, Network, VideoFeatures, VideoInfo
from clip_ae.data.parquet import read_parquet_record, read_rows
from clip_ae.encoders.batch_size import Fitting
from clip_ae.encoders.devices import resolve, set_threads
from clip_ae.encoders.networks.i3d import MIXED, I3d, build
from clip_ae.encoders.networks.i3d_finetuning import Blocks, shape_before
from clip_ae.encoders.networks.state_dict import fit, tensors_of
from clip_ae.language.adapter_training import create, train
from clip_ae.language.sequences import Drawing, Table
from clip_ae.language.snippet_subset import alone, moved, touched
from clip_ae.language.training_spans import Material, within
from clip_ae.media.decoder_process import decoders
from clip_ae.pipeline.extraction import Extraction
from clip_ae.stages import extract, train_adapter
from clip_ae.weights.network_file import read_weights, save_weights

LIBRARIES = ("av", "numpy", "torch")
MB = 1e6


def run(
    spec: TuneSpec,
    *,
    videos: Annotated[Path, "folder of raw videos"],
    probe: Annotated[tuple[Path, ...], "every shard's table of videos, made by probe"],
    networks: Annotated[tuple[Path, ...], "weights of the stream's network, then of a second one where it has two"],
    features: Annotated[Path, "folder of feature shards, {stream}/{shard}.parquet"],
    shards: Annotated[int, "number of shards"],
    model: Annotated[Path, "model.safetensors of the run that tells actions from background"],
    labels: Annotated[Path, "labels.parquet that it was trained on"],
    out: Annotated[Path, "tuned network to write (safetensors)"],
    log: Annotated[Path, "training.jsonl to write"],
    annotations: Annotated[Path | None, "annotation file, where classes are to be left out"] = None,
    weights: Annotated[Path | None, "the CLIP whose text tower reads class names"] = None,
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
    workers: Annotated[int, "decoders that read videos side by side"] = 2,
    gpu_batch: Annotated[int, "snippets a forward pass on a GPU; 0: as many as its free memory holds"] = 0,
    watchdog: Annotated[float, "seconds without a frame after which a decoder is killed"] = 60.0,
    memory_gib: Annotated[float, "GiB of address space a decoder may take"] = 1.5,
) -> None:
    set_threads(spec.math_threads)
    place, files, tuning = resolve(device), [read_weights(path) for path in networks], spec.training.tuning
    extract.check(spec.extract, files)
    found, inputs = train_adapter.gathered(spec, features, shards, model, labels, annotations, place)
    train_adapter.check(found, model)
    material = _within(found, tuning.windows, spec.recipe.seed)
    words, read_by = train_adapter.tied_to(spec, material, weights, None, place)
    inputs |= read_by | {name: file.record.id for name, file in zip(spec.extract.encoder.networks, files, strict=True)}
    inputs |= {f"probe/{path.stem}": read_parquet_record(path).id for path in probe}

    kept = touched([*material.actions, *material.background])
    infos = [VideoInfo(**row) for path in probe for row in read_rows(path) if row["video_id"] in kept]
    encoder, shape = _trunk(spec, files, place)
    network = Fitting(encoder.encode, spec.extract.encoder.batch if place == "cpu" else gpu_batch, place)
    readers = decoders(workers, watchdog, memory_gib)
    work = Extraction(spec.extract.stream, spec.extract.grid, encoder, network, videos, readers, wanted=kept)
    rows = {video.video_id: alone(video, kept[video.video_id]) for video in work.features(infos)}
    _say_kept(rows)
    drawing = Drawing(
        Table({spec.extract.stream: rows}, place),
        moved(material.actions, kept),
        moved(material.background, kept),
        spec.training,
    )
    tuned, lines = _tuned(spec, files[0], shape, drawing, words, place)
    train_adapter.write_log(log, lines, spec.training.steps)
    record = make_record("tune_encoder", spec, inputs, (*LIBRARIES, *load(STREAMS[spec.extract.stream]).LIBRARIES))
    save_weights(out, tensors_of(tuned), record, _about(files[0], tuning.blocks))


def _within(found: Material, windows: int, seed: int) -> Material:
    material = within(found, windows, seed)
    if len(material.kinds) < 2 or not material.background:
        raise UserError(
            f"tuning.windows: {windows} snippets hold {len(material.kinds)} kinds of action and "
            f"{len(material.background)} stretches of background, which are too few to learn from; allow more"
        )
    return material


def _trunk(spec: TuneSpec, networks: Sequence[Network], device: str) -> tuple[Encoder, tuple[int, ...]]:
    """The stream's encoder up to the blocks that learn, and the shape of what they read."""
    blocks, options = spec.training.tuning.blocks, _options(spec, networks[0])
    shape = shape_before(options, blocks, spec.extract.grid.frames)
    built = load(STREAMS[spec.extract.stream]).build(spec.extract.encoder, networks, device, without=blocks)
    return replace(built, dim=math.prod(shape)), shape


def _say_kept(rows: Mapping[str, VideoFeatures]) -> None:
    """How much memory it takes, and what a file has lost since it was extracted."""
    wanted, size = sum(len(v.feature) for v in rows.values()), sum(v.feature.nbytes for v in rows.values())
    say(f"{wanted} snippets kept as the blocks read them: {size / MB:.1f} MB")
    if lost := sum(int((v.coverage == 0).sum()) for v in rows.values()):
        say(f"{lost} of them could not be read again; they are learnt from as nothing")


def _tuned(
    spec: TuneSpec, base: Network, shape: tuple[int, ...], drawing: Drawing, words: Tensor, device: str
) -> tuple[I3d, list[dict[str, float]]]:
    """The network with its last blocks tuned below a fresh joint space, which is thrown away; and the log's lines."""
    how, seed, stream = spec.training, spec.recipe.seed, spec.extract.stream
    network = fit(build(_options(spec, base)), base.tensors, spec.extract.encoder.weights)
    blocks = Blocks(network, shape, how.tuning).to(device)
    joint = create({stream: network.dim}, words.shape[1], how, seed).to(device)
    return network, list(track(train(joint, drawing, words, how, seed, blocks), f"tune {stream}", how.steps, "steps"))


def _options(spec: TuneSpec, base: Network) -> I3dOptions:
    return read(I3dOptions, base.about["i3d"], spec.extract.encoder.weights)


def _about(base: Network, blocks: int) -> dict[str, Any]:
    """What is known of the network, but for figures that it no longer has."""
    known = {name: value for name, value in base.about.items() if name not in ("figures", "sha256")}
    return {**known, "tuned": list(MIXED)[-blocks:]}
