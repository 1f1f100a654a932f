"""Score how well sentences, or class names, find their moments: R@1 and R@5, for every space that is searched."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from clip_ae.core.config.dataclass_config import canonical
from clip_ae.core.config.specs import ScoreGroundingSpec
from clip_ae.core.errors import UserError
from clip_ae.core.files import write_text
from clip_ae.core.progress import say, track
from clip_ae.core.provenance import digest, make_record
from clip_ae.core.types import Network, Query
from clip_ae.data.annotations import ids_in, read_subset, source_digest
from clip_ae.data.detections import write_json
from clip_ae.data.parquet import read_parquet_record
from clip_ae.data.sentences import read_sentences
from clip_ae.data.snippet_index import Index, read_index
from clip_ae.data.text_embeddings import read_texts
from clip_ae.encoders.devices import resolve, set_threads
from clip_ae.encoders.text_encoder import Floats, KnownTexts, TextTower, reader
from clip_ae.pages import markdown
from clip_ae.scoring.grounding_queries import class_names, others
from clip_ae.scoring.recall import recall
from clip_ae.stages.find_moments import Searcher, joint_in, questions
from clip_ae.weights.network_file import read_weights

# Moments a sentence that may be right.
RANKS = (1, 5)
TIOUS = (0.3, 0.5, 0.7)
WHOLE, OTHER = "the whole video", "{}, asked for another"
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
    weights: Annotated[Path | None, "the CLIP whose text tower reads the sentences"] = None,
    texts: Annotated[Path | None, "texts.parquet of a simulated world, in place of a text tower"] = None,
    models: Annotated[tuple[Path, ...], "model.safetensors of every joint space"] = (),
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
) -> None:
    if len(indices) != len(spec.views):
        raise UserError(f"--indices: {len(indices)} for the views {', '.join(spec.views)}; expected one for each")
    set_threads(spec.math_threads)
    queries, inputs = _asked(spec, sentences, annotations)
    network, joints = read_weights(weights) if weights else None, [read_weights(path) for path in models]
    read_by = reader(network, read_texts(texts) if texts else None, resolve(device))
    said = Said(read_by, {q.text for q in queries}, () if sentences else spec.templates)
    found = dict(zip(spec.views, map(read_index, indices), strict=True))
    results = {}
    for view, index in found.items():
        joint, there = joint_in(index, joints), _of(queries, index.ids, view)
        results[view] = _grounded(index, said, joint, there)
        if strangers := others(there):
            results[OTHER.format(view)] = _grounded(index, said, joint, strangers)
    results[WHOLE] = _whole(found[spec.views[0]], queries)
    inputs |= {"weights": network.record.id} if network else {}
    inputs |= {"texts": read_parquet_record(texts).id} if texts else {}
    inputs |= {f"index/{view}": index.record.id for view, index in found.items()}
    record = make_record("score_grounding", spec, inputs, ("numpy", "open_clip_torch", "torch"))
    write_json(out, {"views": results, "uses_names": list(spec.uses_names), "provenance": asdict(record)})
    drawn = markdown.table(HEADER, _rows(spec, results), text=1)
    sections = [markdown.section("Recall of moments, %", drawn)]
    asked = "sentences" if sentences else "class names"
    title = f"Moments of {spec.dataset} by {asked}"
    write_text(table, markdown.page(title, _lead(results, asked), sections, record.to_json()))
    print(drawn)


class Said:
    """Sentences as vectors; class names in templates."""

    def __init__(self, read_by: TextTower | KnownTexts, texts: Iterable[str], templates: Sequence[str]) -> None:
        every = sorted(texts)
        embedded = read_by.words([[text] for text in every], templates) if templates else read_by.embed(every)
        if not templates and (odd := [remark for text in every for remark in read_by.remarks(text)]):
            say(f"{len(odd)} of {len(every)} sentences are not read as they are meant, the first: {odd[0]}")
        self.vectors, self.scale = dict(zip(every, embedded, strict=True)), read_by.scale

    def of(self, queries: Sequence[Query]) -> Floats:
        """[queries, D]"""
        return np.stack([self.vectors[query.text] for query in queries])


def _asked(spec: ScoreGroundingSpec, sentences: Path | None, annotations: Path | None) -> tuple[list[Query], Inputs]:
    """What is asked of the videos that score, and where it comes from: class names where nobody wrote sentences."""
    if sentences:
        queries = read_sentences(sentences)
        subset = spec.test_subset
        scored = _of(queries, ids_in(annotations, subset), subset) if annotations else queries
        return scored, {"sentences": digest(canonical(queries))}
    if annotations is None:
        raise UserError("--sentences, --annotations: one of them is needed, to ask by sentences or by class names")
    names = class_names(read_subset(annotations, spec.test_subset))
    if not names:
        raise UserError(f"{annotations}: nothing is annotated in subset '{spec.test_subset}' that could be asked for")
    return names, {"annotations": source_digest(annotations)}


def _grounded(index: Index, said: Said, joint: Network | None, queries: Sequence[Query]) -> dict[str, Any]:
    """How well each sentence is found in its own video."""
    places, searcher = {video_id: number for number, video_id in enumerate(index.ids)}, Searcher(index)
    pairs = list(zip(queries, questions(said.of(queries), index, said.scale, joint), strict=True))
    found = [
        searcher.within(places[query.video_id], question, query.text)
        for query, question in track(pairs, "search", unit="sentences")
    ]
    return _scored(queries, [[(d.start, d.stop) for d in moments] for moments in found])


def _whole(index: Index, queries: Sequence[Query]) -> dict[str, Any]:
    """What whoever knows nothing scores."""
    ends = dict(zip(index.ids, index.ends.tolist(), strict=True))
    there = [query for query in queries if query.video_id in ends]
    return _scored(there, [[(0.0, ends[query.video_id])] for query in there])


def _scored(queries: Sequence[Query], found: Sequence[Sequence[tuple[float, float]]]) -> dict[str, Any]:
    return {"sentences": len(queries), **recall(queries, found, RANKS, TIOUS)}


def _of(queries: Sequence[Query], ids: Collection[str], what: str) -> list[Query]:
    there = [query for query in queries if query.video_id in ids]
    if len(there) < len(queries):
        say(f"{what}: {len(queries) - len(there)} of {len(queries)} sentences are of other videos")
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
    named = {name.format(view) for view in spec.uses_names for name in ("{}", OTHER)}

    def cells(result: Mapping[str, Any]) -> list[str]:
        wide = result["interval"]
        pairs = [(result[f"R@{n}"][f"{t:g}"], wide[f"R@{n}"][f"{t:g}"]) for n in RANKS for t in TIOUS]
        pairs.append((result["mIoU"], wide["mIoU"]))
        return [f"{100 * value:.1f} ({50 * (high - low):.1f})" for value, (low, high) in pairs]

    return [[f"{row} (uses class names)" if row in named else row, *cells(result)] for row, result in results.items()]
