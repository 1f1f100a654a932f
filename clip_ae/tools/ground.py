"""Find the moments that a sentence tells of, in one video or in all of a dataset's: a timeline, a file, clips."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from clip_ae.core.errors import UserError, printable
from clip_ae.core.progress import say
from clip_ae.core.provenance import digest, make_record
from clip_ae.core.specs import CLIP_VIEW, FindMomentsSpec, IndexSpec
from clip_ae.core.typed import read
from clip_ae.core.types import Detection, VideoInfo
from clip_ae.encoders.devices import resolve
from clip_ae.io.detections import write_detections
from clip_ae.io.files import check_folder, check_out
from clip_ae.io.guard import Decoder
from clip_ae.io.index import Index, index_of, read_index
from clip_ae.io.origin import Origin
from clip_ae.pages.chapters import apart
from clip_ae.pages.timeline_text import timeline
from clip_ae.post_pretraining.asking import Question
from clip_ae.stages.find_moments import Searcher
from clip_ae.stages.index import IMAGES, joint_rows
from clip_ae.tools.apply import cut_out, made_again, probed


def run(
    where: Annotated[Path, "a video, or results/{dataset} to search all of its videos"],
    text: Annotated[str, "what is to be seen, as a person would say it"],
    *,
    model: Annotated[Path | None, "for a video: results/{dataset} whose networks read it"] = None,
    view: Annotated[str, "the space to search in: clip, or an entry of post_pretraining"] = CLIP_VIEW,
    top: Annotated[int, "moments to show, the best first"] = 5,
    out: Annotated[Path | None, "JSON (ActivityNet's form) to write"] = None,
    cut: Annotated[Path | None, "folder to write the moments of a video to, an mp4 each"] = None,
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
    watchdog: Annotated[float, "seconds without a frame after which a decoder is killed"] = 60.0,
    memory_gib: Annotated[float, "GiB of address space a decoder may take"] = 1.5,
) -> None:
    dataset = _dataset(where, model, cut)
    _check(text, top, out, cut, where)
    index = read_index(dataset / "index" / f"{view}.arrow")
    origin = Origin(dataset.resolve(), index.record.inputs)
    place = resolve(device)
    clip = origin.encoder(IMAGES)[1][0]
    if where.is_dir():
        searcher = Searcher(index, clip, origin.joint, place)
        found = searcher.everywhere(_question(searcher, text), text, top)
        _print_list(found, len(index.ids))
    else:
        with Decoder(watchdog, memory_gib) as decoder:
            spec = read(IndexSpec, index.record.spec)
            info = probed(decoder, where, spec.grid)
            searcher = Searcher(_of_video(index, origin, spec, info, decoder, place), clip, origin.joint, place)
            found = searcher.within(0, _question(searcher, text), text, top)
            if cut:
                decoder.begin()
                cut_out(decoder, where, info.video_id, apart(found), {}, cut)
        print(f"{printable(info.video_id)}, {info.duration:.1f} s: {printable(text)}")
        print("\n".join(timeline(info.duration, (), _numbered(found), shutil.get_terminal_size().columns)))
    if out:
        inputs = {"index": index.record.id, "weights": clip.record.id, "text": digest(text)}
        write_detections(out, found, make_record("find_moments", FindMomentsSpec((), top), inputs, ("numpy", "torch")))


def _dataset(where: Path, model: Path | None, cut: Path | None) -> Path:
    if where.is_dir():
        if model or cut:
            raise UserError(f"{where}: is searched by its own features; --model and --cut are for one video")
        return where
    if not where.is_file():
        raise UserError(f"{where}: neither a video nor results of a dataset; check the path")
    if model is None:
        raise UserError("--model: missing; name results/{dataset} of a dataset whose networks shall read the video")
    return model


def _check(text: str, top: int, out: Path | None, cut: Path | None, where: Path) -> None:
    """Before any work."""
    if not text.strip():
        raise UserError('TEXT: is empty; say in words what is to be seen, as in "a person opens a door"')
    if top < 1:
        raise UserError(f"--top {top}: expected at least 1")
    if out:
        check_out(out, [where] if where.is_file() else [])
    if cut:
        check_folder("--cut", cut)


def _question(searcher: Searcher, text: str) -> Question:
    for remark in searcher.tower.remarks(text):
        say(remark)
    return searcher.questions(searcher.tower.embed([text]))[0]


def _of_video(index: Index, origin: Origin, spec: IndexSpec, info: VideoInfo, decoder: Decoder, device: str) -> Index:
    """One new video, as the dataset's own were read; an average snippet stays the dataset's."""
    streams = {
        name: {v.video_id: v for v in made_again(origin, name, [info], Path(), [decoder], device)}
        for name in spec.streams
    }
    joint = origin.joint
    rows = joint_rows(streams, joint.about["joint"]["width"]) if joint else streams[IMAGES].values()
    return replace(index_of(rows, index.record), mean=index.mean)


def _numbered(found: Sequence[Detection]) -> list[Detection]:
    """The sentence stands above; a line needs its times."""
    return [replace(d, label=f"{number}. {d.start:.1f} to {d.stop:.1f} s") for number, d in enumerate(found, start=1)]


def _print_list(found: Sequence[Detection], videos: int) -> None:
    longest = max((len(printable(d.video_id)) for d in found), default=0)
    for d in found:
        print(f"{printable(d.video_id):{longest}}  {d.start:8.2f} to {d.stop:8.2f} s  {d.score:.2f}")
    print(f"{len(found)} moments, the best of {videos} videos")
