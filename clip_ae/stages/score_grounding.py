"""Score how well sentences, or class names, find their moments: R@1 and R@5, for every space that is searched."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from clip_ae.core.config.dataclass_config import to_canonical_json
from clip_ae.core.config.specs import ScoreGroundingSpec
from clip_ae.core.errors import UserError
from clip_ae.core.files import write_text
from clip_ae.core.progress import log_line, track
from clip_ae.core.provenance import digest, make_provenance
from clip_ae.core.types import GroundingQuery, NetworkWeights
from clip_ae.data.annotations import annotations_digest, read_subset_annotations, read_subset_ids
from clip_ae.data.detections import write_json
from clip_ae.data.parquet import read_parquet_provenance
from clip_ae.data.sentences import read_sentences
from clip_ae.data.snippet_index import SnippetIndex, read_index
from clip_ae.data.text_embeddings import read_text_embeddings
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.encoders.text_encoder import Floats, PrecomputedTexts, TextTower, build_text_encoder
from clip_ae.pages import markdown
from clip_ae.pipeline.search import MomentSearcher, build_text_queries, find_index_adapter
from clip_ae.scoring.grounding_queries import build_class_queries, build_control_queries
from clip_ae.scoring.recall import compute_recall
from clip_ae.weights.network_file import read_weights

# Moments a sentence that may be right.
RANKS = (1, 5)
TIOUS = (0.3, 0.5, 0.7)
WHOLE_VIDEO, CONTROL = "the whole video", "{}, asked for another"
HEADER = ["searched by", *(f"R@{rank} {tiou:g}" for rank in RANKS for tiou in TIOUS), "mIoU"]
Inputs = dict[str, str]


def run(
    spec: ScoreGroundingSpec,
    *,
    indices: Annotated[tuple[Path, ...], "an index for each space that is searched"],
    out: Annotated[Path, "grounding.json to write"],
    table: Annotated[Path, "the same as a table (Markdown)"],
    sentences: Annotated[
        Path | None, "sentences with their moments, in ActivityNet-Captions' or Charades-STA's form"
    ] = None,
    annotations: Annotated[Path | None, "annotation file: its subsets, and without sentences its class names"] = None,
    clip_weights: Annotated[Path | None, "the CLIP whose text tower reads the sentences"] = None,
    text_embeddings: Annotated[Path | None, "texts.parquet of a simulated world, in place of a text tower"] = None,
    adapters: Annotated[tuple[Path, ...], "model.safetensors of every joint space"] = (),
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
) -> None:
    if len(indices) != len(spec.search_spaces):
        raise UserError(
            f"--indices: {len(indices)} for the views {', '.join(spec.search_spaces)}; expected one for each"
        )
    configure_torch(spec.torch_threads)
    queries, inputs = _asked(spec, sentences, annotations)
    network, joints = read_weights(clip_weights) if clip_weights else None, [read_weights(path) for path in adapters]
    read_by = build_text_encoder(
        network, read_text_embeddings(text_embeddings) if text_embeddings else None, resolve_device(device)
    )
    said = TextEmbeddings(read_by, {q.text for q in queries}, () if sentences else spec.templates)
    found = dict(zip(spec.search_spaces, map(read_index, indices), strict=True))
    results = {}
    for view, index in found.items():
        joint, there = find_index_adapter(index, joints), _of(queries, index.video_ids, view)
        results[view] = _grounded(index, said, joint, there)
        if strangers := build_control_queries(there):
            results[CONTROL.format(view)] = _grounded(index, said, joint, strangers)
    results[WHOLE_VIDEO] = _whole(found[spec.search_spaces[0]], queries)
    inputs |= {"clip_weights": network.provenance.id} if network else {}
    inputs |= {"text_embeddings": read_parquet_provenance(text_embeddings).id} if text_embeddings else {}
    inputs |= {f"index/{view}": index.provenance.id for view, index in found.items()}
    record = make_provenance("score_grounding", spec, inputs, ("numpy", "open_clip_torch", "torch"))
    write_json(out, {"views": results, "uses_names": list(spec.class_name_spaces), "provenance": asdict(record)})
    drawn = markdown.render_markdown_table(HEADER, _rows(spec, results), num_text_columns=1)
    sections = [markdown.render_section("Recall of moments, %", drawn)]
    asked = "sentences" if sentences else "class names"
    title = f"Moments of {spec.dataset} by {asked}"
    write_text(table, markdown.render_markdown_page(title, _lead(results, asked), sections, record.to_json()))
    print(drawn)


class TextEmbeddings:
    """Sentences as vectors; class names in templates."""

    def __init__(
        self, text_encoder: TextTower | PrecomputedTexts, texts: Iterable[str], templates: Sequence[str]
    ) -> None:
        every = sorted(texts)
        embedded = (
            text_encoder.embed_words([[text] for text in every], templates) if templates else text_encoder.embed(every)
        )
        if not templates and (odd := [remark for text in every for remark in text_encoder.find_text_problems(text)]):
            log_line(f"{len(odd)} of {len(every)} sentences are not read as they are meant, the first: {odd[0]}")
        self.vectors, self.scale = dict(zip(every, embedded, strict=True)), text_encoder.logit_scale

    def get_vectors(self, queries: Sequence[GroundingQuery]) -> Floats:
        """[queries, D]"""
        return np.stack([self.vectors[query.text] for query in queries])


def _asked(
    spec: ScoreGroundingSpec, sentences: Path | None, annotations: Path | None
) -> tuple[list[GroundingQuery], Inputs]:
    """What is asked of the videos that score, and where it comes from: class names where nobody wrote sentences."""
    if sentences:
        queries = read_sentences(sentences)
        subset = spec.test_subset
        scored = _of(queries, read_subset_ids(annotations, subset), subset) if annotations else queries
        return scored, {"sentences": digest(to_canonical_json(queries))}
    if annotations is None:
        raise UserError("--sentences, --annotations: one of them is needed, to ask by sentences or by class names")
    names = build_class_queries(read_subset_annotations(annotations, spec.test_subset))
    if not names:
        raise UserError(f"{annotations}: nothing is annotated in subset '{spec.test_subset}' that could be asked for")
    return names, {"annotations": annotations_digest(annotations)}


def _grounded(
    index: SnippetIndex, said: TextEmbeddings, joint: NetworkWeights | None, queries: Sequence[GroundingQuery]
) -> dict[str, Any]:
    """How well each sentence is found in its own video."""
    places, searcher = {video_id: number for number, video_id in enumerate(index.video_ids)}, MomentSearcher(index)
    pairs = list(zip(queries, build_text_queries(said.get_vectors(queries), index, said.scale, joint), strict=True))
    found = [
        searcher.search_video(places[query.video_id], question, query.text)
        for query, question in track(pairs, "search", unit="sentences")
    ]
    return _scored(queries, [[(d.start, d.stop) for d in moments] for moments in found])


def _whole(index: SnippetIndex, queries: Sequence[GroundingQuery]) -> dict[str, Any]:
    """What whoever knows nothing scores."""
    ends = dict(zip(index.video_ids, index.end_times.tolist(), strict=True))
    there = [query for query in queries if query.video_id in ends]
    return _scored(there, [[(0.0, ends[query.video_id])] for query in there])


def _scored(queries: Sequence[GroundingQuery], found: Sequence[Sequence[tuple[float, float]]]) -> dict[str, Any]:
    return {"sentences": len(queries), **compute_recall(queries, found, RANKS, TIOUS)}


def _of(queries: Sequence[GroundingQuery], ids: Collection[str], what: str) -> list[GroundingQuery]:
    there = [query for query in queries if query.video_id in ids]
    if len(there) < len(queries):
        log_line(f"{what}: {len(queries) - len(there)} of {len(queries)} sentences are of other videos")
    if not there:
        raise UserError(
            f"{what}: none of the {len(queries)} sentences is of its videos; check that both are one dataset"
        )
    return there


def _lead(results: Mapping[str, Any], asked: str) -> list[str]:
    counts = {result["sentences"] for result in results.values()}
    return [
        f"{' or '.join(map(str, sorted(counts)))} {asked}. R@n: one of the first n moments is, to the tIoU, one that "
        "is told of. In parentheses the half width of the 95 % interval over videos.",
        "clip is CLIP as it is, which no video of the dataset has taught; what was taught class names says so. "
        "Another: the same moments, asked for by what is said of other videos only; so much is found without reading.",
    ]


def _rows(spec: ScoreGroundingSpec, results: Mapping[str, Any]) -> list[list[str]]:
    named = {name.format(view) for view in spec.class_name_spaces for name in ("{}", CONTROL)}

    def cells(result: Mapping[str, Any]) -> list[str]:
        wide = result["interval"]
        pairs = [(result[f"R@{n}"][f"{t:g}"], wide[f"R@{n}"][f"{t:g}"]) for n in RANKS for t in TIOUS]
        pairs.append((result["mIoU"], wide["mIoU"]))
        return [f"{100 * value:.1f} ({50 * (high - low):.1f})" for value, (low, high) in pairs]

    return [[f"{row} (uses class names)" if row in named else row, *cells(result)] for row, result in results.items()]
