"""Read the vocabulary that names clusters: a text file with one name on each line, optionally with descriptions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clip_ae.core.config.dataclass_config import to_canonical_json
from clip_ae.core.errors import UserError
from clip_ae.core.provenance import digest
from clip_ae.data.json_values import read_text


@dataclass(frozen=True)
class VocabularyEntry:
    """A name and its descriptions, as in `pole vaulting: vaulting over a bar with a pole; a pole vault`."""

    name: str
    descriptions: tuple[str, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts that CLIP embeds: the descriptions, or the name if there are none."""
        return self.descriptions or (self.name,)


def vocabulary_digest(entries: Sequence[VocabularyEntry]) -> str:
    """Return the digest of the entries; comments and blank lines do not change it."""
    return digest(to_canonical_json(entries))


def read_vocabulary(path: Path) -> list[VocabularyEntry]:
    """Return the entries in file order. Empty lines and comments (#) are skipped."""
    lines = [line.partition("#")[0].strip() for line in read_text(path, "vocabulary").splitlines()]
    entries = [_parse_entry(f"{path}, line {number}", line) for number, line in enumerate(lines, start=1) if line]
    names = [entry.name for entry in entries]
    if len(entries) < 2:
        raise UserError(f"{path}: a vocabulary needs at least two names, one on each line")
    if duplicates := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"{path}: '{duplicates[0]}' appears twice; keep one")
    return entries


def _parse_entry(where: str, line: str) -> VocabularyEntry:
    name, colon, rest = (part.strip() for part in line.partition(":"))
    descriptions = tuple(text.strip() for text in rest.split(";") if text.strip())
    if not name or (colon and not descriptions):
        raise UserError(f"{where}: expected a name, or a name and its descriptions as in `diving: jumping into water`")
    return VocabularyEntry(name, descriptions)
