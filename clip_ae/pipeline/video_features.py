"""Extract features of any videos with the encoders of a dataset of the config; missing weights are downloaded."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clip_ae.core.config.dataclass_config import to_plain_data
from clip_ae.core.config.schema import PRETRAIN, Config
from clip_ae.core.config.specs import ExtractSpec, WeightsSpec
from clip_ae.core.config.streams import StreamEncoder
from clip_ae.core.errors import Unreadable, UserError, suggest_name
from clip_ae.core.paths import WEIGHTS
from clip_ae.core.progress import log_line, track
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Failure, VideoInfo
from clip_ae.data import source_folder
from clip_ae.media.decoder_process import Decoder
from clip_ae.pipeline.network_weights import convert_weights
from clip_ae.weights.network_file import WeightsFile, read_weights, read_weights_provenance

# Longest video id in bytes: file names may have 255, and that of a feature file ends with .parquet.
MAX_ID_BYTES = 247
# Failures of one stage and kind that are logged one by one.
MAX_LOGGED = 10


@dataclass(frozen=True)
class EncoderChoice:
    """The encoders and the grid of one dataset of the config, and the folder of converted weights."""

    config: Config
    encoders: Mapping[str, StreamEncoder]
    grid: SnippetGrid
    weights_root: Path

    def spec(self, stream: str) -> ExtractSpec:
        return ExtractSpec(stream, self.encoders[stream], self.grid, self.config.torch_threads)

    def networks(self, spec: ExtractSpec) -> list[WeightsFile]:
        """The stream's networks; a missing or outdated file is downloaded and converted first."""
        return [self._network(name) for name in spec.encoder.weights_names]

    def _network(self, name: str) -> WeightsFile:
        relative_path = WEIGHTS.format(name=name)
        path, spec = self.weights_root / relative_path, WeightsSpec(name, self.config.weights[name])
        if not path.is_file() or read_weights_provenance(path).spec != to_plain_data(spec):
            if spec.weights.source == PRETRAIN:
                raise UserError(f"{path}: missing; train it with the workflow: snakemake --cores 2 {relative_path}")
            convert_weights(spec, path)
        return read_weights(path)


def choose_encoders(config: Config, dataset: str, weights_root: Path) -> EncoderChoice:
    """The encoders of a dataset of the config; refuses a dataset without encoders."""
    encoders = {name: data.encoders for name, data in config.datasets.items() if data.encoders}
    check_known("--dataset", dataset, list(encoders))
    return EncoderChoice(config, encoders[dataset], config.datasets[dataset].grid, weights_root)


def check_known(option: str, name: str, valid_names: Sequence[str]) -> None:
    """Refuse a name that is not valid for an option, and suggest a similar one."""
    if name not in valid_names:
        raise UserError(f"{option} {name}: expected one of {', '.join(valid_names)}{suggest_name(name, valid_names)}")


def list_video_files(sources: Iterable[Path]) -> dict[str, Path]:
    """Paths by video id; a source is a video or a folder of videos."""
    files: dict[str, Path] = {}
    for path in sources:
        for video_id, file in _videos_at(path):
            if files.get(video_id, file) != file:
                raise UserError(
                    f"{files[video_id]} and {file} have one name; ids are file names without suffix: rename one"
                )
            files[video_id] = file
    return files


def _videos_at(path: Path) -> Iterator[tuple[str, Path]]:
    if not os.path.exists(path):
        raise UserError(f"{path}: no such video or folder; check the path")
    if path.is_dir():
        yield from ((video_id, path / name) for video_id, name in source_folder.list_videos(path).items())
    else:
        yield source_folder.escape_undecodable(path.stem), path


def probe_video_files(
    files: dict[str, Path], grid: SnippetGrid, decoder: Decoder
) -> tuple[list[VideoInfo], list[Failure]]:
    """Length, frame rate, size and sound of each video, and the failures of broken ones."""
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


def log_failures(failures: Iterable[Failure]) -> None:
    """Log the first failures of each stage and kind, and how many more there are."""
    counts: Counter[tuple[str, str]] = Counter()
    for failure in failures:
        kind = (failure.stage, failure.kind)
        counts[kind] += 1
        if counts[kind] <= MAX_LOGGED:
            log_line(f"{failure.video_id}: {failure.stage}: {failure.kind}: {failure.message}")
    for (stage, name), count in counts.items():
        if count > MAX_LOGGED:
            log_line(f"{stage}: {name}: {count - MAX_LOGGED} more videos")


def _check_id(video_id: str) -> None:
    if len(os.fsencode(video_id)) > MAX_ID_BYTES:
        raise Unreadable(
            "name", f"its name is longer than {MAX_ID_BYTES} bytes, too long for the name of a feature file; rename it"
        )
