"""Texts by a CLIP's text tower, in the space of its images."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import normalize

from clip_ae.core.config import ClipOptions
from clip_ae.core.typed import read
from clip_ae.core.types import Network
from clip_ae.encoders.networks import clip
from clip_ae.encoders.networks.fit import fit

# Texts a forward pass.
BATCH = 256


class TextTower:
    """Embeddings of length 1; `scale` is what CLIP multiplies cosines by before a softmax."""

    def __init__(self, network: Network, device: str) -> None:
        options = read(ClipOptions, network.about["clip"], "clip")
        self.network = fit(clip.build(options), network.tensors, str(network.about.get("name", "clip"))).to(device)
        self.tokens = clip.tokenizer(options)
        self.device = device
        self.scale = float(self.network.logit_scale.detach().exp())  # type: ignore[operator]

    @torch.inference_mode()
    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """[texts, D]."""
        parts = [list(texts[k : k + BATCH]) for k in range(0, len(texts), BATCH)]
        encode = self.network.encode_text
        found = [normalize(encode(self.tokens(part).to(self.device)).float(), dim=-1) for part in parts]  # type: ignore[operator]
        return np.asarray(torch.cat(found).cpu())

    def ensemble(self, groups: Sequence[Sequence[str]]) -> NDArray[np.float32]:
        """[groups, D]: the mean of each group's texts, of length 1."""
        every = self.embed([text for group in groups for text in group])
        ends = np.cumsum([len(group) for group in groups])
        means: NDArray[np.float32] = np.stack([part.mean(axis=0) for part in np.split(every, ends[:-1])])
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        return means
