"""Find the moments that a sentence tells of, in one video or in all of a dataset's: a timeline, a file, clips."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from clip_ae.core.config.dataclass_config import parse_dataclass
from clip_ae.core.config.specs import CLIP_SPACE, FindMomentsSpec, IndexSpec
from clip_ae.core.errors import UserError, make_printable
from clip_ae.core.files import check_output_path, check_writable_dir
from clip_ae.core.progress import log_line
from clip_ae.core.provenance import digest, make_provenance
from clip_ae.core.types import Detection, NetworkWeights, VideoInfo
from clip_ae.data import source_folder
from clip_ae.data.detections import write_detections
from clip_ae.data.snippet_index import SnippetIndex, build_index, read_index
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.encoders.text_encoder import TextTower
from clip_ae.media.decoder_process import Decoder
from clip_ae.pages.timeline_text import render_timeline
from clip_ae.pages.web_vtt import drop_overlapping
from clip_ae.pipeline.clips import cut_clips
from clip_ae.pipeline.new_videos import extract_like, probe_new_video
from clip_ae.pipeline.search import MomentSearcher, build_text_queries
from clip_ae.pipeline.search_index import CLIP_STREAM, average_streams, normalize_adapter_output
from clip_ae.provenance.feature_lineage import FeatureLineage


def run(
    where: Annotated[Path, "a video, or results/{dataset} to search all of its videos"],
    text: Annotated[str, "what is to be seen, as a person would say it"],
    *,
    model: Annotated[Path | None, "for a video: results/{dataset} whose networks read it"] = None,
    space: Annotated[str, "the space to search in: clip, or an entry of feature_adapters"] = CLIP_SPACE,
    top: Annotated[int, "moments to show, the best first"] = 5,
    out: Annotated[Path | None, "JSON (ActivityNet's form) to write"] = None,
    cut: Annotated[Path | None, "folder to write the moments of a video to, an mp4 each"] = None,
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
    decoder_timeout_s: Annotated[float, "seconds without a frame after which a decoder is killed"] = 60.0,
    decoder_memory_gib: Annotated[float, "GiB of address space a decoder may take"] = 1.5,
) -> None:
    dataset = _dataset(where, model, cut)
    _check(where, text, top, out, cut)
    index, place = _index(dataset, space), resolve_device(device)
    origin = FeatureLineage(dataset.resolve(), index.provenance.inputs)
    made, (clip, *_) = origin.read_encoder(CLIP_STREAM)
    configure_torch(made.torch_threads)
    tower, joint = TextTower(clip, place), origin.joint_space_weights
    for remark in tower.find_text_problems(text):
        log_line(remark)
    (question,) = build_text_queries(tower.embed([text]), index, tower.logit_scale, joint)
    inputs = {"index": index.provenance.id, "clip_weights": clip.provenance.id, "text": digest(text)}
    if where.is_dir():
        found = MomentSearcher(index).search_all(question, text, top)
        _print_list(found, len(index.video_ids))
    else:
        inputs["video"] = source_folder.files_digest(where.parent, [where.name], with_mtime=False)
        with Decoder(decoder_timeout_s, decoder_memory_gib) as decoder:
            info = probe_new_video(decoder, where, made.grid)
            found = MomentSearcher(_of_video(index, origin, joint, info, decoder, place)).search_all(
                question, text, top
            )
            if cut:
                decoder.reset()
                cut_clips(decoder, where, info.video_id, drop_overlapping(found), {}, cut)
        _print_timeline(info, text, found)
    if out:
        write_detections(
            out, found, make_provenance("find_moments", FindMomentsSpec((), top), inputs, ("numpy", "torch"))
        )


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


def _check(where: Path, text: str, top: int, out: Path | None, cut: Path | None) -> None:
    """Before any work."""
    if not text.strip():
        raise UserError('TEXT: is empty; say in words what is to be seen, as in "a person opens a door"')
    if top < 1:
        raise UserError(f"--top {top}: expected at least 1")
    if out:
        check_output_path(out, [where] if where.is_file() else [])
    if cut:
        check_writable_dir("--cut", cut)


def _index(dataset: Path, space: str) -> SnippetIndex:
    path = dataset / "index" / f"{space}.arrow"
    if path.is_file():
        return read_index(path)
    if not (dataset / "features" / CLIP_STREAM).is_dir():
        raise UserError(f"{dataset}: no results of a dataset with a clip stream, as results/{{dataset}} is; check it")
    known = ", ".join(sorted(other.stem for other in path.parent.glob("*.arrow"))) or "none yet"
    target = f"results/{dataset.resolve().name}/index/{space}.arrow"
    raise UserError(
        f"--space {space}: not among the indices of {dataset} ({known}); if it is clip or an entry of "
        f"feature_adapters, `snakemake --cores 2 {target}` makes it"
    )


def _of_video(
    index: SnippetIndex,
    origin: FeatureLineage,
    joint: NetworkWeights | None,
    info: VideoInfo,
    decoder: Decoder,
    device: str,
) -> SnippetIndex:
    """One new video, as the dataset's own were read."""
    names = parse_dataclass(IndexSpec, index.provenance.spec).streams
    videos = {name: extract_like(origin, name, [info], Path(), [decoder], device) for name in names}
    if joint:
        width = joint.metadata["joint"]["width"]
        points = {
            name: {v.video_id: normalize_adapter_output(v, width) for v in found} for name, found in videos.items()
        }
        return build_index(average_streams(points), index.provenance)
    return build_index(videos[CLIP_STREAM], index.provenance)


def _print_timeline(info: VideoInfo, text: str, found: Sequence[Detection]) -> None:
    print(f"{make_printable(info.video_id)}, {info.duration:.1f} s: {make_printable(text)}")
    # The sentence stands above; a line needs its times.
    lines = [replace(d, label=f"{n}. {d.start:.1f} to {d.stop:.1f} s") for n, d in enumerate(found, start=1)]
    print("\n".join(render_timeline(info.duration, (), lines, shutil.get_terminal_size().columns)))
    if not found:
        print("nothing stands out from the rest of it")


def _print_list(found: Sequence[Detection], videos: int) -> None:
    """A line each, its video last: an id may be long, and is to be copied whole."""
    for d in found:
        print(f"{d.score:.2f}  {d.start:8.2f} to {d.stop:8.2f} s  {make_printable(d.video_id)}")
    print(f"{len(found)} moments, the best of {videos} videos")
