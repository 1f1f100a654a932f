"""The files that embed texts: weights of a CLIP, or the embeddings of a simulated world."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from clip_ae.data.parquet import read_parquet_provenance
from clip_ae.data.text_embeddings import read_text_embeddings
from clip_ae.encoders.text_encoder import PrecomputedTexts, TextTower, build_text_encoder
from clip_ae.weights.network_file import read_weights, read_weights_provenance


@dataclass(frozen=True)
class TextEncoderFiles:
    """Options of a command that embeds texts."""

    clip_weights: Annotated[Path | None, "CLIP weights, whose text tower embeds the texts"] = None
    text_embeddings: Annotated[Path | None, "texts.parquet of a simulated world, in place of a text tower"] = None

    def load_text_encoder(self, device: str) -> TextTower | PrecomputedTexts:
        return build_text_encoder(
            read_weights(self.clip_weights) if self.clip_weights else None,
            read_text_embeddings(self.text_embeddings) if self.text_embeddings else None,
            device,
        )

    def read_input_ids(self) -> dict[str, str]:
        """Inputs for the provenance of what is made with the texts."""
        ids = {"clip_weights": read_weights_provenance(self.clip_weights).id} if self.clip_weights else {}
        ids |= {"text_embeddings": read_parquet_provenance(self.text_embeddings).id} if self.text_embeddings else {}
        return ids


NO_TEXT_ENCODER = TextEncoderFiles()
