"""The videos of few-shot localization: features like those that an adapter was trained on, and the support examples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from clip_ae.core.errors import Unreadable, UserError
from clip_ae.core.paths import ADAPTER_MODEL, parse_wildcards
from clip_ae.core.progress import log_line, track
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import FeaturesByStream, Instance, VideoInfo
from clip_ae.data import source_folder
from clip_ae.data.fewshot_examples import SupportExample
from clip_ae.language.few_shot import SnippetMasks, compute_coverage_masks, has_decoded_snippet
from clip_ae.language.spans import Span, instances_to_spans
from clip_ae.media.decoder_process import Decoder
from clip_ae.pipeline.new_videos import extract_like
from clip_ae.provenance.feature_lineage import FeatureLineage
from clip_ae.weights.network_file import WeightsFile, read_weights


@dataclass(frozen=True)
class TrainedAdapter:
    """A feature adapter, and how the features that it was trained on were extracted."""

    weights: WeightsFile
    lineage: FeatureLineage

    @property
    def streams(self) -> list[str]:
        return sorted(self.weights.metadata["joint"]["dims"])

    @cached_property
    def grid(self) -> SnippetGrid:
        """The grid of the features. Cached: it is read together with the weights of a network."""
        return self.lineage.read_encoder(self.streams[0])[0].grid


@dataclass(frozen=True)
class ExtractedVideos:
    """All videos, of examples and to search: their length, their features, and the snippets that were decoded."""

    infos: Mapping[str, VideoInfo]
    streams: FeaturesByStream
    # Without the videos of which no snippet was decoded.
    coverage_masks: SnippetMasks


def read_trained_adapter(adapter: Path) -> TrainedAdapter:
    """The feature adapter of a model file, or of the folder that contains it."""
    path = adapter if adapter.is_file() else adapter / "model.safetensors"
    if not path.is_file():
        is_output = parse_wildcards(ADAPTER_MODEL, str(path)) is not None
        advice = f"make it with `snakemake --cores 2 {path}`" if is_output else f"expected {Path(ADAPTER_MODEL).parent}"
        raise UserError(f"--adapter {adapter}: contains no model; {advice}")
    weights = read_weights(path)
    if "joint" not in weights.metadata:
        raise UserError(f"--adapter {adapter}: not a network of train_adapter; expected one of adapters/")
    return TrainedAdapter(weights, FeatureLineage(path.resolve().parent.parent.parent, weights.provenance.inputs))


def assign_video_ids(searched_paths: Mapping[str, Path], examples: Sequence[SupportExample]) -> dict[Path, str]:
    """Id by path. The id of an example is its path, as clips of two classes may have one file name."""
    id_by_path = {path.resolve(): i for i, path in searched_paths.items()}
    for example in examples:
        id_by_path.setdefault(example.path.resolve(), source_folder.escape_undecodable(str(example.path.absolute())))
    return id_by_path


def extract_few_shot_videos(
    trained: TrainedAdapter, paths: Mapping[str, Path], decoders: Sequence[Decoder], device: str
) -> ExtractedVideos:
    """The videos at the paths, by id, with the streams and the grid that the adapter needs."""
    infos = _probe(paths, trained.grid, decoders[0])
    streams = {
        name: {
            v.video_id: v for v in extract_like(trained.lineage, name, list(infos.values()), Path(), decoders, device)
        }
        for name in trained.streams
    }
    masks = {i: mask for i, mask in compute_coverage_masks(streams).items() if mask.any()}
    return ExtractedVideos(infos, streams, masks)


def select_examples(
    examples: Sequence[SupportExample],
    id_by_path: Mapping[Path, str],
    labels: Sequence[str],
    extracted: ExtractedVideos,
    grid: SnippetGrid,
) -> list[Span]:
    """The examples as spans of snippets; an example without a decoded snippet is logged and left out."""
    class_ids = {label: class_id for class_id, label in enumerate(labels, start=1)}
    videos = next(iter(extracted.streams.values()))
    example_spans = []
    for example in examples:
        video_id = id_by_path[example.path.resolve()]
        if video_id not in extracted.coverage_masks:
            continue
        video = videos[video_id]
        if example.instance is None:
            _log_if_short(example.path, extracted.infos[video_id].duration, grid)
        segment = example.instance or Instance(example.label, 0.0, video.covered_end)
        (span,) = instances_to_spans(video, [segment], class_ids)
        if segment.start < video.covered_end and has_decoded_snippet(span, extracted.coverage_masks):
            example_spans.append(span)
        else:
            log_line(
                f"{example.path}: has no decoded snippet from {segment.start:.2f} to {segment.stop:.2f} s; "
                f"its decoded part ends at {video.covered_end:.2f} s"
            )
    return example_spans


def _probe(paths: Mapping[str, Path], grid: SnippetGrid, decoder: Decoder) -> dict[str, VideoInfo]:
    """Facts by id; a video that cannot be opened is logged and left out."""
    infos = {}
    for i, path in track(paths.items(), "probe", len(paths), "videos"):
        try:
            infos[i] = VideoInfo(i, str(path), **vars(decoder.probe_video(path, grid)))
        except Unreadable as failure:
            log_line(f"{path}: {failure.kind}: {failure}")
            continue
        if infos[i].reason:
            log_line(f"{path}: {infos[i].status}: {infos[i].reason}")
    decoder.kill()
    return infos


def _log_if_short(path: Path, duration: float, grid: SnippetGrid) -> None:
    if duration < grid.snippet_s:
        length = f"{duration:.2f} s are shorter than a snippet of {grid.snippet_s:.2f} s"
        log_line(f"{path}: {length}; its last frame is repeated. A longer clip is a better example")
