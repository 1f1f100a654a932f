"""Find the moments that a sentence describes, in one video or in a dataset: print them, write a file or clips."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated

from clip_ae.core.config.dataclass_config import key, parse_dataclass
from clip_ae.core.config.schema import DEFAULT_RUNTIME, Runtime
from clip_ae.core.config.specs import CLIP_SPACE, IndexSpec, Spec
from clip_ae.core.errors import UserError, make_printable
from clip_ae.core.files import check_output_path, check_writable_dir
from clip_ae.core.progress import log_line
from clip_ae.core.provenance import Provenance, digest, make_provenance
from clip_ae.core.types import Detection, VideoInfo
from clip_ae.data import source_folder
from clip_ae.data.detections import write_detections
from clip_ae.data.snippet_index import SnippetIndex, build_index, read_index
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.encoders.text_encoder import TextTower
from clip_ae.language.text_query import TextQuery
from clip_ae.media.decoder_process import Decoder
from clip_ae.pages.timeline_text import get_terminal_width, render_timeline
from clip_ae.pipeline.clips import cut_clips
from clip_ae.pipeline.network_inputs import list_network_inputs
from clip_ae.pipeline.new_videos import extract_like, probe_new_video
from clip_ae.pipeline.search import MomentSearcher, build_text_queries
from clip_ae.pipeline.search_index import average_streams, normalize_adapter_output
from clip_ae.proposals.drop_overlapping import drop_overlapping
from clip_ae.provenance.feature_lineage import FeatureLineage
from clip_ae.weights.network_file import WeightsFile


@dataclass(frozen=True)
class GroundSpec(Spec):
    space: str = key(CLIP_SPACE, "search space")
    top_k: int = key(5, "moments to find", minimum=1)
    torch_threads: int = key(2, "CPU threads of torch", minimum=1)


@dataclass(frozen=True)
class SearchedDataset:
    """The snippet index of a dataset, and how its features were extracted."""

    index: SnippetIndex
    lineage: FeatureLineage

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams of the index: those that an adapter adapts, or the vlp stream."""
        return self._spec.cbp_streams or (self._spec.vlp_stream,)

    @property
    def vlp_stream(self) -> str:
        return self._spec.vlp_stream

    @cached_property
    def _spec(self) -> IndexSpec:
        return parse_dataclass(IndexSpec, self.index.provenance.spec)

    @cached_property
    def adapter(self) -> WeightsFile | None:
        """The network of the search space; None for CLIP's own space."""
        return self.lineage.joint_space_weights


def run(
    where: Annotated[Path, "a video, or results/{dataset} to search all of its videos"],
    text: Annotated[str, 'what to look for, in plain words, such as "a person opens a door"'],
    *,
    model: Annotated[Path | None, "for a video: results/{dataset} whose networks extract its features"] = None,
    space: Annotated[str, "search space: clip, or an entry of feature_adapters"] = CLIP_SPACE,
    top: Annotated[int, "number of moments to show, best first"] = 5,
    out: Annotated[Path | None, "JSON file to write (ActivityNet's form)"] = None,
    cut: Annotated[Path | None, "for a video: folder to write clips of the moments to, one mp4 for each"] = None,
    runtime: Annotated[Runtime, "device decoder_timeout_s decoder_memory_gib"] = DEFAULT_RUNTIME,
) -> None:
    dataset_dir = _find_dataset_dir(where, model, cut)
    _check_options(where, text, top, out, cut)
    index, device = _read_index(dataset_dir, space), resolve_device(runtime.device)
    dataset = SearchedDataset(index, FeatureLineage(dataset_dir.resolve(), index.provenance.inputs))
    clip_spec, (clip_weights, *_) = dataset.lineage.read_encoder(dataset.vlp_stream)
    spec = GroundSpec(space, top, clip_spec.torch_threads)
    configure_torch(spec.torch_threads)
    query = _build_query(dataset, clip_weights, text, device)
    if where.is_dir():
        moments = MomentSearcher(index).search_all(query, text, top)
        _print_list(moments, len(index.video_ids))
    else:
        with Decoder(runtime) as decoder:
            info = probe_new_video(decoder, where, clip_spec.grid)
            video_index = _index_video(dataset, info, decoder, device)
            moments = MomentSearcher(video_index).search_all(query, text, top)
            if cut:
                decoder.reset()
                cut_clips(decoder, where, info.video_id, drop_overlapping(moments), {}, cut)
        _print_timeline(info, text, moments)
    if out:
        write_detections(out, moments, _make_provenance(spec, dataset, text, None if where.is_dir() else where))


