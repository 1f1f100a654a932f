"""Find a trained run's actions in one new video: a timeline in the terminal, a file, or the clips themselves."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from clip_ae.core.errors import UserError, make_printable
from clip_ae.core.files import check_output_path, check_writable_dir, write_text
from clip_ae.core.provenance import make_provenance
from clip_ae.core.types import Detection
from clip_ae.data import source_folder
from clip_ae.data.detections import write_detections
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.media.decoder_process import Decoder
from clip_ae.pages.timeline_text import render_timeline
from clip_ae.pages.web_vtt import drop_overlapping, format_web_vtt
from clip_ae.pipeline.clips import cut_clips
from clip_ae.pipeline.localization import localize_videos
from clip_ae.pipeline.new_videos import extract_like, probe_new_video
from clip_ae.pipeline.stream_encoder import make_extract_provenance
from clip_ae.provenance.run_folder import find_trained_run

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


def _named(detection: Detection, names: Mapping[str, str]) -> Detection:
    label = detection.label
    return replace(detection, label=f"{names[label]} ({label})") if label in names else detection
