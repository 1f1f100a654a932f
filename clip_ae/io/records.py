"""The record inside any output, whatever its format."""

import re
from pathlib import Path

from clip_ae.core.errors import RefusedInput
from clip_ae.core.provenance import Record
from clip_ae.io.detections import read_json_record
from clip_ae.io.parquet import read_parquet_record
from clip_ae.io.weights import read_weights_record

HTML = re.compile(r'<script type="application/json" id="provenance">(.*?)</script>', re.DOTALL)


def read_record(path: Path) -> Record:
    """The record of a parquet, safetensors, JSON or HTML output."""
    readers = {
        ".parquet": read_parquet_record,
        ".safetensors": read_weights_record,
        ".json": read_json_record,
        ".html": _html,
    }
    try:
        return readers[path.suffix](path)
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise RefusedInput(f"{path}: holds no record of what made it ({error!r}); make it again") from None


def _html(path: Path) -> Record:
    found = HTML.search(path.read_text(encoding="utf-8"))
    assert found is not None
    return Record.from_json(found[1])
