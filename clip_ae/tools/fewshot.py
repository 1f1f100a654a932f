"""Find actions of new classes from a few examples, without training: print a table, write a file."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from clip_ae.core.config.specs import FewshotSpec
from clip_ae.core.errors import RefusedInput, Unreadable, UserError, make_printable
from clip_ae.core.files import check_output_path
from clip_ae.core.progress import log_line, track
from clip_ae.core.provenance import Provenance, make_provenance
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Detection, FeaturesByStream, Instance, VideoInfo
from clip_ae.data import source_folder
from clip_ae.data.detections import write_detections
from clip_ae.data.fewshot_examples import SupportExample, read_support_examples, support_digest
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.language import embedding_space, few_shot, spans
from clip_ae.language.few_shot import (
    SnippetMasks,
    build_prototypes,
    has_decoded_snippet,
    mask_outside_examples,
    predict_from_prototypes,
)
from clip_ae.language.spans import Span
from clip_ae.media.decoder_process import Decoder, create_decoders
from clip_ae.pages.text_table import align_left
from clip_ae.pages.timeline_text import render_timeline
from clip_ae.pipeline.adapted_features import restore_joint_space
from clip_ae.pipeline.detection import detect
from clip_ae.pipeline.network_inputs import list_network_inputs
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

    @property
    def grid(self) -> SnippetGrid:
        return self.lineage.read_encoder(self.streams[0])[0].grid


@dataclass(frozen=True)
class ExtractedVideos:
    """All videos, of examples and to search: their length, their features, and the snippets that were decoded."""

    infos: Mapping[str, VideoInfo]
    streams: FeaturesByStream
    # Without the videos of which no snippet was decoded.
    coverage_masks: SnippetMasks


def run(
    spec: FewshotSpec,
    *,
    support: Annotated[Path, "folder of trimmed clips, one sub-folder for each class, or ActivityNet-form annotations"],
    videos: Annotated[Path, "folder of the videos to search"],
    adapter: Annotated[Path, "results/{dataset}/adapters/{adapter}"],
    support_videos: Annotated[Path | None, "folder of the annotated support videos (default: --videos)"] = None,
    out: Annotated[Path | None, "detections.json to write (ActivityNet's form)"] = None,
    top: Annotated[int, "number of detections to show for each video, best first"] = 3,
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
    num_workers: Annotated[int, "number of decoder processes"] = 2,
    decoder_timeout_s: Annotated[float, "seconds without a frame after which a decoder is killed"] = 60.0,
    decoder_memory_gib: Annotated[float, "GiB of address space that a decoder may use"] = 1.5,
) -> None:
    if top < 1:
        raise UserError(f"--top {top}: expected at least 1")
    if out:
        check_output_path(out, [support])
    trained = _read_adapter(adapter)
    files = source_folder.list_videos(videos)
    examples = read_support_examples(support, support_videos or videos)
    configure_torch(spec.torch_threads)
    decoders = create_decoders(num_workers, decoder_timeout_s, decoder_memory_gib)
    id_by_path = _assign_ids({i: videos / path for i, path in files.items()}, examples)
    # A file that is listed under two names is searched under both.
    paths = {i: path for path, i in id_by_path.items()} | {i: videos / path for i, path in files.items()}
    resolved_device = resolve_device(device)
    extracted = _extract(trained, paths, decoders, resolved_device)
    searched_ids = [i for i in extracted.coverage_masks if i in files]
    if not searched_ids:
        raise RefusedInput(f"{videos}: no video could be read; the lines above say why")
    labels = sorted({example.label for example in examples})
    example_spans = _select_examples(examples, id_by_path, labels, extracted, trained.grid)
    _check_classes(support, labels, example_spans)
    detections = _detect(spec, trained, extracted, example_spans, labels, searched_ids, resolved_device)
    if out:
        sources = {
            "source_files": source_folder.files_digest(videos, files.values(), with_mtime=False),
            "support": support_digest(support, examples),
        }
        write_detections(out, detections, _make_provenance(spec, trained, sources))
    _print_best([extracted.infos[i] for i in searched_ids], detections, top)
    num_lost = len(files) - len(searched_ids)
    lost = f" ({num_lost} more could not be read)" if num_lost else ""
    counts = f"{len(labels)} classes, {len(example_spans)} examples"
    print(f"{len(searched_ids)} videos{lost}, {counts}: {len(detections)} detections")


def _make_provenance(spec: FewshotSpec, trained: TrainedAdapter, sources: dict[str, str]) -> Provenance:
    networks = list_network_inputs(trained.lineage, trained.streams)
    inputs = {"adapter": trained.weights.provenance.id, **sources, **networks}
    return make_provenance("fewshot", spec, inputs, ("av", "numpy", "torch"))


def _read_adapter(adapter: Path) -> TrainedAdapter:
    path = adapter if adapter.is_file() else adapter / "model.safetensors"
    if not path.is_file():
        raise UserError(f"--adapter {adapter}: contains no model; expected results/{{dataset}}/adapters/{{adapter}}")
    weights = read_weights(path)
    if "joint" not in weights.metadata:
        raise UserError(f"--adapter {adapter}: not a network of train_adapter; expected one of adapters/")
    return TrainedAdapter(weights, FeatureLineage(path.resolve().parent.parent.parent, weights.provenance.inputs))


def _assign_ids(searched_paths: Mapping[str, Path], examples: Sequence[SupportExample]) -> dict[Path, str]:
    """Id by path. The id of an example is its path, as clips of two classes may have one file name."""
    id_by_path = {path.resolve(): i for i, path in searched_paths.items()}
    for example in examples:
        id_by_path.setdefault(example.path.resolve(), source_folder.escape_undecodable(str(example.path.absolute())))
    return id_by_path


def _extract(
    trained: TrainedAdapter, paths: Mapping[str, Path], decoders: Sequence[Decoder], device: str
) -> ExtractedVideos:
    infos = _probe(paths, trained.grid, decoders[0])
    streams = {
        name: {
            v.video_id: v for v in extract_like(trained.lineage, name, list(infos.values()), Path(), decoders, device)
        }
        for name in trained.streams
    }
    masks = {i: mask for i, mask in few_shot.compute_coverage_masks(streams).items() if mask.any()}
    return ExtractedVideos(infos, streams, masks)


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


def _select_examples(
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
        (span,) = spans.instances_to_spans(video, [segment], class_ids)
        if segment.start < video.covered_end and has_decoded_snippet(span, extracted.coverage_masks):
            example_spans.append(span)
        else:
            log_line(
                f"{example.path}: has no decoded snippet from {segment.start:.2f} to {segment.stop:.2f} s; "
                f"its decoded part ends at {video.covered_end:.2f} s"
            )
    return example_spans


def _log_if_short(path: Path, duration: float, grid: SnippetGrid) -> None:
    if duration < grid.snippet_s:
        length = f"{duration:.2f} s are shorter than a snippet of {grid.snippet_s:.2f} s"
        log_line(f"{path}: {length}; its last frame is repeated. A longer clip is a better example")


def _check_classes(support: Path, labels: Sequence[str], example_spans: Sequence[Span]) -> None:
    class_ids = {span.class_id for span in example_spans}
    for class_id, label in enumerate(labels, start=1):
        if class_id not in class_ids:
            raise RefusedInput(
                f"--support {support}: '{label}' has no example that can be used; the lines above say why"
            )


def _detect(
    spec: FewshotSpec,
    trained: TrainedAdapter,
    extracted: ExtractedVideos,
    example_spans: Sequence[Span],
    labels: Sequence[str],
    searched_ids: Sequence[str],
    device: str,
) -> list[Detection]:
    """Detections in the searched videos.

    Background is estimated from the snippets outside the examples. Trimmed clips have none: then it is estimated
    from the searched videos, which are mostly background.
    """
    space = embedding_space.adapted_space(
        restore_joint_space(trained.weights, device), embedding_space.extracted_space(extracted.streams, device)
    )
    embeddings = space.embed_streams(extracted.streams, device)
    searched_masks = {i: extracted.coverage_masks[i] for i in searched_ids}
    outside_masks = mask_outside_examples(example_spans, extracted.coverage_masks)
    background_masks = outside_masks if any(mask.any() for mask in outside_masks.values()) else searched_masks
    prototypes = build_prototypes(space, embeddings, example_spans, extracted.coverage_masks, background_masks)
    videos = next(iter(extracted.streams.values()))
    detections: list[Detection] = []
    for i, mask in searched_masks.items():
        prediction = predict_from_prototypes(space, embeddings[i], prototypes, mask)
        detections += detect(videos[i], prediction, labels, spec.localization, trained.grid)
    return detections


def _print_best(infos: Sequence[VideoInfo], detections: Sequence[Detection], top: int) -> None:
    """The best detections: a timeline of one video, or a table of several."""
    best_by_video = {
        info.video_id: sorted(
            (d for d in detections if d.video_id == info.video_id), key=lambda d: (-d.score, d.start)
        )[:top]
        for info in infos
    }
    if len(infos) == 1:
        (info,) = infos
        columns = shutil.get_terminal_size().columns
        print(f"{make_printable(info.video_id)}, {info.duration:.1f} s")
        print("\n".join(render_timeline(info.duration, (), best_by_video[info.video_id], columns)))
        return
    rows = [
        [i, d.label, f"{d.start:.2f}", f"{d.stop:.2f}", f"{d.score:.2f}"]
        for i, best in best_by_video.items()
        for d in best
    ]
    print("\n".join(align_left([["video", "class", "start", "stop", "score"], *rows])))
