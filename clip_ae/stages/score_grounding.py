"""Score how well sentences find their moments: R@1 and R@5, for every space that is searched."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from clip_ae.core.progress import say
from clip_ae.core.provenance import digest, make_record
from clip_ae.core.specs import ScoreGroundingSpec
from clip_ae.core.typed import canonical
from clip_ae.core.types import Query
from clip_ae.encoders.devices import resolve, set_threads
from clip_ae.io.detections import write_json
from clip_ae.io.files import write_text
from clip_ae.io.index import read_index
from clip_ae.io.sentences import read_sentences
from clip_ae.io.weights import read_weights
from clip_ae.pages import markdown
from clip_ae.scoring.recall import recall
from clip_ae.stages.find_moments import Searcher

# Moments a sentence that may be right.
RANKS = (1, 5)
TIOUS = (0.3, 0.5, 0.7)
WHOLE = "the whole video"


def run(
    spec: ScoreGroundingSpec,
    *,
    sentences: Annotated[Path, "sentences with their moments: ActivityNet-Captions' or Charades-STA's form"],
    indices: Annotated[tuple[Path, ...], "an index for each space that is searched"],
    weights: Annotated[Path, "the CLIP whose text tower reads the sentences"],
    out: Annotated[Path, "grounding.json to write"],
    table: Annotated[Path, "the same as a table (Markdown)"],
    models: Annotated[tuple[Path, ...], "model.safetensors of every joint space, in the order of the indices"] = (),
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
) -> None:
    set_threads(spec.math_threads)
    network, place, queries = read_weights(weights), resolve(device), read_sentences(sentences)
    inputs = {"sentences": digest(canonical(queries)), "weights": network.record.id}
    joints, results = map(read_weights, models), {}
    for view, path in zip(spec.views, indices, strict=True):
        index = read_index(path)
        searcher = Searcher(index, network, next(joints) if "model" in index.record.inputs else None, place)
        places = {video_id: number for number, video_id in enumerate(index.ids)}
        known = _known(view, queries, places)
        inputs[f"index/{view}"] = index.record.id
        results[view] = _scored(known, searcher.said(known, places, max(RANKS)))
        whole = [[(0.0, float(index.ends[places[q.video_id]]))] for q in known]
    results[WHOLE] = _scored(known, whole)
    record = make_record("score_grounding", spec, inputs, ("numpy", "open_clip_torch", "torch"))
    write_json(out, {"views": results, "uses_names": list(spec.uses_names), "provenance": asdict(record)})
    lead, rows = _lead(spec, results), _rows(spec, results)
    header = ["searched by", *(f"{rank} @{tiou:g}" for rank in ("R@1", "R@5") for tiou in TIOUS), "mIoU"]
    sections = [markdown.section("Recall of moments, %", markdown.table(header, rows, text=1))]
    write_text(table, markdown.page(f"Moments of {spec.dataset} by sentence", lead, sections, record.to_json()))
    print(markdown.table(header, rows, text=1))


def _known(view: str, queries: Sequence[Query], ids: Mapping[str, int]) -> list[Query]:
    known = [query for query in queries if query.video_id in ids]
    if len(known) < len(queries):
        say(f"{view}: {len(queries) - len(known)} of {len(queries)} sentences are of videos that are not there")
    return known


def _scored(queries: Sequence[Query], found: Sequence[Sequence[tuple[float, float]]]) -> dict[str, Any]:
    return {"sentences": len(queries), **recall(queries, found, RANKS, TIOUS)}


def _lead(spec: ScoreGroundingSpec, results: Mapping[str, Any]) -> list[str]:
    counts = {result["sentences"] for result in results.values()}
    return [
        f"{' or '.join(map(str, sorted(counts)))} sentences; R@n: one of the first n moments is, to the tIoU, one that "
        "the sentence tells of. In parentheses the half width of the 95 % interval over videos.",
        "clip is CLIP as it is, which no video of the dataset has taught; what was taught class names says so.",
    ]


def _rows(spec: ScoreGroundingSpec, results: Mapping[str, Any]) -> list[list[str]]:
    def cells(result: Mapping[str, Any]) -> list[str]:
        wide = result["interval"]
        pairs = [(result[f"R@{n}"][f"{t:g}"], wide[f"R@{n}"][f"{t:g}"]) for n in RANKS for t in TIOUS]
        pairs.append((result["mIoU"], wide["mIoU"]))
        return [f"{100 * value:.1f} ({50 * (high - low):.1f})" for value, (low, high) in pairs]

    return [
        [f"{view} (uses class names)" if view in spec.uses_names else view, *cells(result)]
        for view, result in results.items()
    ]
