"""Any content of input files is read, or refused with an error that names the file."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clip_ae.core.config.dataclass_config import to_canonical_json
from clip_ae.core.errors import ClipAeError
from clip_ae.core.provenance import digest
from clip_ae.data.annotations import annotations_digest, read_annotation_facts, read_annotations, read_subsets
from clip_ae.data.detections import read_detections, read_json_provenance
from clip_ae.data.sentences import read_sentences
from clip_ae.workflow.config_files import parse_config_file

# Other work on the same cores must not count as a slow reader.
Read = Callable[[Path], Any]
JSON: tuple[Read, ...] = (
    read_annotations,
    read_subsets,
    read_annotation_facts,
    annotations_digest,
    read_detections,
    read_json_provenance,
    read_sentences,
)
# Keys of the formats, so that random content passes the first check.
KEYS = st.sampled_from(["database", "subset", "duration", "annotations", "label", "segment", "results", "score",
                        "external_data", "provenance", "timestamps", "sentences", "v"])  # fmt: skip
ANYTHING = st.characters(categories=("L", "N", "P", "S", "Z", "C"))
TEXTS = st.text(ANYTHING, max_size=5)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.just(10**400) | st.just("1e999")
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | TEXTS, inner))
ANNOTATIONS = json.dumps(
    {"database": {"v": {"subset": "a", "duration": 9.5, "annotations": [{"label": "x", "segment": [1, "2.5"]}]}}}
)
DETECTIONS = json.dumps({"version": "1", "results": {"v": [{"label": "x", "score": 0.5, "segment": [1, 2]}]}})
SENTENCES = json.dumps({"v": {"duration": 9.5, "timestamps": [[1, "2.5"], [2, 9]], "sentences": ["x", " y z"]}})
MALFORMED = [
    "", "{", "[" * 100_000, '{"a":' * 100_000, "9" * 5000,
    '{"database": {"v": {"subset": "a", "duration": ' + "9" * 5000 + "}}}",
    '{"database": {"\\ud800": {"subset": "a"}}}', '{"database": {"v": {"subset": "\\udfff"}}}', "NaN", "\x00",
    '{"database": {}, "database": {}}', '{"results": {"v": [], "v": []}}',
    '{"database": {"v": {"subset": "a", "duration": ' + "[" * 900 + "]" * 900 + "}}}",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzzed")


@st.composite
def mutated(draw: st.DrawFn, text: str) -> bytes:
    """A valid file with some bytes changed, removed or doubled."""
    raw = bytearray(text.encode())
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(raw) - 1))
        raw[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=3))
    return bytes(raw)


def assert_read_or_refused(path: Path, readers: tuple[Read, ...]) -> None:
    """Content that is read can be serialized; a refusal names the file."""
    for read in readers:
        refusal = ""
        try:
            digest(to_canonical_json(read(path)))
        except ClipAeError as error:
            refusal = str(error)
        assert not refusal or str(path) in refusal


@given(VALUES)
def test_any_json_is_read_or_refused(folder: Path, value: Any) -> None:
    path = folder / "x.json"
    path.write_text(json.dumps(value))
    assert_read_or_refused(path, JSON)


@pytest.mark.parametrize("text", MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_json_is_read_or_refused(folder: Path, text: str) -> None:
    path = folder / "malformed.json"
    path.write_text(text)
    assert_read_or_refused(path, JSON)


@given(mutated(ANNOTATIONS) | mutated(DETECTIONS) | mutated(SENTENCES) | st.binary())
def test_valid_files_with_changed_bytes_are_read_or_refused(folder: Path, raw: bytes) -> None:
    path = folder / "mutated.json"
    path.write_bytes(raw)
    assert_read_or_refused(path, JSON)


@given(st.binary() | mutated("v 1.0 2.0\nv 3 4\n\nw 0.5 1e3\n"))
@example(b"v 1 " + b"9" * 5000)
@example(b"v nan inf")
def test_any_lines_of_a_thumos_kit_are_read_or_refused(folder: Path, raw: bytes) -> None:
    path = folder / "kit"
    path.mkdir(exist_ok=True)
    (path / "Run_val.txt").write_bytes(raw)
    assert_read_or_refused(path, (read_annotations, read_annotation_facts, annotations_digest))


@given(st.binary() | mutated("v 1.0 2.0##x y\n\nw 0.5 1e3##z ## z\n"))
@example(b"v 1 " + b"9" * 5000 + b"##x")
@example("v 1 2##\u2028##\x1c".encode())
def test_any_lines_of_sentences_are_read_or_refused(folder: Path, raw: bytes) -> None:
    path = folder / "sentences.txt"
    path.write_bytes(raw)
    assert_read_or_refused(path, (read_sentences,))


COLUMN = st.lists(
    SCALARS.filter(lambda value: not isinstance(value, int) or abs(value) < 2**63), min_size=1, max_size=1
)


@given(st.dictionaries(st.sampled_from(["video_id", "label", "score", "start", "stop"]), COLUMN))
def test_table_of_any_columns_is_read_or_refused(folder: Path, columns: dict[str, Any]) -> None:
    path = folder / "x.parquet"
    try:
        pq.write_table(pa.table(columns), path)
    except UnicodeEncodeError:
        return  # a table cannot contain half of a surrogate pair
    assert_read_or_refused(path, (read_detections,))


# Tokens of YAML.
MARKS = st.sampled_from(
    ["a", "1", ":", "- ", "? ", "\n", "  ", "&x ", "*x", "{", "}", "[", "]", ",", "<<", "|", ">", "'", '"', "#", "~",
     "%", "!!int ", "!!set ", "!!pairs ", "!!timestamp ", "!!binary ", "!x ", ".inf", "2001-99-99", "2001-01-01", "0x",
     "0b_", "1:99", "\\ud800", "\t", "\x85"]
)  # fmt: skip


@given(st.lists(MARKS, max_size=12).map("".join) | st.text())
@example("? [a]\n: 1")
@example("a: " + "[" * 1500)
@example("a: " + "9" * 5000)
@example("a: 0x" + "f" * 5000)
@example("a: &a {b: *a}")
@example("!!int ")
@example("!!bool x")
@example("!!timestamp x")
def test_any_yaml_is_read_or_refused(folder: Path, text: str) -> None:
    path = folder / "config.yaml"
    path.write_text(text, errors="replace")
    with contextlib.suppress(ClipAeError):
        parse_config_file(path)
