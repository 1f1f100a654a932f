"""Find the moments of a dataset's videos that look like the words of a vocabulary, for the page to be searched by."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.progress import track
from clip_ae.core.provenance import make_record
from clip_ae.core.specs import FindMomentsSpec
from clip_ae.core.timeline import Grid
from clip_ae.core.typed import read
from clip_ae.core.types import Detection, Network, Query
from clip_ae.encoders.devices import resolve, set_threads
from clip_ae.encoders.texts import TextTower
from clip_ae.io.detections import DECIMALS, write_json
from clip_ae.io.index import Index, read_index
from clip_ae.io.vocabulary import read_vocabulary, words_digest
from clip_ae.io.weights import read_weights
from clip_ae.post_pretraining import asking
from clip_ae.post_pretraining.asking import Question
from clip_ae.proposals.moments import moments
from clip_ae.stages.adapt import joint_of

# Videos that are looked at closely, of those whose best snippet is nearest.
CLOSELY = 100


class Searcher:
    """An index, and what makes questions to it of texts."""

    def __init__(self, index: Index, clip: Network, joint: Network | None, device: str) -> None:
        self.index, self.tower = index, TextTower(clip, device)
        self.joint = joint_of(joint, "cpu") if joint else None
        self.grid = read(Grid, index.record.spec["grid"], "grid")

    def questions(self, texts: NDArray[np.float32]) -> list[Question]:
        """Of embedded texts [N, D]."""
        if self.joint:
            return [asking.to_joint(text, self.joint) for text in texts]
        return [asking.to_clip(text, self.index.mean, self.tower.scale) for text in texts]

    def within(self, video: int, question: Question, label: str, most: int) -> list[Detection]:
        """The best moments of one video, by its place in the index."""
        curve = question.shares(self.index.rows(video))
        found = moments(curve, self.grid, self.index.ends[video], most)
        return [Detection(self.index.ids[video], label, score, start, stop) for start, stop, score in found]

    def said(self, queries: Sequence[Query], places: Mapping[str, int], most: int) -> list[list[tuple[float, float]]]:
        """Of every sentence the best moments of its own video."""
        questions = self.questions(self.tower.embed([query.text for query in queries]))
        pairs = track(list(zip(queries, questions, strict=True)), "search", unit="sentences")
        found = (self.within(places[query.video_id], question, query.text, most) for query, question in pairs)
        return [[(d.start, d.stop) for d in detections] for detections in found]

    def everywhere(self, question: Question, label: str, most: int) -> list[Detection]:
        """The best moments of all videos."""
        nearest = np.argsort(-asking.peaks(self.index.blocks, self.index.first, question), kind="stable")[:CLOSELY]
        found = [d for video in nearest.tolist() for d in self.within(video, question, label, most)]
        return sorted(found, key=lambda d: (-d.score, d.video_id, d.start))[:most]


def run(
    spec: FindMomentsSpec,
    *,
    index: Annotated[Path, "index of the dataset"],
    weights: Annotated[Path, "the CLIP whose text tower reads the words"],
    vocabulary: Annotated[Path, "text file of words, a line each; after a colon, what to read instead"],
    out: Annotated[Path, "moments.json to write"],
    model: Annotated[Path | None, "model.safetensors of the joint space, where that is searched"] = None,
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
) -> None:
    set_threads(spec.math_threads)
    words, network, known = read_vocabulary(vocabulary), read_weights(weights), read_index(index)
    searcher = Searcher(known, network, read_weights(model) if model else None, resolve(device))
    filled = [[t.replace("{}", text) for text in word.texts for t in spec.templates] for word in words]
    questions = searcher.questions(searcher.tower.ensemble(filled))
    pairs = track(list(zip(words, questions, strict=True)), "search", unit="words")
    texts = [
        {"text": word.name, "moments": [_plain(d) for d in searcher.everywhere(question, word.name, spec.top)]}
        for word, question in pairs
    ]
    inputs = {"index": known.record.id, "weights": network.record.id, "vocabulary": words_digest(words)}
    record = make_record("find_moments", spec, inputs, ("numpy", "open_clip_torch", "torch"))
    write_json(out, {"texts": texts, "provenance": asdict(record)})


def _plain(d: Detection) -> list[str | float]:
    return [d.video_id, *(round(value, DECIMALS) for value in (d.start, d.stop, d.score))]
