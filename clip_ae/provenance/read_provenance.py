"""The record inside any output, whatever its format."""

import csv
import hashlib
import re
from pathlib import Path

import pyarrow as pa

from clip_ae.core.errors import ClipAeError, RefusedInput
from clip_ae.core.provenance import Provenance
from clip_ae.data.detections import read_json_provenance
from clip_ae.data.parquet import provenance_of, read_parquet_provenance
from clip_ae.weights.network_file import read_weights_provenance

HTML_PROVENANCE = re.compile(r'<script type="application/json" id="provenance">(.*?)</script>', re.DOTALL)
MARKDOWN_PROVENANCE = re.compile(r"<!-- provenance (.*) -->")


def read_provenance(path: Path) -> Provenance:
    """The record of a Parquet, Arrow, safetensors, JSON, HTML, Markdown or CSV output."""
    readers = {
        ".parquet": read_parquet_provenance,
        ".arrow": _arrow,
        ".safetensors": read_weights_provenance,
        ".json": read_json_provenance,
        ".html": lambda page: _searched(HTML_PROVENANCE, page),
        ".md": lambda page: _searched(MARKDOWN_PROVENANCE, page),
        ".csv": _csv,
    }
    try:
        return readers[path.suffix](path)
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise RefusedInput(f"{path}: holds no record of what made it ({error!r}); make it again") from None


def read_input_id(path: Path) -> str:
    """What stands for a file in the records of what is made from it: its own record's id, or a digest of its bytes."""
    try:
        return read_provenance(path).id
    except ClipAeError:
        return hashlib.sha256(path.read_bytes()).hexdigest()


def _arrow(path: Path) -> Provenance:
    with pa.memory_map(str(path)) as file:
        return provenance_of(pa.ipc.open_file(file).schema.metadata)


def _searched(pattern: re.Pattern[str], path: Path) -> Provenance:
    found = pattern.search(path.read_text(encoding="utf-8"))
    if found is None:
        raise ValueError("no provenance in the text")
    return Provenance.from_json(found[1])


def _csv(path: Path) -> Provenance:
    """A column of its own, filled in the first row."""
    with path.open(newline="", encoding="utf-8") as file:
        return Provenance.from_json(next(csv.DictReader(file), {})["provenance"])
