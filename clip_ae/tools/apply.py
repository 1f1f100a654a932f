"""Find a trained run's actions in one new video: a timeline in the terminal, a file, or the clips themselves."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from clip_ae.core.errors import RefusedInput, Unreadable, UserError, printable
from clip_ae.core.files import check_folder, check_out, write_text, written
from clip_ae.core.progress import say, track
from clip_ae.core.provenance import make_record
from clip_ae.core.sharding import file_name
from clip_ae.core.timeline import Grid
from clip_ae.core.types import Detection, VideoFeatures, VideoInfo
from clip_ae.data import source_folder
from clip_ae.data.detections import write_detections
from clip_ae.encoders.devices import resolve, set_threads
from clip_ae.media.decoder_process import Decoder
from clip_ae.pages.timeline_text import timeline
from clip_ae.pages.web_vtt import apart, web_vtt
from clip_ae.pipeline.extraction import Extraction
from clip_ae.provenance.feature_lineage import Origin
from clip_ae.provenance.run_folder import find_trained
from clip_ae.stages.adapt_features import adapted, joint_of
from clip_ae.stages.extract import opened, record_of
from clip_ae.stages.localize import localized

# Characters of a video's name, and of an action's, in that of a clip.
NAME = 60
FORMS = (".json", ".vtt")


def run(
    video: Annotated[Path, "the video"],
    *,
    model: Annotated[Path, "results/{dataset} of a finished run, or its runs/{run}/seed-{seed}"],
    out: Annotated[Path | None, ".json (ActivityNet's form) or .vtt (chapters) to write"] = None,
    cut: Annotated[Path | None, "folder to write the actions to, an mp4 each"] = None,
    top: Annotated[int, "detections to show, and to make chapters or clips of, the best first"] = 10,
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
    watchdog: Annotated[float, "seconds without a frame after which a decoder is killed"] = 60.0,
    memory_gib: Annotated[float, "GiB of address space a decoder may take"] = 1.5,
) -> None:
    _check(video, out, cut, top)
    trained = find_trained(model)
    settings, file = trained.settings, trained.model
    set_threads(settings.math_threads)
    with Decoder(watchdog, memory_gib) as decoder:
        info = probed(decoder, video, settings.grid)
        place = resolve(device)
        streams = {
            name: {v.video_id: v for v in made_again(trained.origin, name, [info], Path(), [decoder], place)}
            for name in settings.streams
        }
        _, found = localized(settings, file, streams, place)
        best = sorted(found, key=lambda d: (-d.score, d.start))[:top]
        names = {label: guesses[0]["name"] for label, guesses in trained.names.items()}
        if cut:
            decoder.begin()
            cut_out(decoder, video, info.video_id, apart(best), names, cut)
    shown = [_named(d, names) for d in best]
    if out and out.suffix == ".vtt":
        write_text(out, web_vtt(apart(shown)))
    elif out:
        source = {"video": source_folder.digest(video.parent, [video.name], with_mtime=False)}
        encoders = {name: trained.origin.encoder(name) for name in settings.streams}
        made = {f"features/{name}": record_of(*encoder, source).id for name, encoder in encoders.items()}
        record = make_record("localize", settings, {"model": file.record.id, **made}, ("numpy", "torch"))
        write_detections(out, found, record)
    print(f"{printable(info.video_id)}, {info.duration:.1f} s, {len(best)} of {len(found)} detections")
    print("\n".join(timeline(info.duration, (), shown, shutil.get_terminal_size().columns)))


def _check(video: Path, out: Path | None, cut: Path | None, top: int) -> None:
    """Before any work."""
    if not video.is_file():
        raise UserError(f"{video}: no such video; check the path")
    if out and out.suffix not in FORMS:
        raise UserError(f"--out {out}: expected a name that ends in {' or '.join(FORMS)}")
    if out:
        check_out(out, [video])
    if cut:
        check_folder("--cut", cut)
    if top < 1:
        raise UserError(f"--top {top}: expected at least 1")


def probed(decoder: Decoder, video: Path, grid: Grid) -> VideoInfo:
    try:
        facts = decoder.probe(video, grid)
    except Unreadable as failure:
        raise RefusedInput(f"{video}: {failure.kind}: {failure}") from None
    if facts.reason:
        say(f"{video}: {facts.status}: {facts.reason}")
    return VideoInfo(source_folder.storable(video.stem), str(video), **vars(facts))


def made_again(
    origin: Origin, stream: str, infos: Sequence[VideoInfo], videos: Path, decoders: Sequence[Decoder], device: str
) -> list[VideoFeatures]:
    """Other videos' features, as those of the origin were made."""
    spec, networks = origin.encoder(stream)
    encoder, network = opened(spec, networks, device, gpu_batch=0)
    work = Extraction(stream, spec.grid, encoder, network, videos, decoders)
    features = list(work.features(infos))
    for failure in work.failures:
        say(f"{failure.video_id}: {failure.stage}: {failure.kind}: {failure.message}")
    adapter = origin.adapter(stream)
    return list(adapted(joint_of(adapter, device), stream, features, device)) if adapter else features


def _named(detection: Detection, names: Mapping[str, str]) -> Detection:
    label = detection.label
    return replace(detection, label=f"{names[label]} ({label})") if label in names else detection


def cut_out(
    decoder: Decoder, video: Path, video_id: str, parts: Sequence[Detection], names: Mapping[str, str], place: Path
) -> None:
    lost = 0
    for number, d in enumerate(track(parts, "cut", unit="clips"), start=1):
        # Short enough for any file system, beside what a file is called while it is written.
        name = f"{file_name(video_id)[:NAME]}-{number:02}-{file_name(names.get(d.label, d.label))[:NAME]}"
        try:
            with written(place / f"{name}.mp4") as temporary:
                decoder.cut(video, temporary, d.start, d.stop)
        except Unreadable as failure:
            say(f"{d.start:.2f} to {d.stop:.2f} s: {failure.kind}: {failure}")
            lost += 1
    if lost and lost == len(parts):
        raise RefusedInput(f"{video}: no clip could be written; the lines above say why")
