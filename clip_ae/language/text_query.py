"""A text as a question to every snippet: how much does it look like this?

logit = scale (u q - offset) for a snippet's vector u. In the joint space that is the text against background; in CLIP's
own there is no background, so the average snippet stands for it.
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
    """vector [D]"""

    vector: Floats
    offset: float
    scale: float

    def logits(self, rows: NDArray[np.float16]) -> NDArray[np.float64]:
        """[snippets]; where nothing was seen, nothing looks less like it."""
        found = self.scale * (rows.astype(np.float64) @ self.vector - self.offset)
        seen = rows.any(axis=1)
        return np.where(seen, found, found[seen].min(initial=0.0))


def build_clip_query(text_embedding: Floats, mean_snippet: Floats, scale: float) -> TextQuery:
    """Of an embedded text [D], where an average snippet is `mean`."""
    return TextQuery(text_embedding, float(mean_snippet @ text_embedding), scale)


@torch.inference_mode()
def build_joint_query(text_embedding: Floats, joint_embedding: JointEmbedding) -> TextQuery:
    words = (
        joint_embedding.embed_texts(torch.from_numpy(text_embedding)[None])[0] - joint_embedding.background_embedding
    )
    return TextQuery(words.numpy(), 0.0, float(joint_embedding.scale))


def max_score_per_video(
    blocks: Sequence[NDArray[np.float16]], first_rows: NDArray[np.int64], query: TextQuery
) -> Floats:
    """[videos]: how much each video's best snippet looks like it. In half precision: what is shown is computed anew."""
    vector = torch.from_numpy(query.vector).half()
    with warnings.catch_warnings():
        # A mapped file can only be read, which is all that is done here.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        near = torch.cat([torch.from_numpy(block) @ vector for block in blocks]).float().numpy()
    best: Floats = np.maximum.reduceat(near, first_rows[:-1])
    return best
