"""Search a snippet index by text."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from clip_ae.core.config.dataclass_config import parse_dataclass
from clip_ae.core.errors import UserError
from clip_ae.core.timeline import SnippetGrid
from clip_ae.core.types import Detection, NetworkWeights
from clip_ae.data.snippet_index import SnippetIndex
from clip_ae.language import text_query
from clip_ae.language.text_query import TextQuery
from clip_ae.pipeline.adapted_features import restore_joint_space
from clip_ae.proposals.drop_overlapping import drop_overlapping
from clip_ae.proposals.moments import rank_moments
from clip_ae.weights.network_file import WeightsFile

# Number of videos whose moments are computed: those with the best snippets.
NUM_CANDIDATES = 100


class MomentSearcher:
    """Searches a snippet index for moments."""

    def __init__(self, index: SnippetIndex) -> None:
        self.index, self.grid = index, parse_dataclass(SnippetGrid, index.provenance.spec["grid"], "grid")

    def search_video(self, video_index: int, query: TextQuery, label: str) -> list[Detection]:
        """The moments of one video, by its position in the index, best first; they may overlap."""
        curve = query.logits(self.index.rows_of(video_index))
        moments = rank_moments(curve, self.grid, self.index.end_times[video_index])
        video_id = self.index.video_ids[video_index]
        return [Detection(video_id, label, score, start, stop) for start, stop, score in moments]

    def search_all(self, query: TextQuery, label: str, top_k: int) -> list[Detection]:
        """The best moments of all videos, without overlap."""
        peaks = text_query.max_score_per_video(self.index.blocks, self.index.row_offsets, query)
        candidates = np.argsort(-peaks, kind="stable")[:NUM_CANDIDATES].tolist()
        moments = [d for video in candidates for d in drop_overlapping(self.search_video(video, query, label))]
        return sorted(moments, key=lambda d: (-d.score, d.video_id, d.start))[:top_k]


def build_text_queries(
    texts: NDArray[np.float32], index: SnippetIndex, scale: float, adapter: NetworkWeights | None
) -> list[TextQuery]:
    """Queries of text embeddings [N, D] and their tower's logit scale. An index of a joint space needs its adapter."""
    if adapter:
        space = restore_joint_space(adapter, "cpu")
        return [text_query.build_joint_query(text, space) for text in texts]
    return [text_query.build_clip_query(text, index.mean_feature, scale) for text in texts]


def find_index_adapter(index: SnippetIndex, adapters: Iterable[WeightsFile]) -> WeightsFile | None:
    """The adapter whose joint space the index has; None for an index of CLIP features."""
    adapter_id = index.provenance.inputs.get("adapter")
    match = next((adapter for adapter in adapters if adapter.provenance.id == adapter_id), None)
    if adapter_id and not match:
        raise UserError("--adapter: missing, or another than that of the index; give the adapter that the index used")
    return match
