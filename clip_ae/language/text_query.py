"""Text queries: the similarity of a text to each snippet, as a logit.

logit = scale (u q - offset) for the vector u of a snippet. In the joint space of an adapter it compares the text with
background. CLIP's space has no background, so there the average snippet takes its place.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from clip_ae.language.adapter import JointEmbedding

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class TextQuery:
    """The vector q [D], the offset and the scale of a text."""

    vector: Floats
    offset: float
    scale: float

    def logits(self, rows: NDArray[np.float16]) -> NDArray[np.float64]:
        """Logits [snippets] of rows u [snippets, D].

        A row of zeros, without coverage, gets the lowest logit of the others, and at most 0.
        """
        logits = self.scale * (rows.astype(np.float64) @ self.vector - self.offset)
        coverage_mask = rows.any(axis=1)
        return np.where(coverage_mask, logits, logits[coverage_mask].min(initial=0.0))


def build_clip_query(text_embedding: Floats, mean_snippet: Floats, scale: float) -> TextQuery:
    """The query of a text embedding [D] in CLIP's space, compared with the mean snippet [D]."""
    return TextQuery(text_embedding, float(mean_snippet @ text_embedding), scale)


@torch.inference_mode()
def build_joint_query(text_embedding: Floats, joint_embedding: JointEmbedding) -> TextQuery:
    """The query of a text embedding [D] in an adapter's joint space, compared with background."""
    text = joint_embedding.embed_texts(torch.from_numpy(text_embedding)[None])[0]
    vector = text - joint_embedding.background_embedding
    return TextQuery(vector.numpy(), 0.0, float(joint_embedding.scale))


def max_score_per_video(
    blocks: Sequence[NDArray[np.float16]], first_rows: NDArray[np.int64], query: TextQuery
) -> Floats:
    """[videos]: the largest u q over the snippets of each video, in half precision.

    For ranking videos only: the scores that a person sees are computed again. first_rows: the row of each video's first
    snippet in the concatenated blocks, and the number of rows.
    """
    vector = torch.from_numpy(query.vector).half()
    with warnings.catch_warnings():
        # The blocks can be read-only memory maps; they are not written here.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        products = torch.cat([torch.from_numpy(block) @ vector for block in blocks]).float().numpy()
    maxima: Floats = np.maximum.reduceat(products, first_rows[:-1])
    return maxima