def _find_dataset_dir(where: Path, model: Path | None, cut: Path | None) -> Path:
    """The results folder whose index and networks are used."""
    if where.is_dir():
        if model or cut:
            raise UserError(f"{where}: is a dataset with features of its own; --model and --cut are for one video")
        return where
    if not where.is_file():
        raise UserError(f"{where}: neither a video nor results of a dataset; check the path")
    if model is None:
        raise UserError("--model: missing; name results/{dataset} whose networks extract the video's features")
    return model


def _check_options(where: Path, text: str, top: int, out: Path | None, cut: Path | None) -> None:
    """Refuse wrong options before any work."""
    if not text.strip():
        raise UserError('TEXT: is empty; describe what to look for, such as "a person opens a door"')
    if top < 1:
        raise UserError(f"--top {top}: expected at least 1")
    if out:
        check_output_path(out, [where] if where.is_file() else [])
    if cut:
        check_writable_dir("--cut", cut)


def _read_index(dataset_dir: Path, space: str) -> SnippetIndex:
    path = dataset_dir / "index" / f"{space}.arrow"
    if path.is_file():
        return read_index(path)
    if not (dataset_dir / "features").is_dir():
        raise UserError(f"{dataset_dir}: no results of a dataset; expected results/{{dataset}}")
    indexed_spaces = ", ".join(sorted(other.stem for other in path.parent.glob("*.arrow"))) or "none yet"
    target = f"results/{dataset_dir.resolve().name}/index/{space}.arrow"
    raise UserError(
        f"--space {space}: {dataset_dir} has no index of it (it has: {indexed_spaces}); for clip or an entry of "
        f"feature_adapters, run `snakemake --cores 2 {target}`"
    )


def _build_query(dataset: SearchedDataset, clip_weights: WeightsFile, text: str, device: str) -> TextQuery:
    """The sentence in the search space; logs a warning about a sentence that CLIP cuts or may not understand."""
    tower = TextTower(clip_weights, device)
    for problem in tower.find_text_problems(text):
        log_line(problem)
    (query,) = build_text_queries(tower.embed([text]), dataset.index, tower.logit_scale, dataset.adapter)
    return query


def _index_video(dataset: SearchedDataset, info: VideoInfo, decoder: Decoder, device: str) -> SnippetIndex:
    """An index of one new video, in memory, computed as the dataset's own index was."""
    features = {
        name: extract_like(dataset.lineage, name, [info], Path(), [decoder], device) for name in dataset.streams
    }
    if dataset.adapter is None:
        return build_index(features[dataset.vlp_stream], dataset.index.provenance)
    width = dataset.adapter.metadata["joint"]["width"]
    points = {
        name: {v.video_id: normalize_adapter_output(v, width) for v in videos} for name, videos in features.items()
    }
    return build_index(average_streams(points), dataset.index.provenance)


def _make_provenance(spec: GroundSpec, dataset: SearchedDataset, text: str, video: Path | None) -> Provenance:
    """A dataset needs CLIP alone, for the sentence; a video also needs the networks that extract its features."""
    streams = dict.fromkeys([dataset.vlp_stream, *(dataset.streams if video else ())])
    inputs = {"index": dataset.index.provenance.id, **list_network_inputs(dataset.lineage, streams)}
    inputs["text"] = digest(text)
    if dataset.adapter:
        inputs["adapter"] = dataset.adapter.provenance.id
    if video:
        inputs["video"] = source_folder.files_digest(video.parent, [video.name], with_mtime=False)
    return make_provenance("ground", spec, inputs, ("av", "numpy", "open_clip_torch", "torch"))


def _print_timeline(info: VideoInfo, text: str, moments: Sequence[Detection]) -> None:
    print(f"{make_printable(info.video_id)}, {info.duration:.1f} s: {make_printable(text)}")
    # The sentence is in the heading, so each line shows the times instead.
    lines = [replace(d, label=f"{n}. {d.start:.1f} to {d.stop:.1f} s") for n, d in enumerate(moments, start=1)]
    print("\n".join(render_timeline(info.duration, (), lines, get_terminal_width())))
    if not moments:
        print("no moment scores clearly higher than the rest of the video")


def _print_list(moments: Sequence[Detection], num_videos: int) -> None:
    """A line for each moment; the video id is last, as it may be long and is copied whole."""
    for d in moments:
        print(f"{d.score:.2f}  {d.start:8.2f} to {d.stop:8.2f} s  {make_printable(d.video_id)}")
    print(f"{len(moments)} moments, the best of {num_videos} videos")
