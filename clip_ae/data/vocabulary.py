"""Words to name clusters by: a text file of names, a line each, described where a name alone is unclear."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clip_ae.core.config.dataclass_config import to_canonical_json
from clip_ae.core.errors import UserError
from clip_ae.core.provenance import digest
from clip_ae.data.json_values import read_text


@dataclass(frozen=True)
class VocabularyEntry:
    """A name, and what CLIP reads in its place: `pole vaulting: vaulting over a bar with a pole; a pole vault`."""

    name: str
    descriptions: tuple[str, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        return self.descriptions or (self.name,)


def vocabulary_digest(entries: Sequence[VocabularyEntry]) -> str:
    """Of all that a vocabulary says; comments and blank lines say nothing."""
    return digest(to_canonical_json(entries))


def read_vocabulary(path: Path) -> list[VocabularyEntry]:
    """Lines that are empty or begin with # are passed over."""
    lines = [line.partition("#")[0].strip() for line in read_text(path, "vocabulary").splitlines()]
    words = [_word(f"{path}, line {number}", line) for number, line in enumerate(lines, start=1) if line]
    names = [word.name for word in words]
    if len(words) < 2:
        raise UserError(f"{path}: a vocabulary needs two names at least, a line each")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"{path}: '{twice[0]}' stands twice; keep one")
    return words


def _word(where: str, line: str) -> VocabularyEntry:
    name, colon, rest = (part.strip() for part in line.partition(":"))
    descriptions = tuple(text.strip() for text in rest.split(";") if text.strip())
    if not name or (colon and not descriptions):
        raise UserError(f"{where}: expected a name, or a name and its descriptions as in `diving: jumping into water`")
    return VocabularyEntry(name, descriptions)
