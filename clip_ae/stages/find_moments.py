"""Find the moments of a dataset's videos that look like the words of a vocabulary, for the page to be searched by."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.config.dataclass_config import parse_dataclass
from clip_ae.core.config.specs import FindMomentsSpec
from clip_ae.core.errors import UserError
from clip_ae.core.progress import track
from clip_ae.core.provenance import make_provenance
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Detection, NetworkWeights
from clip_ae.data.detections import DECIMALS, write_json
from clip_ae.data.snippet_index import SnippetIndex, read_index
from clip_ae.data.vocabulary import read_vocabulary, vocabulary_digest
from clip_ae.encoders.devices import configure_torch, resolve_device
from clip_ae.encoders.text_encoder import TextTower
from clip_ae.language import text_query
from clip_ae.language.text_query import TextQuery
from clip_ae.pages.web_vtt import drop_overlapping
from clip_ae.proposals.moments import rank_moments
from clip_ae.stages.adapt_features import restore_joint_space
from clip_ae.weights.network_file import WeightsFile, read_weights

# Videos that are looked at closely, of those whose best snippet is nearest.
NUM_CANDIDATES = 100


class MomentSearcher:
    """Looks for questions in an index."""

    def __init__(self, index: SnippetIndex) -> None:
        self.index, self.grid = index, parse_dataclass(SnippetGrid, index.provenance.spec["grid"], "grid")

    def search_video(self, video_index: int, query: TextQuery, label: str) -> list[Detection]:
        """The moments of one video, by its place in the index, the best first; others may overlap it."""
        curve = query.logits(self.index.rows_of(video_index))
        found = rank_moments(curve, self.grid, self.index.end_times[video_index])
        return [Detection(self.index.video_ids[video_index], label, score, start, stop) for start, stop, score in found]

    def search_all(self, query: TextQuery, label: str, top_k: int) -> list[Detection]:
        """The best moments of all videos; of those that overlap the best alone."""
        peaks = text_query.max_score_per_video(self.index.blocks, self.index.row_offsets, query)
        nearest = np.argsort(-peaks, kind="stable")[:NUM_CANDIDATES].tolist()
        found = [d for video in nearest for d in drop_overlapping(self.search_video(video, query, label))]
        return sorted(found, key=lambda d: (-d.score, d.video_id, d.start))[:top_k]


def run(
    spec: FindMomentsSpec,
    *,
    index: Annotated[Path, "index of the dataset"],
    clip_weights: Annotated[Path, "the CLIP whose text tower reads the words"],
    vocabulary: Annotated[Path, "text file of words, a line each; after a colon, what to read instead"],
    out: Annotated[Path, "moments.json to write"],
    adapter: Annotated[Path | None, "model.safetensors of the joint space, where that is searched"] = None,
    device: Annotated[str, "auto, cpu or cuda"] = "auto",
) -> None:
    configure_torch(spec.torch_threads)
    words, network, known = read_vocabulary(vocabulary), read_weights(clip_weights), read_index(index)
    joint = find_index_adapter(known, [read_weights(adapter)] if adapter else [])
    tower, searcher = TextTower(network, resolve_device(device)), MomentSearcher(known)
    embedded = tower.embed_words([word.texts for word in words], spec.templates)
    asked = build_text_queries(embedded, known, tower.logit_scale, joint)
    pairs = track(list(zip(words, asked, strict=True)), "search", unit="words")
    texts = [
        {"text": word.name, "moments": [_plain(d) for d in searcher.search_all(question, word.name, spec.top_k)]}
        for word, question in pairs
    ]
    inputs = {
        "index": known.provenance.id,
        "clip_weights": network.provenance.id,
        "vocabulary": vocabulary_digest(words),
    }
    record = make_provenance("find_moments", spec, inputs, ("numpy", "open_clip_torch", "torch"))
    write_json(out, {"texts": texts, "provenance": asdict(record)})


def build_text_queries(
    texts: NDArray[np.float32], index: SnippetIndex, scale: float, adapter: NetworkWeights | None
) -> list[TextQuery]:
    """Of texts [N, D] as a tower of that scale embeds them; joint where the index is of a joint space."""
    if adapter:
        space = restore_joint_space(adapter, "cpu")
        return [text_query.build_joint_query(text, space) for text in texts]
    return [text_query.build_clip_query(text, index.mean_feature, scale) for text in texts]


def find_index_adapter(index: SnippetIndex, adapters: Iterable[WeightsFile]) -> WeightsFile | None:
    """Of some networks the one whose joint space the index is of; None where it is of CLIP's own."""
    made_by = index.provenance.inputs.get("adapter")
    found = next((adapter for adapter in adapters if adapter.provenance.id == made_by), None)
    if made_by and not found:
        raise UserError(
            "--adapter: missing, or another than that of the index; its joint space is only known to its own"
        )
    return found


def _plain(d: Detection) -> list[str | float]:
    return [d.video_id, *(round(value, DECIMALS) for value in (d.start, d.stop, d.score))]
