"""Find a trained run's actions in one new video: a timeline in the terminal, a file, or the clips themselves."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from clip_ae.core.errors import RefusedInput, Unreadable, UserError, make_printable
from clip_ae.core.files import atomic_write, check_output_path, check_writable_dir, write_text
from clip_ae.core.progress import log_line, track
from clip_ae.core.provenance import make_provenance
from clip_ae.core.sharding import encode_file_name
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Detection, VideoFeatures, VideoInfo
from clip_ae.data import source_folder
from clip_ae.data.detections import write_detections
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.media.decoder_process import Decoder
from clip_ae.pages.timeline_text import render_timeline
from clip_ae.pages.web_vtt import drop_overlapping, format_web_vtt
from clip_ae.pipeline.extraction import FeatureExtractor
from clip_ae.provenance.feature_lineage import FeatureLineage
from clip_ae.provenance.run_folder import find_trained_run
from clip_ae.stages.adapt_features import adapt_videos, restore_joint_space
from clip_ae.stages.extract import build_encoder, make_extract_provenance
from clip_ae.stages.localize import localize_videos

# Characters of a video's name, and of an action's, in that of a clip.
MAX_NAME_LENGTH = 60
OUT_SUFFIXES = (".json", ".vtt")


def run(
    video: Annotated[Path, "the video"],
    *,
    model: Annotated[Path, "results/{dataset} of a finished run, or its runs/{run}/seed-{seed}"],
    out: Annotated[Path | None, ".json (ActivityNet's form) or .vtt (chapters) to write"] = None,
    cut: Annotated[Path | None, "folder to write the actions to, an mp4 each"] = None,
    top: Annotated[int, "detections to show, and to make chapters or clips of, the best first"] = 10,
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
    decoder_timeout_s: Annotated[float, "seconds without a frame after which a decoder is killed"] = 60.0,
    decoder_memory_gib: Annotated[float, "GiB of address space a decoder may take"] = 1.5,
) -> None:
    _check(video, out, cut, top)
    trained = find_trained_run(model)
    settings, file = trained.spec, trained.model
    configure_torch(settings.torch_threads)
    with Decoder(decoder_timeout_s, decoder_memory_gib) as decoder:
        info = probe_new_video(decoder, video, settings.grid)
        place = resolve_device(device)
        streams = {
            name: {v.video_id: v for v in extract_like(trained.lineage, name, [info], Path(), [decoder], place)}
            for name in settings.streams
        }
        _, found = localize_videos(settings, file, streams, place)
        best = sorted(found, key=lambda d: (-d.score, d.start))[:top]
        names = {label: guesses[0]["name"] for label, guesses in trained.cluster_names.items()}
        if cut:
            decoder.reset()
            cut_clips(decoder, video, info.video_id, drop_overlapping(best), names, cut)
    shown = [_named(d, names) for d in best]
    if out and out.suffix == ".vtt":
        write_text(out, format_web_vtt(drop_overlapping(shown)))
    elif out:
        source = {"video": source_folder.files_digest(video.parent, [video.name], with_mtime=False)}
        encoders = {name: trained.lineage.read_encoder(name) for name in settings.streams}
        made = {f"features/{name}": make_extract_provenance(*encoder, source).id for name, encoder in encoders.items()}
        record = make_provenance("localize", settings, {"model": file.provenance.id, **made}, ("numpy", "torch"))
        write_detections(out, found, record)
    print(f"{make_printable(info.video_id)}, {info.duration:.1f} s, {len(best)} of {len(found)} detections")
    print("\n".join(render_timeline(info.duration, (), shown, shutil.get_terminal_size().columns)))


def _check(video: Path, out: Path | None, cut: Path | None, top: int) -> None:
    """Before any work."""
    if not video.is_file():
        raise UserError(f"{video}: no such video; check the path")
    if out and out.suffix not in OUT_SUFFIXES:
        raise UserError(f"--out {out}: expected a name that ends in {' or '.join(OUT_SUFFIXES)}")
    if out:
        check_output_path(out, [video])
    if cut:
        check_writable_dir("--cut", cut)
    if top < 1:
        raise UserError(f"--top {top}: expected at least 1")


def probe_new_video(decoder: Decoder, video: Path, grid: SnippetGrid) -> VideoInfo:
    try:
        facts = decoder.probe_video(video, grid)
    except Unreadable as failure:
        raise RefusedInput(f"{video}: {failure.kind}: {failure}") from None
    if facts.reason:
        log_line(f"{video}: {facts.status}: {facts.reason}")
    return VideoInfo(source_folder.escape_undecodable(video.stem), str(video), **vars(facts))


def extract_like(
    lineage: FeatureLineage,
    stream: str,
    infos: Sequence[VideoInfo],
    videos_dir: Path,
    decoders: Sequence[Decoder],
    device: str,
) -> list[VideoFeatures]:
    """Other videos' features, as those of the origin were made."""
    spec, networks = lineage.read_encoder(stream)
    encoder, network = build_encoder(spec, networks, device, gpu_batch_size=0)
    work = FeatureExtractor(stream, spec.grid, encoder, network, videos_dir, decoders)
    features = list(work.extract(infos))
    for failure in work.failures:
        log_line(f"{failure.video_id}: {failure.stage}: {failure.kind}: {failure.message}")
    adapter = lineage.read_adapter(stream)
    return list(adapt_videos(restore_joint_space(adapter, device), stream, features, device)) if adapter else features


def _named(detection: Detection, names: Mapping[str, str]) -> Detection:
    label = detection.label
    return replace(detection, label=f"{names[label]} ({label})") if label in names else detection


def cut_clips(
    decoder: Decoder,
    video: Path,
    video_id: str,
    detections: Sequence[Detection],
    names: Mapping[str, str],
    clips_dir: Path,
) -> None:
    lost = 0
    for number, d in enumerate(track(detections, "cut", unit="clips"), start=1):
        # Short enough for any file system, beside what a file is called while it is written.
        action = encode_file_name(names.get(d.label, d.label))[:MAX_NAME_LENGTH]
        name = f"{encode_file_name(video_id)[:MAX_NAME_LENGTH]}-{number:02}-{action}"
        try:
            with atomic_write(clips_dir / f"{name}.mp4") as temporary:
                decoder.cut_segment(video, temporary, d.start, d.stop)
        except Unreadable as failure:
            log_line(f"{d.start:.2f} to {d.stop:.2f} s: {failure.kind}: {failure}")
            lost += 1
    if lost and lost == len(detections):
        raise RefusedInput(f"{video}: no clip could be written; the lines above say why")
