"""Score moment retrieval by sentences or class names: R@1 and R@5 in every search space."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from clip_ae.core.config.dataclass_config import to_canonical_json
from clip_ae.core.config.specs import ScoreGroundingSpec
from clip_ae.core.errors import UserError
from clip_ae.core.files import write_text
from clip_ae.core.progress import log_line, log_warning, track
from clip_ae.core.provenance import digest, make_provenance
from clip_ae.core.types import GroundingQuery, NetworkWeights
from clip_ae.data.annotations import annotations_digest, read_subset_annotations, read_subset_ids
from clip_ae.data.detections import write_json
from clip_ae.data.sentences import read_sentences
from clip_ae.data.snippet_index import SnippetIndex, read_index
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.encoders.text_encoder import Floats, PrecomputedTexts, TextTower
from clip_ae.pages import markdown
from clip_ae.pipeline.search import MomentSearcher, build_text_queries, find_index_adapter
from clip_ae.pipeline.text_encoder_files import NO_TEXT_ENCODER, TextEncoderFiles
from clip_ae.scoring.grounding_queries import build_class_queries, build_control_queries
from clip_ae.scoring.recall import compute_recall
from clip_ae.weights.network_file import WeightsFile, read_weights

# R@n counts a sentence as found if one of its first n moments is right.
RANKS = (1, 5)
TIOUS = (0.3, 0.5, 0.7)
# Rows besides the search spaces: the whole video as the answer, and a space searched with texts of other videos.
WHOLE_VIDEO, CONTROL = "the whole video", "{}, asked for another"
HEADER = ["searched by", *(f"R@{rank} {tiou:g}" for rank in RANKS for tiou in TIOUS), "mIoU"]
Inputs = dict[str, str]


@dataclass(frozen=True)
class QueryFiles:
    """Where the queries come from: sentences, or the class names of annotations."""

    sentences: Annotated[
        Path | None, "sentences with their moments, in the ActivityNet Captions or Charades-STA format"
    ] = None
    annotations: Annotated[
        Path | None, "annotation file, for its subsets; without sentences its class names are the queries"
    ] = None


NO_QUERIES = QueryFiles()


def run(
    spec: ScoreGroundingSpec,
    *,
    indices: Annotated[tuple[Path, ...], "snippet index of every search space"],
    out: Annotated[Path, "grounding.json to write"],
    table: Annotated[Path, "table of the same results to write (Markdown)"],
    query_files: QueryFiles = NO_QUERIES,
    text_files: TextEncoderFiles = NO_TEXT_ENCODER,
    adapters: Annotated[tuple[Path, ...], "model.safetensors of the feature adapter of every joint space"] = (),
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
) -> None:
    if len(indices) != len(spec.search_spaces):
        names = ", ".join(spec.search_spaces)
        raise UserError(f"--indices: {len(indices)} for the search spaces {names}; give one for each")
    configure_torch(spec.torch_threads)
    queries, inputs = _read_queries(spec, query_files)
    adapter_weights = [read_weights(path) for path in adapters]
    text_encoder = text_files.load_text_encoder(resolve_device(device))
    templates = () if query_files.sentences else spec.templates
    texts = TextEmbeddings(text_encoder, {q.text for q in queries}, templates)
    indices_by_space = dict(zip(spec.search_spaces, map(read_index, indices), strict=True))
    results = _score_spaces(indices_by_space, texts, adapter_weights, queries)
    inputs |= text_files.read_input_ids()
    inputs |= {f"index/{space}": index.provenance.id for space, index in indices_by_space.items()}
    provenance = make_provenance("score_grounding", spec, inputs, ("numpy", "open_clip_torch", "torch"))
    content = {"views": results, "uses_names": list(spec.class_name_spaces), "provenance": asdict(provenance)}
    write_json(out, content)
    rows = markdown.render_markdown_table(HEADER, _format_rows(spec, results), num_text_columns=1)
    query_kind = "sentences" if query_files.sentences else "class names"
    section = markdown.render_section("Recall of moments, %", rows)
    page = markdown.render_markdown_page(
        f"Moments of {spec.dataset} by {query_kind}",
        _captions(results, query_kind),
        [section],
        provenance.to_json(),
    )
    write_text(table, page)
    print(rows)


class TextEmbeddings:
    """Embeddings of the queries' texts. With templates, each text is a class name that fills them."""

    def __init__(
        self, text_encoder: TextTower | PrecomputedTexts, texts: Iterable[str], templates: Sequence[str]
    ) -> None:
        ordered = sorted(texts)
        if templates:
            embeddings = text_encoder.embed_words([[text] for text in ordered], templates)
        else:
            embeddings = text_encoder.embed(ordered)
            _report_text_problems(text_encoder, ordered)
        self.vectors, self.scale = dict(zip(ordered, embeddings, strict=True)), text_encoder.logit_scale

    def get_vectors(self, queries: Sequence[GroundingQuery]) -> Floats:
        """[queries, D]"""
        return np.stack([self.vectors[query.text] for query in queries])


def _report_text_problems(text_encoder: TextTower | PrecomputedTexts, texts: Sequence[str]) -> None:
    problems = [problem for text in texts for problem in text_encoder.find_text_problems(text)]
    if problems:
        log_warning(f"{len(problems)} of {len(texts)} sentences cannot be embedded as written, as {problems[0]}")


