"""Features of any videos: encoders chosen by a dataset of the config, weights fetched where they are missing."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.schema import Config, Encoders
from clip_ae.core.config.specs import ExtractSpec, WeightsSpec
from clip_ae.core.errors import Unreadable, UserError, suggest_name
from clip_ae.core.paths import WEIGHTS
from clip_ae.core.progress import log_line, track
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Failure, VideoFeatures, VideoInfo
from clip_ae.data import source_folder
from clip_ae.media.decoder_process import Decoder
from clip_ae.pipeline.extraction import FeatureExtractor
from clip_ae.pipeline.network_weights import convert_weights
from clip_ae.pipeline.stream_encoder import build_encoder
from clip_ae.weights.network_file import WeightsFile, read_weights, read_weights_provenance

# Bytes of a video id. A file name may have 255; while a file is written its name also holds the host's name.
MAX_ID_BYTES = 150


@dataclass(frozen=True)
class EncoderChoice:
    """The encoders and the grid of one dataset of the config, and where converted weights are kept."""

    config: Config
    encoders: Encoders
    grid: SnippetGrid
    weights_root: Path

    def spec(self, stream: str) -> ExtractSpec:
        return ExtractSpec(self.encoders.only(stream), self.grid, self.config.torch_threads)

    def networks(self, spec: ExtractSpec) -> list[WeightsFile]:
        """The stream's networks, converted first where they are missing or not what the config says."""
        return [self._network(name) for name in spec.encoder.weights_names]

    def _network(self, name: str) -> WeightsFile:
        target = WEIGHTS.format(name=name)
        path, spec = self.weights_root / target, WeightsSpec(name, self.config.weights[name])
        if not path.is_file() or read_weights_provenance(path).spec != to_plain_data(spec):
            if spec.weights.source == "pretrain":
                raise UserError(f"{path}: missing; the workflow trains it: snakemake --cores 2 {target}")
            convert_weights(spec, path)
        return read_weights(path)


def choose_encoders(config: Config, dataset: str, weights_root: Path) -> EncoderChoice:
    """The encoders of a dataset of the config."""
    with_encoders = [name for name, data in config.datasets.items() if data.encoders]
    check_known("--dataset", dataset, with_encoders)
    data = config.datasets[dataset]
    if data.encoders is None:
        raise UserError(f"datasets.{dataset}: has no encoders")
    return EncoderChoice(config, data.encoders, data.grid, weights_root)


def check_known(option: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise UserError(f"{option} {name}: expected one of {', '.join(known)}{suggest_name(name, known)}")


def list_video_files(given: Iterable[Path]) -> dict[str, Path]:
    """Path by video id, of videos and of folders of videos."""
    files: dict[str, Path] = {}
    for path in given:
        for video_id, file in _videos_at(path):
            if files.get(video_id, file) != file:
                raise UserError(f"{files[video_id]} and {file} have one name; ids are file names, so rename one")
            files[video_id] = file
    return files


def _videos_at(path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_dir():
        yield from ((video_id, path / name) for video_id, name in source_folder.list_videos(path).items())
    else:
        yield source_folder.escape_undecodable(path.stem), path


def probe_video_files(
    files: dict[str, Path], grid: SnippetGrid, decoder: Decoder
) -> tuple[list[VideoInfo], list[Failure]]:
    """What each video is; a broken one is a failure."""
    infos, failures = [], []
    for video_id, path in track(files.items(), "probe", len(files), "videos"):
        try:
            _check_id(video_id)
            probed = decoder.probe_video(path, grid)
        except Unreadable as error:
            failures.append(Failure(video_id, "probe", error.kind, str(error)))
            continue
        info = VideoInfo(video_id, str(path), **vars(probed))
        infos.append(info)
        if info.status == "partial":
            failures.append(Failure(video_id, "probe", "partial", info.reason))
    decoder.kill()
    return infos, failures


def extract_videos(
    spec: ExtractSpec,
    networks: Sequence[WeightsFile],
    infos: Sequence[VideoInfo],
    readers: Sequence[Decoder],
    device: str,
    gpu_batch_size: int,
) -> tuple[Iterator[VideoFeatures], FeatureExtractor]:
    """Features of one stream, a video at a time; the extractor has the failures once all are read."""
    encoder, network = build_encoder(spec, networks, device, gpu_batch_size)
    extractor = FeatureExtractor(spec.stream, spec.grid, encoder, network, Path(), readers)
    return extractor.extract(infos), extractor


def log_failures(failures: Iterable[Failure]) -> None:
    for failure in failures:
        log_line(f"{failure.video_id}: {failure.stage}: {failure.kind}: {failure.message}")


def _check_id(video_id: str) -> None:
    if len(os.fsencode(video_id)) > MAX_ID_BYTES:
        raise Unreadable("name", f"its name is longer than {MAX_ID_BYTES} bytes, and so would be that of its features")
