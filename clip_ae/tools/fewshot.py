"""Find actions of new classes from a few examples, without training: print a table, write a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from clip_ae.core.config.schema import DEFAULT_RUNTIME, Runtime
from clip_ae.core.config.specs import FewshotSpec
from clip_ae.core.errors import RefusedInput, UserError, make_printable
from clip_ae.core.files import check_output_path
from clip_ae.core.provenance import Provenance, make_provenance
from clip_ae.core.types import Detection, VideoInfo
from clip_ae.data import source_folder
from clip_ae.data.detections import write_detections
from clip_ae.data.fewshot_examples import read_support_examples, support_digest
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.language import embedding_space
from clip_ae.language.few_shot import build_prototypes, mask_outside_examples, predict_from_prototypes
from clip_ae.language.spans import Span
from clip_ae.media.decoder_process import create_decoders
from clip_ae.pages.text_table import align_left
from clip_ae.pages.timeline_text import get_terminal_width, render_timeline
from clip_ae.pipeline.adapted_features import restore_joint_space
from clip_ae.pipeline.detection import detect
from clip_ae.pipeline.few_shot_videos import (
    ExtractedVideos,
    TrainedAdapter,
    assign_video_ids,
    extract_few_shot_videos,
    read_trained_adapter,
    select_examples,
)
from clip_ae.pipeline.network_inputs import list_network_inputs
from clip_ae.proposals.curve_choice import PROBABILITY_CURVES, choose_curve


def run(
    spec: FewshotSpec,
    *,
    support: Annotated[Path, "folder of trimmed clips, one sub-folder for each class, or ActivityNet-form annotations"],
    videos: Annotated[Path, "folder of the videos to search"],
    adapter: Annotated[Path, "results/{dataset}/adapters/{adapter}"],
    support_videos: Annotated[Path | None, "folder of the annotated support videos (default: --videos)"] = None,
    out: Annotated[Path | None, "detections.json to write (ActivityNet's form)"] = None,
    top: Annotated[int, "number of detections to show for each video, best first"] = 3,
    runtime: Annotated[Runtime, "device num_workers decoder_timeout_s decoder_memory_gib"] = DEFAULT_RUNTIME,
) -> None:
    if top < 1:
        raise UserError(f"--top {top}: expected at least 1")
    if out:
        check_output_path(out, [support])
    trained = read_trained_adapter(adapter)
    files = source_folder.list_videos(videos)
    examples = read_support_examples(support, support_videos or videos)
    configure_torch(spec.torch_threads)
    decoders, device = create_decoders(runtime), resolve_device(runtime.device)
    id_by_path = assign_video_ids({i: videos / path for i, path in files.items()}, examples)
    # A file that is listed under two names is searched under both.
    paths = {i: path for path, i in id_by_path.items()} | {i: videos / path for i, path in files.items()}
    extracted = extract_few_shot_videos(trained, paths, decoders, device)
    searched_ids = [i for i in extracted.coverage_masks if i in files]
    if not searched_ids:
        raise RefusedInput(f"{videos}: no video could be read; the lines above say why")
    labels = sorted({example.label for example in examples})
    example_spans = select_examples(examples, id_by_path, labels, extracted, trained.grid)
    _check_classes(support, labels, example_spans)
    detections = _detect(spec, trained, extracted, example_spans, labels, searched_ids, device)
    if out:
        sources = {
            "source_files": source_folder.files_digest(videos, files.values(), with_mtime=False),
            "support": support_digest(support, examples),
        }
        write_detections(out, detections, _make_provenance(spec, trained, sources))
    _print_best([extracted.infos[i] for i in searched_ids], detections, top)
    num_unreadable = len(files) - len(searched_ids)
    unreadable = f" ({num_unreadable} more could not be read)" if num_unreadable else ""
    counts = f"{len(labels)} classes, {len(example_spans)} examples"
    print(f"{len(searched_ids)} videos{unreadable}, {counts}: {len(detections)} detections")


def _make_provenance(spec: FewshotSpec, trained: TrainedAdapter, sources: dict[str, str]) -> Provenance:
    networks = list_network_inputs(trained.lineage, trained.streams)
    inputs = {"adapter": trained.weights.provenance.id, **sources, **networks}
    return make_provenance("fewshot", spec, inputs, ("av", "numpy", "torch"))


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
    choice = choose_curve(spec.localization, PROBABILITY_CURVES, trained.grid.stride_s)
    detections: list[Detection] = []
    for i, mask in searched_masks.items():
        prediction = predict_from_prototypes(space, embeddings[i], prototypes, mask)
        duration = videos[i].covered_end
        detections += detect(i, duration, prediction, labels, spec.localization, choice, trained.grid)
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
        columns = get_terminal_width()
        print(f"{make_printable(info.video_id)}, {info.duration:.1f} s")
        print("\n".join(render_timeline(info.duration, (), best_by_video[info.video_id], columns)))
        return
    rows = [
        [i, d.label, f"{d.start:.2f}", f"{d.stop:.2f}", f"{d.score:.2f}"]
        for i, best in best_by_video.items()
        for d in best
    ]
    print("\n".join(align_left([["video", "class", "start", "stop", "score"], *rows])))