def _read_queries(spec: ScoreGroundingSpec, files: QueryFiles) -> tuple[list[GroundingQuery], Inputs]:
    """The queries of the test subset, with the digest of their source; class names if there are no sentences."""
    annotations = files.annotations
    if files.sentences:
        queries = read_sentences(files.sentences)
        subset = spec.test_subset
        in_subset = _select_queries(queries, read_subset_ids(annotations, subset), subset) if annotations else queries
        return in_subset, {"sentences": digest(to_canonical_json(queries))}
    if annotations is None:
        raise UserError("--sentences, --annotations: missing; give one, to search by sentences or by class names")
    class_queries = build_class_queries(read_subset_annotations(annotations, spec.test_subset))
    if not class_queries:
        raise UserError(f"{annotations}: subset '{spec.test_subset}' has no annotated action to search for")
    return class_queries, {"annotations": annotations_digest(annotations)}


def _score_spaces(
    indices: Mapping[str, SnippetIndex],
    texts: TextEmbeddings,
    adapters: Sequence[WeightsFile],
    queries: Sequence[GroundingQuery],
) -> dict[str, Any]:
    """The metrics of every row: each search space, its control, and the whole video as the answer."""
    results = {}
    for space, index in indices.items():
        adapter = find_index_adapter(index, adapters)
        space_queries = _select_queries(queries, index.video_ids, space)
        results[space] = _score_index(index, texts, adapter, space_queries)
        if control_queries := build_control_queries(space_queries):
            results[CONTROL.format(space)] = _score_index(index, texts, adapter, control_queries)
    results[WHOLE_VIDEO] = _score_whole_videos(next(iter(indices.values())), queries)
    return results


def _score_index(
    index: SnippetIndex, texts: TextEmbeddings, adapter: NetworkWeights | None, queries: Sequence[GroundingQuery]
) -> dict[str, Any]:
    """Recall of the moments that each query finds in its own video."""
    positions = {video_id: number for number, video_id in enumerate(index.video_ids)}
    searcher = MomentSearcher(index)
    text_queries = build_text_queries(texts.get_vectors(queries), index, texts.scale, adapter)
    pairs = track(list(zip(queries, text_queries, strict=True)), "search", unit="sentences")
    moments = [searcher.search_video(positions[query.video_id], text_query, query.text) for query, text_query in pairs]
    return _compute_metrics(queries, [[(d.start, d.stop) for d in video_moments] for video_moments in moments])


def _score_whole_videos(index: SnippetIndex, queries: Sequence[GroundingQuery]) -> dict[str, Any]:
    """The metrics of the answer that needs no search: the whole video."""
    ends = dict(zip(index.video_ids, index.end_times.tolist(), strict=True))
    indexed = [query for query in queries if query.video_id in ends]
    return _compute_metrics(indexed, [[(0.0, ends[query.video_id])] for query in indexed])


def _compute_metrics(
    queries: Sequence[GroundingQuery], moments: Sequence[Sequence[tuple[float, float]]]
) -> dict[str, Any]:
    return {"sentences": len(queries), **compute_recall(queries, moments, RANKS, TIOUS)}


def _select_queries(queries: Sequence[GroundingQuery], video_ids: Collection[str], name: str) -> list[GroundingQuery]:
    """The queries of these videos; `name` of the space or subset is for messages."""
    selected = [query for query in queries if query.video_id in video_ids]
    if len(selected) < len(queries):
        log_line(f"{name}: {len(queries) - len(selected)} of {len(queries)} sentences are of other videos")
    if not selected:
        raise UserError(
            f"{name}: none of the {len(queries)} sentences is of its videos; check that both are of the same dataset"
        )
    return selected


def _captions(results: Mapping[str, Any], query_kind: str) -> list[str]:
    counts = {result["sentences"] for result in results.values()}
    return [
        f"{' or '.join(map(str, sorted(counts)))} {query_kind}. R@n: one of the first n moments overlaps an annotated "
        "moment by at least the tIoU. In parentheses: half the width of the 95 % interval over videos.",
        "clip: CLIP without training on videos of the dataset. Spaces that were trained with class names are marked. "
        "Asked for another: the control. It searches with texts of other videos only: this recall needs no text.",
    ]


def _format_rows(spec: ScoreGroundingSpec, results: Mapping[str, Any]) -> list[list[str]]:
    named_rows = {row.format(space) for space in spec.class_name_spaces for row in ("{}", CONTROL)}
    return [
        [f"{row} (uses class names)" if row in named_rows else row, *_format_cells(result)]
        for row, result in results.items()
    ]


def _format_cells(result: Mapping[str, Any]) -> list[str]:
    """Every metric in % with the half width of its interval."""
    intervals = result["interval"]
    pairs = [(result[f"R@{n}"][f"{t:g}"], intervals[f"R@{n}"][f"{t:g}"]) for n in RANKS for t in TIOUS]
    pairs.append((result["mIoU"], intervals["mIoU"]))
    return [f"{100 * value:.1f} ({50 * (high - low):.1f})" for value, (low, high) in pairs]
