"""Find the actions of one new video with a trained run: print a timeline, write a file or clips."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from clip_ae.core.config.schema import DEFAULT_RUNTIME, Runtime
from clip_ae.core.errors import UserError, make_printable
from clip_ae.core.files import check_output_path, check_writable_dir, write_text
from clip_ae.core.provenance import Provenance, make_provenance
from clip_ae.core.types import Detection, VideoInfo
from clip_ae.data import source_folder
from clip_ae.data.detections import write_detections
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.media.decoder_process import Decoder
from clip_ae.pages.timeline_text import get_terminal_width, render_timeline
from clip_ae.pages.web_vtt import format_web_vtt
from clip_ae.pipeline.clips import cut_clips
from clip_ae.pipeline.localization import localize_videos
from clip_ae.pipeline.network_inputs import list_network_inputs
from clip_ae.pipeline.new_videos import extract_like, probe_new_video
from clip_ae.proposals.drop_overlapping import drop_overlapping
from clip_ae.provenance.run_folder import TrainedRun, find_trained_run
from clip_ae.weights.network_file import WeightsFile

OUT_SUFFIXES = (".json", ".vtt")


def run(
    video: Annotated[Path, "the video"],
    *,
    model: Annotated[Path, "results/{dataset} of a finished run, or its runs/{run}/seed-{seed}"],
    out: Annotated[Path | None, "file to write: .json (ActivityNet's form) or .vtt (chapters)"] = None,
    cut: Annotated[Path | None, "folder to write clips of the actions to, one mp4 for each action"] = None,
    top: Annotated[int, "number of detections to show, best first; chapters and clips use the same ones"] = 10,
    runtime: Annotated[Runtime, "device decoder_timeout_s decoder_memory_gib"] = DEFAULT_RUNTIME,
) -> None:
    _check_options(video, out, cut, top)
    trained = find_trained_run(model)
    weights = trained.model
    configure_torch(trained.spec.torch_threads)
    names = trained.cluster_names
    with Decoder(runtime) as decoder:
        info = probe_new_video(decoder, video, trained.spec.grid)
        detections = _localize(trained, weights, info, decoder, resolve_device(runtime.device))
        best = sorted(detections, key=lambda d: (-d.score, d.start))[:top]
        if cut:
            decoder.reset()
            cut_clips(decoder, video, info.video_id, drop_overlapping(best), names, cut)
    shown = [_with_cluster_name(d, names) for d in best]
    if out and out.suffix == ".vtt":
        write_text(out, format_web_vtt(drop_overlapping(shown)))
    elif out:
        write_detections(out, detections, _make_provenance(trained, weights, video))
    print(f"{make_printable(info.video_id)}, {info.duration:.1f} s, {len(best)} of {len(detections)} detections")
    print("\n".join(render_timeline(info.duration, (), shown, get_terminal_width())))


def _check_options(video: Path, out: Path | None, cut: Path | None, top: int) -> None:
    """Refuse wrong options before any work."""
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


def _localize(
    trained: TrainedRun, weights: WeightsFile, info: VideoInfo, decoder: Decoder, device: str
) -> list[Detection]:
    """All detections in the video, from features extracted as those of the run were."""
    settings, lineage = trained.spec, trained.lineage
    streams = {
        name: {v.video_id: v for v in extract_like(lineage, name, [info], Path(), [decoder], device)}
        for name in settings.roles.names
    }
    return localize_videos(settings, weights, streams, device).detect()


def _make_provenance(trained: TrainedRun, weights: WeightsFile, video: Path) -> Provenance:
    settings = trained.spec
    inputs = {
        "model": weights.provenance.id,
        "video": source_folder.files_digest(video.parent, [video.name], with_mtime=False),
        **list_network_inputs(trained.lineage, settings.roles.names),
    }
    return make_provenance("apply", settings, inputs, ("av", "numpy", "torch"))


def _with_cluster_name(detection: Detection, names: Mapping[str, str]) -> Detection:
    label = detection.label
    return replace(detection, label=f"{names[label]} ({label})") if label in names else detection
