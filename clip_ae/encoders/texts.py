"""Texts by a CLIP's text tower, in the space of its images."""

import unicodedata
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import normalize

from clip_ae.core.config import ClipOptions
from clip_ae.core.errors import UserError
from clip_ae.core.progress import say
from clip_ae.core.typed import read, show
from clip_ae.core.types import Network
from clip_ae.encoders.networks import clip
from clip_ae.encoders.networks.fit import fit

# Texts a forward pass.
BATCH = 256


class TextTower:
    """Embeddings of length 1; `scale` is what CLIP multiplies cosines by before a softmax."""

    def __init__(self, network: Network, device: str) -> None:
        if "clip" not in network.about:
            raise UserError(f"--weights: {network.about.get('name', 'one')} is no CLIP; only a CLIP knows words")
        options = read(ClipOptions, network.about["clip"], "clip")
        self.network = fit(clip.build(options), network.tensors, str(network.about.get("name", "clip"))).to(device)
        self.tokens = clip.tokenizer(options)
        self.device = device
        self.scale = float(self.network.logit_scale.detach().exp())  # type: ignore[operator]

    @torch.inference_mode()
    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """[texts, D]; `remarks` tells what of a text is not read."""
        for i, text in enumerate(texts):
            if not text.strip():
                raise UserError(f"texts: text {i} is empty; say in words what is to be seen")
        parts = [list(texts[k : k + BATCH]) for k in range(0, len(texts), BATCH)]
        encode = self.network.encode_text
        found = [normalize(encode(self.tokens(part).to(self.device)).float(), dim=-1) for part in parts]  # type: ignore[operator]
        return np.asarray(torch.cat(found).cpu())

    def remarks(self, text: str) -> list[str]:
        """What CLIP will not read of a text, or not as it is meant; a line each."""
        length, most, found = self._length(text), self.tokens.context_length, []
        if length > most:
            found.append(f"{show(text)}: CLIP reads {most} of its {length} tokens; say it in fewer words")
        if _foreign(text):
            found.append(f"{show(text)}: not in Latin letters; a CLIP that learnt English captions can only guess")
        return found

    def _length(self, text: str) -> int:
        """Tokens of the whole text, with the marks of its beginning and end."""
        # A token is a byte at least, and a character four at most: the row ends in padding.
        row = self.tokens([text], context_length=3 + 4 * len(text))[0]
        return int((row != row[-1]).nonzero().max()) + 1

    def words(self, words: Sequence[Sequence[str]], templates: Sequence[str]) -> NDArray[np.float32]:
        """[words, D]: each word's texts in all templates; what is not read of one is told."""
        longest = max(templates, key=len)
        for text in dict.fromkeys(text for texts in words for text in texts):
            for remark in self.remarks(longest.replace("{}", text)):
                say(remark)
        return self.ensemble([[t.replace("{}", text) for text in texts for t in templates] for texts in words])

    def ensemble(self, groups: Sequence[Sequence[str]]) -> NDArray[np.float32]:
        """[groups, D]: the mean of each group's texts, of length 1."""
        every = self.embed([text for group in groups for text in group])
        ends = np.cumsum([len(group) for group in groups])
        means: NDArray[np.float32] = np.stack([part.mean(axis=0) for part in np.split(every, ends[:-1])])
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        return means


def _foreign(text: str) -> bool:
    """Whether a letter is of another script than Latin."""
    return any(c.isalpha() and "LATIN" not in unicodedata.name(c, "") for c in text)
