"""Read the provenance from an output of any format."""

import csv
import re
from pathlib import Path

import pyarrow as pa

from clip_ae.core.errors import ClipAeError, RefusedInput
from clip_ae.core.provenance import Provenance
from clip_ae.data.detections import Submission, read_json_provenance
from clip_ae.data.parquet import provenance_of, read_parquet_provenance
from clip_ae.weights.integrity import file_digest
from clip_ae.weights.network_file import read_weights_provenance

HTML_PROVENANCE = re.compile(r'<script type="application/json" id="provenance">(.*?)</script>', re.DOTALL)
MARKDOWN_PROVENANCE = re.compile(r"<!-- provenance (.*) -->")


def read_provenance(path: Path) -> Provenance:
    """Return the provenance of a Parquet, Arrow, safetensors, JSON, HTML, Markdown or CSV output."""
    readers = {
        ".parquet": read_parquet_provenance,
        ".arrow": _read_arrow_provenance,
        ".safetensors": read_weights_provenance,
        ".json": read_json_provenance,
        ".html": lambda page: _search_provenance(HTML_PROVENANCE, page),
        ".md": lambda page: _search_provenance(MARKDOWN_PROVENANCE, page),
        ".csv": _read_csv_provenance,
    }
    try:
        return readers[path.suffix](path)
    except (OSError, KeyError, TypeError, ValueError, AttributeError, RecursionError, csv.Error) as error:
        raise RefusedInput(f"{path}: has no provenance that can be read ({error!r}); make it again") from None


def read_input_id(path: Path) -> str:
    """Return the id of a file in the provenance of its products: its own provenance's id, or a sha256 of its bytes."""
    try:
        return read_provenance(path).id
    except ClipAeError:
        return file_digest(path)


def get_submission_id(submission: Submission) -> str:
    """The same for detections that were read, without reading the file again."""
    if submission.path.suffix == ".parquet":
        return read_input_id(submission.path)
    try:
        return Provenance.from_dict(submission.external_data["provenance"]).id
    except (KeyError, TypeError, ValueError, AttributeError):
        return file_digest(submission.path)


def _read_arrow_provenance(path: Path) -> Provenance:
    with pa.memory_map(str(path)) as file:
        return provenance_of(pa.ipc.open_file(file).schema.metadata)


def _search_provenance(pattern: re.Pattern[str], path: Path) -> Provenance:
    match = pattern.search(path.read_text(encoding="utf-8"))
    if match is None:
        raise ValueError("no provenance in the text")
    return Provenance.from_json(match[1])


def _read_csv_provenance(path: Path) -> Provenance:
    """Read the column `provenance`, which is filled in the first row only."""
    with path.open(newline="", encoding="utf-8") as file:
        return Provenance.from_json(next(csv.DictReader(file), {})["provenance"])
