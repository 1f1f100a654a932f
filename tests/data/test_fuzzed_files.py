"""Whatever stands in other people's files: it is read, or refused in a line that says where."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clip_ae.core.config.dataclass_config import to_canonical_json
from clip_ae.core.errors import ClipAeError
from clip_ae.core.provenance import digest
from clip_ae.data.annotations import annotations_digest, read_annotation_facts, read_annotations, read_subsets
from clip_ae.data.detections import read_detections, read_json_provenance
from clip_ae.data.sentences import read_sentences
from clip_ae.workflow.config_files import parse_config_file

# Other work on the same cores must not pass for a slow reader.
UNHURRIED = settings(deadline=None)
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
# Words that the files know, so that chance gets past the first check.
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
TORN = [
    "", "{", "[" * 100_000, '{"a":' * 100_000, "9" * 5000,
    '{"database": {"v": {"subset": "a", "duration": ' + "9" * 5000 + "}}}",
    '{"database": {"\\ud800": {"subset": "a"}}}', '{"database": {"v": {"subset": "\\udfff"}}}', "NaN", "\x00",
    '{"database": {}, "database": {}}', '{"results": {"v": [], "v": []}}',
    '{"database": {"v": {"subset": "a", "duration": ' + "[" * 900 + "]" * 900 + "}}}",
]  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzzed")


@st.composite
def mutated(draw: st.DrawFn, text: str) -> bytes:
    """A right file with some bytes changed, left out or doubled."""
    raw = bytearray(text.encode())
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(raw) - 1))
        raw[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=3))
    return bytes(raw)


def read_or_refused(path: Path, readers: tuple[Read, ...]) -> None:
    """What is read can be written down, and what is refused is refused by the name of the file."""
    for read in readers:
        refusal = ""
        try:
            digest(to_canonical_json(read(path)))
        except ClipAeError as error:
            refusal = str(error)
        assert not refusal or str(path) in refusal


@UNHURRIED
@given(VALUES)
def test_any_json(place: Path, value: Any) -> None:
    path = place / "x.json"
    path.write_text(json.dumps(value))
    read_or_refused(path, JSON)


@pytest.mark.parametrize("text", TORN, ids=range(len(TORN)))
def test_what_is_torn_doubled_or_endless(place: Path, text: str) -> None:
    path = place / "torn.json"
    path.write_text(text)
    read_or_refused(path, JSON)


@UNHURRIED
@given(mutated(ANNOTATIONS) | mutated(DETECTIONS) | mutated(SENTENCES) | st.binary())
def test_right_files_with_wrong_bytes(place: Path, raw: bytes) -> None:
    path = place / "mutated.json"
    path.write_bytes(raw)
    read_or_refused(path, JSON)


@UNHURRIED
@given(st.binary() | mutated("v 1.0 2.0\nv 3 4\n\nw 0.5 1e3\n"))
@example(b"v 1 " + b"9" * 5000)
@example(b"v nan inf")
def test_a_kit_of_any_lines(place: Path, raw: bytes) -> None:
    path = place / "kit"
    path.mkdir(exist_ok=True)
    (path / "Run_val.txt").write_bytes(raw)
    read_or_refused(path, (read_annotations, read_annotation_facts, annotations_digest))


@UNHURRIED
@given(st.binary() | mutated("v 1.0 2.0##x y\n\nw 0.5 1e3##z ## z\n"))
@example(b"v 1 " + b"9" * 5000 + b"##x")
@example("v 1 2##\u2028##\x1c".encode())
def test_sentences_of_any_lines(place: Path, raw: bytes) -> None:
    path = place / "sentences.txt"
    path.write_bytes(raw)
    read_or_refused(path, (read_sentences,))


COLUMN = st.lists(
    SCALARS.filter(lambda value: not isinstance(value, int) or abs(value) < 2**63), min_size=1, max_size=1
)


@UNHURRIED
@given(st.dictionaries(st.sampled_from(["video_id", "label", "score", "start", "stop"]), COLUMN))
def test_a_table_of_any_columns(place: Path, columns: dict[str, Any]) -> None:
    path = place / "x.parquet"
    try:
        pq.write_table(pa.table(columns), path)
    except UnicodeEncodeError:
        return  # no table holds half of a character
    read_or_refused(path, (read_detections,))


# Of what YAML is made.
MARKS = st.sampled_from(
    ["a", "1", ":", "- ", "? ", "\n", "  ", "&x ", "*x", "{", "}", "[", "]", ",", "<<", "|", ">", "'", '"', "#", "~",
     "%", "!!int ", "!!set ", "!!pairs ", "!!timestamp ", "!!binary ", "!x ", ".inf", "2001-99-99", "2001-01-01", "0x",
     "0b_", "1:99", "\\ud800", "\t", "\x85"]
)  # fmt: skip


@UNHURRIED
@given(st.lists(MARKS, max_size=12).map("".join) | st.text())
@example("? [a]\n: 1")
@example("a: " + "[" * 1500)
@example("a: " + "9" * 5000)
@example("a: 0x" + "f" * 5000)
@example("a: &a {b: *a}")
@example("!!int ")
@example("!!bool x")
@example("!!timestamp x")
def test_any_yaml(place: Path, text: str) -> None:
    path = place / "config.yaml"
    path.write_text(text, errors="replace")
    with contextlib.suppress(ClipAeError):
        parse_config_file(path)
