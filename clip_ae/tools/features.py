"""Extract features of videos, one file for each video and stream. A second run continues where the first stopped."""

import copy
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from clip_ae.core.config.checks import load_config
from clip_ae.core.config.dataclass_config import apply_assignment
from clip_ae.core.config.registry import ENCODERS
from clip_ae.core.config.schema import DEFAULT_RUNTIME, Config, Runtime
from clip_ae.core.config.specs import ExtractSpec
from clip_ae.core.config.streams import WELL_KNOWN_STREAMS, StreamEncoder
from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.core.files import check_writable_dir
from clip_ae.core.progress import log_line
from clip_ae.core.provenance import Provenance
from clip_ae.core.types import Failure, VideoInfo
from clip_ae.data import source_folder
from clip_ae.data.feature_files import FEATURE_WRITERS, FeatureWriter
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.media.decoder_process import Decoder, create_decoders
from clip_ae.pipeline.stream_encoder import build_extractor, make_extract_provenance
from clip_ae.pipeline.video_features import (
    EncoderChoice,
    check_known,
    choose_encoders,
    list_video_files,
    log_failures,
    probe_video_files,
)
from clip_ae.weights.network_file import WeightsFile
from clip_ae.workflow.config_files import config_path, read_config
from clip_ae.workflow.resources import find_resource

# A model of timm, for help and messages.
EXAMPLE_MODEL = "vit_small_patch14_dinov2.lvd142m"


@dataclass(frozen=True)
class EncoderOptions:
    """Which encoders extract the features: those of one dataset of a config, with changed keys."""

    config: Annotated[
        Path | None, "config file (default: config.yaml of this folder, or else of the clip-ae installation)"
    ] = None
    dataset: Annotated[str, "dataset of the config whose encoders and grid are used"] = "thumos14"
    set: Annotated[
        tuple[str, ...],
        "keys of the streams, such as flow.algorithm=dis rgb.precision=bf16, or a new stream: "
        f"dino.encoder=timm dino.model={EXAMPLE_MODEL}",
    ] = ()
    weights: Annotated[
        Path, "folder that contains results/weights; missing weights are fetched and converted there"
    ] = Path()


def run(
    videos: Annotated[tuple[Path, ...], "videos, or folders of videos"],
    *,
    out: Annotated[Path, "folder to write to: {stream}/{video_id}.parquet or .npy"],
    streams: Annotated[str | None, "streams, separated by commas (default: all of the dataset)"] = None,
    format: Annotated[str, "parquet, or npy: [snippets, D] float32, with a JSON file of the same name"] = "parquet",
    encoders: EncoderOptions = EncoderOptions(),
    runtime: Annotated[
        Runtime, "device num_workers gpu_batch_size decoder_timeout_s decoder_memory_gib"
    ] = DEFAULT_RUNTIME,
) -> None:
    choice = choose_encoders(_load_config(encoders), encoders.dataset, encoders.weights)
    names = list(choice.encoders) if streams is None else streams.split(",")
    for name in names:
        _check_stream(name, encoders.dataset, choice.encoders)
    check_known("--format", format, list(FEATURE_WRITERS))
    check_writable_dir("--out", out)
    files = list_video_files(videos)
    configure_torch(choice.config.torch_threads)
    decoders = create_decoders(runtime)
    infos, failures = probe_video_files(files, choice.grid, decoders[0])
    for stream in names if infos else ():
        writer = FEATURE_WRITERS[format](out, stream)
        failures += _export_stream(choice, stream, infos, writer, decoders, runtime)
    log_failures(failures)
    log_line(f"{len(infos)} of {len(files)} videos, {', '.join(names)}: {out}")
    if not infos:
        raise RefusedInput("no video could be read; the lines above say why")


def _check_stream(name: str, dataset: str, known: Collection[str]) -> None:
    """Refuse a stream without an encoder."""
    if name not in known:
        raise UserError(
            f"--streams {name}: {dataset} has no stream {name}, only {', '.join(known)}; for a new one name its "
            f"encoder, such as --set {name}.encoder=timm {name}.model={EXAMPLE_MODEL} (docs/encoders.md)"
        )


def _load_config(options: EncoderOptions) -> Config:
    """The config; with --set, of its datasets only the named one, with the changed streams."""
    merged = read_config(find_resource("configs"), [options.config or config_path(Path())])
    datasets = merged.data.get("datasets", {})
    check_known(
        "--dataset",
        options.dataset,
        [name for name, data in datasets.items() if "videos_dir" in data or "demo" in data],
    )
    config = load_config(merged.data)
    return load_config(_change_streams(merged.data, options)) if options.set else config


def _change_streams(data: dict[str, Any], options: EncoderOptions) -> dict[str, Any]:
    """Config data with the changed streams, and no run that they would have to fit."""
    dataset = data["datasets"][options.dataset]
    streams = copy.deepcopy(dataset["streams"])
    for assignment in options.set:
        apply_assignment(streams, assignment)
    for name in streams.keys() - dataset["streams"].keys() - WELL_KNOWN_STREAMS.keys():
        if isinstance(streams[name], dict):
            streams[name] = _complete_new_stream(name, streams[name], options.dataset, dataset["streams"])
    source = {key: dataset[key] for key in ("videos_dir", "demo", "grid") if key in dataset}
    run = {"runs": ["any"], "main_run": "any", "classes": dataset["classes"]}
    cbp_streams = [name for name, stream in streams.items() if stream is not None]
    return {
        **data,
        "feature_adapters": {},
        "runs": {"any": {"method": "stpn", "cbp_streams": cbp_streams}},
        "datasets": {options.dataset: {**source, **run, "streams": streams}},
    }


def _complete_new_stream(name: str, stream: dict[str, Any], dataset: str, known: Collection[str]) -> dict[str, Any]:
    """The stream with a role, which extraction does not read; a UserError if it has no encoder."""
    if "encoder" not in stream:
        raise UserError(
            f"--set {name}: {dataset} has no stream {name}, only {', '.join(known)}; for a new one give "
            f"{name}.encoder=KIND ({', '.join(ENCODERS)}) and {name}.model or {name}.weights"
        )
    return {"role": "cbp", **stream}


def _export_stream(
    choice: EncoderChoice,
    stream: str,
    infos: Sequence[VideoInfo],
    writer: FeatureWriter,
    decoders: Sequence[Decoder],
    runtime: Runtime,
) -> list[Failure]:
    """Write the features of the videos whose files are missing or outdated; returns the failures."""
    spec = choice.spec(stream)
    networks = choice.networks(spec)
    planned = {info.video_id: _provenance(spec, networks, info, spec.encoder) for info in infos}
    outdated = [info for info in infos if not writer.is_up_to_date(info.video_id, planned[info.video_id])]
    if not outdated:
        log_line(f"{stream}: nothing to do")
        return []
    device = resolve_device(runtime.device)
    extractor = build_extractor(spec, networks, decoders, device, runtime.gpu_batch_size)
    infos_by_id = {info.video_id: info for info in outdated}
    for video in extractor.extract(outdated):
        provenance = _provenance(spec, networks, infos_by_id[video.video_id], extractor.chosen)
        writer.write(video, extractor.encoder.dim, provenance)
    extractor.log_idle_share()
    return extractor.failures


def _provenance(
    spec: ExtractSpec, networks: Sequence[WeightsFile], info: VideoInfo, chosen: StreamEncoder | None
) -> Provenance:
    path = Path(info.path)
    video_digest = source_folder.files_digest(path.parent, [path.name], with_mtime=False)
    return make_extract_provenance(spec, networks, {"video": video_digest}, chosen, stage="features")
