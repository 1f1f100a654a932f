"""Score how well sentences find their moments: R@1 and R@5, for every space that is searched."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from clip_ae.core.errors import UserError
from clip_ae.core.progress import say, track
from clip_ae.core.provenance import digest, make_record
from clip_ae.core.specs import ScoreGroundingSpec
from clip_ae.core.typed import canonical
from clip_ae.core.types import Network, Query
from clip_ae.encoders.devices import resolve, set_threads
from clip_ae.encoders.texts import TextTower
from clip_ae.io.annotations import ids_in
from clip_ae.io.detections import write_json
from clip_ae.io.files import write_text
from clip_ae.io.index import Index, read_index
from clip_ae.io.sentences import read_sentences
from clip_ae.io.weights import read_weights
from clip_ae.pages import markdown
from clip_ae.scoring.recall import recall
from clip_ae.stages.find_moments import Searcher, joint_in, questions

# Moments a sentence that may be right.
RANKS = (1, 5)
TIOUS = (0.3, 0.5, 0.7)
WHOLE = "the whole video"
HEADER = ["searched by", *(f"R@{rank} {tiou:g}" for rank in RANKS for tiou in TIOUS), "mIoU"]


def run(
    spec: ScoreGroundingSpec,
    *,
    sentences: Annotated[Path, "sentences with their moments: ActivityNet-Captions' or Charades-STA's form"],
    indices: Annotated[tuple[Path, ...], "an index for each space that is searched"],
    weights: Annotated[Path, "the CLIP whose text tower reads the sentences"],
    out: Annotated[Path, "grounding.json to write"],
    table: Annotated[Path, "the same as a table (Markdown)"],
    models: Annotated[tuple[Path, ...], "model.safetensors of every joint space"] = (),
    annotations: Annotated[Path | None, "annotation file, read for subsets only; without it all videos"] = None,
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
) -> None:
    if len(indices) != len(spec.views):
        raise UserError(f"--indices: {len(indices)} for the views {', '.join(spec.views)}; expected one for each")
    set_threads(spec.math_threads)
    network, queries = read_weights(weights), read_sentences(sentences)
    tower, joints = TextTower(network, resolve(device)), [read_weights(path) for path in models]
    found = dict(zip(spec.views, map(read_index, indices), strict=True))
    scored = _of(queries, ids_in(annotations, spec.test_subset), spec.test_subset) if annotations else queries
    results = {view: _grounded(view, index, tower, joint_in(index, joints), scored) for view, index in found.items()}
    results[WHOLE] = _whole(found[spec.views[0]], scored)
    inputs = {"sentences": digest(canonical(queries)), "weights": network.record.id}
    inputs |= {f"index/{view}": index.record.id for view, index in found.items()}
    record = make_record("score_grounding", spec, inputs, ("numpy", "open_clip_torch", "torch"))
    write_json(out, {"views": results, "uses_names": list(spec.uses_names), "provenance": asdict(record)})
    drawn = markdown.table(HEADER, _rows(spec, results), text=1)
    sections = [markdown.section("Recall of moments, %", drawn)]
    title = f"Moments of {spec.dataset} by sentence"
    write_text(table, markdown.page(title, _lead(results), sections, record.to_json()))
    print(drawn)


def _grounded(
    view: str, index: Index, tower: TextTower, joint: Network | None, queries: Sequence[Query]
) -> dict[str, Any]:
    """How well each sentence is found in its own video."""
    places = {video_id: number for number, video_id in enumerate(index.ids)}
    there, searcher = _of(queries, places, view), Searcher(index)
    asked = questions(tower.embed([query.text for query in there]), index, tower.scale, joint)
    pairs = track(list(zip(there, asked, strict=True)), "search", unit="sentences")
    found = [searcher.within(places[query.video_id], question, query.text) for query, question in pairs]
    return _scored(there, [[(d.start, d.stop) for d in moments] for moments in found])


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
    return there


def _lead(results: Mapping[str, Any]) -> list[str]:
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
