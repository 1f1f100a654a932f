"""Find actions in videos that a few examples show: no training, a table in the terminal, and a file."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
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
from clip_ae.pipeline.new_videos import extract_like
from clip_ae.pipeline.stream_encoder import make_extract_provenance
from clip_ae.provenance.feature_lineage import FeatureLineage
from clip_ae.weights.network_file import WeightsFile, read_weights


@dataclass(frozen=True)
class TrainedAdapter:
    """What train_adapter taught, and how the features that it reads are made."""

    weights: WeightsFile
    lineage: FeatureLineage

    @property
    def streams(self) -> list[str]:
        return sorted(self.weights.metadata["joint"]["dims"])

    @property
    def grid(self) -> SnippetGrid:
        return self.lineage.read_encoder(self.streams[0])[0].grid


def run(
    spec: FewshotSpec,
    *,
    support: Annotated[Path, "folder of trimmed clips, a sub-folder a class, or annotations in ActivityNet's form"],
    videos: Annotated[Path, "folder of the videos to search"],
    adapter: Annotated[Path, "results/{dataset}/adapters/{adapter}"],
    support_videos: Annotated[Path | None, "folder of the videos that the annotations speak of, if another"] = None,
    out: Annotated[Path | None, "detections.json to write (ActivityNet's form)"] = None,
    top: Annotated[int, "detections to show of every video, the best first"] = 3,
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
    num_workers: Annotated[int, "decoders that read videos side by side"] = 2,
    decoder_timeout_s: Annotated[float, "seconds without a frame after which a decoder is killed"] = 60.0,
    decoder_memory_gib: Annotated[float, "GiB of address space a decoder may take"] = 1.5,
) -> None:
    if top < 1:
        raise UserError(f"--top {top}: expected at least 1")
    if out:
        check_output_path(out, [support])
    taught = _model(adapter)
    listing = source_folder.list_videos(videos)
    examples = read_support_examples(support, support_videos or videos)
    configure_torch(spec.torch_threads)
    place, readers = resolve_device(device), create_decoders(num_workers, decoder_timeout_s, decoder_memory_gib)
    ids = _ids({i: videos / path for i, path in listing.items()}, examples)
    # A file that is listed under two names is searched under both.
    paths = {i: path for path, i in ids.items()} | {i: videos / path for i, path in listing.items()}
    infos = _probed(paths, taught.grid, readers[0])
    streams = {
        name: {v.video_id: v for v in extract_like(taught.lineage, name, list(infos.values()), Path(), readers, place)}
        for name in taught.streams
    }
    covered = {i: rows for i, rows in few_shot.compute_coverage_masks(streams).items() if rows.any()}
    searched = {i: rows for i, rows in covered.items() if i in listing}
    if not searched:
        raise RefusedInput(f"{videos}: no video could be read; the lines above say why")
    labels = sorted({example.label for example in examples})
    shown = list(_shown(examples, ids, infos, labels, streams, covered, taught.grid))
    for name in (name for kind, name in enumerate(labels, start=1) if kind not in {span.class_id for span in shown}):
        raise RefusedInput(f"--support {support}: '{name}' has no example that can be used; the lines above say why")
    detections = list(_searched(spec, taught, streams, shown, labels, covered, searched, place))
    if out:
        searched_in = source_folder.files_digest(videos, listing.values(), with_mtime=False)
        source = {"videos": searched_in, "support": support_digest(support, examples)}
        write_detections(out, detections, _record(spec, taught, source))
    _show([infos[i] for i in searched], detections, top)
    lost = f" ({len(listing) - len(searched)} more could not be read)" if len(searched) < len(listing) else ""
    print(f"{len(searched)} videos{lost}, {len(labels)} classes, {len(shown)} examples: {len(detections)} detections")


def _record(spec: FewshotSpec, taught: TrainedAdapter, source: dict[str, str]) -> Provenance:
    made = {
        f"features/{n}": make_extract_provenance(*taught.lineage.read_encoder(n), source).id for n in taught.streams
    }
    return make_provenance(
        "fewshot", spec, {"adapter": taught.weights.provenance.id, **source, **made}, ("numpy", "torch")
    )


def _model(place: Path) -> TrainedAdapter:
    path = place if place.is_file() else place / "model.safetensors"
    if not path.is_file():
        raise UserError(f"--adapter {place}: no model there; expected results/{{dataset}}/adapters/{{adapter}}")
    file = read_weights(path)
    if "joint" not in file.metadata:
        raise UserError(f"--adapter {place}: not a network of train_adapter; expected one of adapters/")
    return TrainedAdapter(file, FeatureLineage(path.resolve().parent.parent.parent, file.provenance.inputs))


def _ids(searched: Mapping[str, Path], examples: Sequence[SupportExample]) -> dict[Path, str]:
    """Every video once. Clips of two classes may have one name, so an example is known by its path."""
    found = {path.resolve(): i for i, path in searched.items()}
    for example in examples:
        found.setdefault(example.path.resolve(), source_folder.escape_undecodable(str(example.path.absolute())))
    return found


def _probed(paths: Mapping[str, Path], grid: SnippetGrid, decoder: Decoder) -> dict[str, VideoInfo]:
    """A video that cannot be opened costs a line."""
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


def _shown(
    examples: Sequence[SupportExample],
    ids: Mapping[Path, str],
    infos: Mapping[str, VideoInfo],
    labels: Sequence[str],
    streams: FeaturesByStream,
    covered: SnippetMasks,
    grid: SnippetGrid,
) -> Iterator[Span]:
    """The examples on the snippet grid; one that shows nothing costs a line."""
    kinds = {label: kind for kind, label in enumerate(labels, start=1)}
    videos = next(iter(streams.values()))
    for example in (e for e in examples if ids[e.path.resolve()] in covered):
        video = videos[ids[example.path.resolve()]]
        seconds = infos[video.video_id].duration
        if example.instance is None and seconds < grid.snippet_s:
            length = f"{seconds:.2f} s are shorter than a snippet of {grid.snippet_s:.2f} s"
            log_line(f"{example.path}: {length}; its last frame is held that long. A longer clip shows more")
        shown = example.instance or Instance(example.label, 0.0, video.covered_end)
        (span,) = spans.instances_to_spans(video, [shown], kinds)
        if shown.start < video.covered_end and has_decoded_snippet(span, covered):
            yield span
        else:
            log_line(
                f"{example.path}: shows nothing from {shown.start:.2f} to {shown.stop:.2f} s, "
                f"of {video.covered_end:.2f} s"
            )


def _searched(
    spec: FewshotSpec,
    taught: TrainedAdapter,
    streams: FeaturesByStream,
    shown: Sequence[Span],
    labels: Sequence[str],
    covered: SnippetMasks,
    searched: SnippetMasks,
    device: str,
) -> Iterator[Detection]:
    """Trimmed clips show no background: there it is what most of the searched videos are."""
    space = embedding_space.adapted_space(
        restore_joint_space(taught.weights, device), embedding_space.extracted_space(streams, device)
    )
    seen = space.embed_streams(streams, device)
    around = mask_outside_examples(shown, covered)
    background = around if any(rows.any() for rows in around.values()) else searched
    at = build_prototypes(space, seen, shown, covered, background)
    videos = next(iter(streams.values()))
    for i, rows in searched.items():
        yield from detect(
            videos[i], predict_from_prototypes(space, seen[i], at, rows), labels, spec.localization, taught.grid
        )


def _show(infos: Sequence[VideoInfo], detections: Sequence[Detection], top: int) -> None:
    best = {info.video_id: [d for d in detections if d.video_id == info.video_id] for info in infos}
    best = {i: sorted(found, key=lambda d: (-d.score, d.start))[:top] for i, found in best.items()}
    if len(infos) == 1:
        (info,) = infos
        print(f"{make_printable(info.video_id)}, {info.duration:.1f} s")
        print("\n".join(render_timeline(info.duration, (), best[info.video_id], shutil.get_terminal_size().columns)))
        return
    rows = [
        [i, d.label, f"{d.start:.2f}", f"{d.stop:.2f}", f"{d.score:.2f}"] for i, found in best.items() for d in found
    ]
    print("\n".join(align_left([["video", "class", "start", "stop", "score"], *rows])))
