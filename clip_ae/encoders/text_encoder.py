"""Texts in the space of a CLIP's images: by its text tower, or as a simulated world has them."""

import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import normalize

from clip_ae.core.config.dataclass_config import abbreviate, parse_dataclass
from clip_ae.core.config.schema import ClipOptions
from clip_ae.core.errors import UserError, suggest_name
from clip_ae.core.progress import log_line
from clip_ae.core.types import NetworkWeights
from clip_ae.encoders.networks import clip
from clip_ae.encoders.networks.state_dict import load_tensors

# Texts a forward pass.
BATCH_SIZE = 256
# What trained CLIPs multiply cosines by.
LOGIT_SCALE = 100.0
Floats = NDArray[np.float32]


class TextTower:
    """Embeddings of length 1; `scale` is what CLIP multiplies cosines by before a softmax."""

    def __init__(self, network: NetworkWeights, device: str) -> None:
        if "clip" not in network.metadata:
            raise UserError(
                f"--clip-weights: {network.metadata.get('name', 'one')} is no CLIP; only a CLIP knows words"
            )
        options = parse_dataclass(ClipOptions, network.metadata["clip"], "clip")
        self.network = load_tensors(clip.build(options), network.tensors, str(network.metadata.get("name", "clip"))).to(
            device
        )
        self.tokenizer = clip.get_tokenizer(options)
        self.device = device
        self.logit_scale = float(self.network.logit_scale.detach().exp())  # type: ignore[operator]

    @torch.inference_mode()
    def embed(self, texts: Sequence[str]) -> Floats:
        """[texts, D]; `remarks` tells what of a text is not read."""
        for i, text in enumerate(texts):
            if not text.strip():
                raise UserError(f"texts: text {i} is empty; say in words what is to be seen")
        parts = [list(texts[k : k + BATCH_SIZE]) for k in range(0, len(texts), BATCH_SIZE)]
        encode = self.network.encode_text
        found = [normalize(encode(self.tokenizer(part).to(self.device)).float(), dim=-1) for part in parts]  # type: ignore[operator]
        return np.asarray(torch.cat(found).cpu())

    def find_text_problems(self, text: str) -> list[str]:
        """What CLIP will not read of a text, or not as it is meant; a line each."""
        length, most, found = self._length(text), self.tokenizer.context_length, []
        if length > most:
            found.append(f"{abbreviate(text)}: CLIP reads {most} of its {length} tokens; say it in fewer words")
        if _foreign(text):
            found.append(
                f"{abbreviate(text)}: not in Latin letters; a CLIP that learnt English captions can only guess"
            )
        return found

    def _length(self, text: str) -> int:
        """Tokens of the whole text, with the marks of its beginning and end."""
        # A token is a byte at least, and a character four at most: the row ends in padding.
        row = self.tokenizer([text], context_length=3 + 4 * len(text))[0]
        return int((row != row[-1]).nonzero().max()) + 1

    def embed_words(self, words: Sequence[Sequence[str]], templates: Sequence[str]) -> Floats:
        """[words, D]: each word's texts in all templates; what is not read of one is told."""
        if not templates:
            raise UserError("templates: none; with '{}' alone words are read as they are")
        longest = max(templates, key=len)
        for text in dict.fromkeys(text for texts in words for text in texts):
            for remark in self.find_text_problems(longest.replace("{}", text)):
                log_line(remark)
        return self.embed_ensembles([[t.replace("{}", text) for text in texts for t in templates] for texts in words])

    def embed_ensembles(self, groups: Sequence[Sequence[str]]) -> Floats:
        """[groups, D]: the mean of each group's texts, of length 1."""
        every = self.embed([text for group in groups for text in group])
        ends = np.cumsum([len(group) for group in groups])
        means: Floats = np.stack([part.mean(axis=0) for part in np.split(every, ends[:-1])])
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        return means


class PrecomputedTexts:
    """Texts that were embedded already; no others can be read, and templates put nothing around them."""

    logit_scale = LOGIT_SCALE

    def __init__(self, embeddings: Mapping[str, Floats]) -> None:
        self.embeddings = embeddings

    def embed(self, texts: Sequence[str]) -> Floats:
        """[texts, D]"""
        for text in sorted(set(texts) - set(self.embeddings)):
            raise UserError(f"--text-embeddings: have no text '{text}'{suggest_name(text, self.embeddings)}")
        return np.stack([self.embeddings[text] for text in texts])

    def find_text_problems(self, text: str) -> list[str]:
        """They are read whole."""
        return []

    def embed_words(self, words: Sequence[Sequence[str]], templates: Sequence[str]) -> Floats:
        """[words, D]: the first text of each."""
        return self.embed([texts[0] for texts in words])


def build_text_encoder(
    network: NetworkWeights | None, embeddings: Mapping[str, Floats] | None, device: str
) -> TextTower | PrecomputedTexts:
    """Whoever reads texts: a CLIP, or a simulated world."""
    if embeddings is not None:
        return PrecomputedTexts(embeddings)
    if network is None:
        raise UserError("--clip-weights: missing; words are read by a CLIP's text tower")
    return TextTower(network, device)


def _foreign(text: str) -> bool:
    """Whether a letter is of another script than Latin."""
    return any(c.isalpha() and "LATIN" not in unicodedata.name(c, "") for c in text)
