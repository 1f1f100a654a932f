"""Text embeddings in the space of CLIP's images: from CLIP's text tower, or read from a simulated world."""

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

# Texts in one forward pass.
BATCH_SIZE = 256
# Trained CLIPs multiply cosines by this factor.
LOGIT_SCALE = 100.0
Floats = NDArray[np.float32]


class TextTower:
    """CLIP's text tower: embeddings of length 1. `logit_scale` is CLIP's factor on cosines before a softmax."""

    def __init__(self, network: NetworkWeights, device: str) -> None:
        name = str(network.metadata.get("name", "the file"))
        if "clip" not in network.metadata:
            raise UserError(f"--clip-weights: {name} is no CLIP; give the weights of a CLIP")
        options = parse_dataclass(ClipOptions, network.metadata["clip"], "clip")
        self.network = load_tensors(clip.build(options), network.tensors, name).to(device)
        self.tokenizer = clip.get_tokenizer(options)
        self.device = device
        self.logit_scale = float(self.network.logit_scale.detach().exp())  # type: ignore[operator]

    @torch.inference_mode()
    def embed(self, texts: Sequence[str]) -> Floats:
        """Embeddings [texts, D]. An empty text is an error; `find_text_problems` reports texts that are cut."""
        for i, text in enumerate(texts):
            if not text.strip():
                raise UserError(f"texts: text {i} is empty; describe what the video shows")
        batches = [list(texts[k : k + BATCH_SIZE]) for k in range(0, len(texts), BATCH_SIZE)]
        encode = self.network.encode_text
        embeddings = [
            normalize(encode(self.tokenizer(batch).to(self.device)).float(), dim=-1)  # type: ignore[operator]
            for batch in batches
        ]
        return np.asarray(torch.cat(embeddings).cpu())

    def find_text_problems(self, text: str) -> list[str]:
        """Warnings about a text that CLIP cuts or does not understand, one line each."""
        num_tokens, max_tokens = self._count_tokens(text), self.tokenizer.context_length
        problems = []
        if num_tokens > max_tokens:
            problems.append(f"{abbreviate(text)}: CLIP reads {max_tokens} of its {num_tokens} tokens; use fewer words")
        if _has_non_latin_letters(text):
            problems.append(f"{abbreviate(text)}: not in Latin letters; CLIPs trained on English captions may fail")
        return problems

    def _count_tokens(self, text: str) -> int:
        """Tokens of the uncut text, with the tokens that mark its start and end."""
        # A token covers at least one byte and a character has at most four bytes, so the row ends in padding.
        row = self.tokenizer([text], context_length=3 + 4 * len(text))[0]
        return int((row != row[-1]).nonzero().max()) + 1

    def embed_words(self, words: Sequence[Sequence[str]], templates: Sequence[str]) -> Floats:
        """Embeddings [words, D]: the mean over each word's texts in all templates. Logs texts that are cut."""
        if not templates:
            raise UserError("templates: none; with '{}' alone, words are embedded without a sentence")
        longest = max(templates, key=len)
        for text in dict.fromkeys(text for texts in words for text in texts):
            for problem in self.find_text_problems(longest.replace("{}", text)):
                log_line(problem)
        return self.embed_ensembles([[t.replace("{}", text) for text in texts for t in templates] for texts in words])

    def embed_ensembles(self, groups: Sequence[Sequence[str]]) -> Floats:
        """Embeddings [groups, D]: the mean over each group's texts, scaled to length 1."""
        embeddings = self.embed([text for group in groups for text in group])
        ends = np.cumsum([len(group) for group in groups])
        means: Floats = np.stack([part.mean(axis=0) for part in np.split(embeddings, ends[:-1])])
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        return means


class PrecomputedTexts:
    """Embeddings from a file. No other text can be embedded, and templates are ignored."""

    logit_scale = LOGIT_SCALE

    def __init__(self, embeddings: Mapping[str, Floats]) -> None:
        self.embeddings = embeddings

    def embed(self, texts: Sequence[str]) -> Floats:
        """Embeddings [texts, D]. A text that the file lacks is an error."""
        for text in sorted(set(texts) - set(self.embeddings)):
            suggestion = suggest_name(text, self.embeddings)
            raise UserError(f"--text-embeddings: the embeddings have no text '{text}'{suggestion}")
        return np.stack([self.embeddings[text] for text in texts])

    def find_text_problems(self, text: str) -> list[str]:
        """No warnings: these texts are not cut."""
        return []

    def embed_words(self, words: Sequence[Sequence[str]], templates: Sequence[str]) -> Floats:
        """Embeddings [words, D]: the first text of each word."""
        return self.embed([texts[0] for texts in words])


def build_text_encoder(
    network: NetworkWeights | None, embeddings: Mapping[str, Floats] | None, device: str
) -> TextTower | PrecomputedTexts:
    """The text encoder: precomputed embeddings if there are any, else CLIP's text tower."""
    if embeddings is not None:
        return PrecomputedTexts(embeddings)
    if network is None:
        raise UserError("--clip-weights: missing; words are read by a CLIP's text tower")
    return TextTower(network, device)


def _has_non_latin_letters(text: str) -> bool:
    return any(c.isalpha() and "LATIN" not in unicodedata.name(c, "") for c in text)
