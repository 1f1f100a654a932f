"""Turn videos into feature files, one a video and stream; run again, it goes on where it stopped."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from clip_ae.core.config.checks import load_config
from clip_ae.core.config.dataclass_config import apply_assignment, to_plain_data
from clip_ae.core.config.registry import STREAMS
from clip_ae.core.config.schema import Config, Encoders
from clip_ae.core.config.specs import ExtractSpec, WeightsSpec
from clip_ae.core.errors import RefusedInput, Unreadable, UserError, make_printable, suggest_name
from clip_ae.core.files import check_writable_dir
from clip_ae.core.paths import WEIGHTS
from clip_ae.core.progress import log_line, track
from clip_ae.core.provenance import Provenance
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Failure, VideoInfo
from clip_ae.data import source_folder
from clip_ae.data.feature_files import FEATURE_WRITERS, FeatureWriter
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.media.decoder_process import Decoder, create_decoders
from clip_ae.pipeline.extraction import FeatureExtractor
from clip_ae.stages import weights as weights_stage
from clip_ae.stages.extract import build_encoder, make_extract_provenance
from clip_ae.weights.network_file import WeightsFile, read_weights, read_weights_provenance
from clip_ae.workflow.config_files import config_path, read_config
from clip_ae.workflow.resources import find_resource

# The config that comes with the project, for whoever is in another folder.
# Bytes of an id. A file's name has 255; while it is written it holds a host's name and more besides.
MAX_ID_BYTES = 150


def run(
    videos: Annotated[tuple[Path, ...], "videos, or folders of them"],
    *,
    out: Annotated[Path, "folder to write to: {stream}/{video_id}.parquet or .npy"],
    streams: Annotated[str, "streams, separated by commas"] = ",".join(STREAMS),
    format: Annotated[str, "parquet, or npy: [snippets, D] float32, with a JSON file beside it"] = "parquet",
    config: Annotated[Path | None, "config file (default: config.yaml here, or else the project's own)"] = None,
    dataset: Annotated[str, "dataset of the config whose encoders and grid are used"] = "thumos14",
    set: Annotated[tuple[str, ...], "keys of the encoders, as in flow.algorithm=dis rgb.precision=bf16"] = (),
    weights: Annotated[Path, "folder that holds results/weights, or will"] = Path(),
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
    num_workers: Annotated[int, "decoders that read videos side by side"] = 2,
    gpu_batch_size: Annotated[int, "snippets a forward pass on a GPU; 0: as many as its free memory holds"] = 0,
    decoder_timeout_s: Annotated[float, "seconds without a frame after which a decoder is killed"] = 60.0,
    decoder_memory_gib: Annotated[float, "GiB of address space a decoder may take"] = 1.5,
) -> None:
    settings = _settings(config, dataset, set)
    chosen = settings.datasets[dataset]
    assert chosen.encoders is not None
    names = _names(streams, chosen.encoders)
    _known("--format", format, FEATURE_WRITERS)
    check_writable_dir("--out", out)
    paths = _listed(videos)
    configure_torch(settings.torch_threads)
    place = resolve_device(device)
    readers = create_decoders(num_workers, decoder_timeout_s, decoder_memory_gib)
    infos, failures = _probed(paths, chosen.grid, readers[0])
    for stream in names if infos else ():
        spec = _spec(chosen.encoders, stream, chosen.grid, settings.torch_threads)
        networks = [_network(settings, name, weights) for name in spec.encoder.weights_names]
        failures += _extract(
            spec, networks, infos, FEATURE_WRITERS[format](out, stream), readers, place, gpu_batch_size
        )
    for failure in failures:
        log_line(make_printable(f"{failure.video_id}: {failure.stage}: {failure.kind}: {failure.message}"))
    log_line(f"{len(infos)} of {len(paths)} videos, {', '.join(names)}: {out}")
    if not infos:
        raise RefusedInput("no video could be read; the lines above say why")


def _settings(path: Path | None, dataset: str, assignments: Sequence[str]) -> Config:
    data = read_config(find_resource("configs"), [path or config_path(Path())]).data
    _known("--dataset", dataset, [n for n, d in data.get("datasets", {}).items() if "encoders" in d])
    encoders = data["datasets"][dataset]["encoders"]
    for assignment in assignments:
        apply_assignment(encoders, assignment)
    return load_config(data)


def _names(streams: str, encoders: Encoders) -> list[str]:
    names = streams.split(",")
    for name in names:
        _known("--streams", name, encoders.streams)
    return names


def _known(option: str, name: str, known: Any) -> None:
    if name not in known:
        raise UserError(f"{option} {name}: expected one of {', '.join(known)}{suggest_name(name, known)}")


def _listed(given: Sequence[Path]) -> dict[str, Path]:
    """Path by video id."""
    found: dict[str, Path] = {}
    for path in given:
        listing = (
            source_folder.list_videos(path)
            if path.is_dir()
            else {source_folder.escape_undecodable(path.stem): path.name}
        )
        for video_id, name in listing.items():
            file = path / name if path.is_dir() else path
            if found.get(video_id, file) != file:
                raise UserError(f"{found[video_id]} and {file} have one name; ids are file names, so rename one")
            found[video_id] = file
    return found


def _probed(paths: dict[str, Path], grid: SnippetGrid, decoder: Decoder) -> tuple[list[VideoInfo], list[Failure]]:
    infos, failures = [], []
    for video_id, path in track(paths.items(), "probe", len(paths), "videos"):
        try:
            _check_name(video_id)
            facts = decoder.probe_video(path, grid)
        except Unreadable as failure:
            failures.append(Failure(video_id, "probe", failure.kind, str(failure)))
            continue
        info = VideoInfo(video_id, str(path), **vars(facts))
        infos.append(info)
        if info.status == "partial":
            failures.append(Failure(video_id, "probe", "partial", info.reason))
    decoder.kill()
    return infos, failures


def _check_name(video_id: str) -> None:
    if len(os.fsencode(video_id)) > MAX_ID_BYTES:
        raise Unreadable("name", f"its name is longer than {MAX_ID_BYTES} bytes, and so would be that of its features")


def _spec(encoders: Encoders, stream: str, grid: SnippetGrid, torch_threads: int) -> ExtractSpec:
    others = {name: None for name in STREAMS if name != stream}
    return ExtractSpec(replace(encoders, **others), grid, torch_threads)


def _network(settings: Config, name: str, root: Path) -> WeightsFile:
    """Converted weights, made first where they are not there or no longer what the config says."""
    path, spec = root / WEIGHTS.format(name=name), WeightsSpec(name, settings.weights[name])
    if not path.is_file() or read_weights_provenance(path).spec != to_plain_data(spec):
        if spec.weights.source == "pretrain":
            raise UserError(
                f"{path}: not there; the workflow trains it: snakemake --cores 2 {WEIGHTS.format(name=name)}"
            )
        weights_stage.run(spec, out=path)
    return read_weights(path)


def _extract(
    spec: ExtractSpec,
    networks: Sequence[WeightsFile],
    infos: Sequence[VideoInfo],
    files: FeatureWriter,
    readers: Sequence[Decoder],
    device: str,
    gpu_batch_size: int,
) -> list[Failure]:
    records = {info.video_id: _record(spec, networks, info) for info in infos}
    missing = [info for info in infos if not files.is_up_to_date(info.video_id, records[info.video_id])]
    if not missing:
        log_line(f"{spec.stream}: nothing to do")
        return []
    encoder, network = build_encoder(spec, networks, device, gpu_batch_size)
    work = FeatureExtractor(spec.stream, spec.grid, encoder, network, Path(), readers)
    for video in work.extract(missing):
        files.write(video, encoder.dim, records[video.video_id])
    log_line(f"{spec.stream}: the network waited {work.idle_fraction:.0%} of the time")
    return work.failures


def _record(spec: ExtractSpec, networks: Sequence[WeightsFile], info: VideoInfo) -> Provenance:
    path = Path(info.path)
    return make_extract_provenance(
        spec, networks, {"video": source_folder.files_digest(path.parent, [path.name], with_mtime=False)}
    )
