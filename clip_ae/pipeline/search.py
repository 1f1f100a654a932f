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
from clip_ae.pages.web_vtt import drop_overlapping
from clip_ae.pipeline.adapted_features import restore_joint_space
from clip_ae.proposals.moments import rank_moments
from clip_ae.weights.network_file import WeightsFile

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
