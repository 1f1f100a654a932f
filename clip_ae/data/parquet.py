"""Parquet tables with their record: schemas, writing, reading."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.core.files import atomic_write
from clip_ae.core.provenance import Provenance

PROVENANCE_KEY = b"provenance"
VIDEO_ID_FIELD = pa.field("video_id", pa.dictionary(pa.int32(), pa.string()), nullable=False)


def _required(**types: pa.DataType) -> list[pa.Field]:
    return [pa.field(name, kind, nullable=False) for name, kind in types.items()]


_FACTS = _required(
    video_id=pa.string(), path=pa.string(), duration=pa.float64(), fps=pa.float64(), frames=pa.int64(),
    snippets=pa.int32(), width=pa.int32(), height=pa.int32(), has_audio=pa.bool_(), audio_rate=pa.int32(),
    audio_channels=pa.int32(), status=pa.string(), reason=pa.string(),
)  # fmt: skip
PROBE_SCHEMA = pa.schema(_FACTS)
VIDEOS_SCHEMA = pa.schema([*_FACTS, pa.field("subset", pa.string(), nullable=False)])
FAILURES_SCHEMA = pa.schema(_required(video_id=pa.string(), stage=pa.string(), kind=pa.string(), message=pa.string()))
LABELS_SCHEMA = pa.schema(
    _required(video_id=pa.string(), cluster=pa.int32(), label=pa.string(), segments=pa.list_(pa.list_(pa.float64())))
)
CURVES_SCHEMA = pa.schema(
    [*_required(video_id=pa.string(), snippet=pa.int32(), attention=pa.float32()),
     pa.field("activation", pa.map_(pa.string(), pa.float32()), nullable=False)]
)  # fmt: skip


def write_rows(
    path: Path, schema: pa.Schema, rows: Iterable[Any], provenance: Provenance, metadata: dict[str, str] | None = None
) -> None:
    """Write dataclasses or dicts, in their order."""
    plain = [row if isinstance(row, dict) else asdict(row) for row in rows]
    write_tables(path, schema, [pa.Table.from_pylist(plain, schema=schema)], provenance, metadata=metadata)


def write_tables(
    path: Path,
    schema: pa.Schema,
    tables: Iterable[pa.Table],
    provenance: Provenance,
    *,
    metadata: dict[str, str] | None = None,
) -> None:
    """One row group a table. PLAIN and zstd: every reader of Parquet can read it."""
    stated = {"provenance": provenance.to_json(), **(metadata or {})}
    schema = schema.with_metadata(stated)
    dictionaries = [f.name for f in schema if pa.types.is_dictionary(f.type)]
    with (
        atomic_write(path) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd", use_dictionary=dictionaries) as writer,
    ):
        for table in tables:
            writer.write_table(table.replace_schema_metadata(stated), row_group_size=max(1, len(table)))


@contextlib.contextmanager
def report_table_errors(path: Path) -> Iterator[None]:
    """A table that is absent or broken ends in one line."""
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path}: no such table; make it first, or check the path") from None
    except (IsADirectoryError, PermissionError) as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError, OverflowError) as error:
        words = (str(error).splitlines() or ["empty"])[0]
        raise RefusedInput(f"{path}: not a table of this project ({words}); delete it to make it again") from None


def read_rows(path: Path) -> list[dict[str, Any]]:
    with report_table_errors(path):
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows


def read_rows_of_files(paths: Sequence[Path]) -> list[dict[str, Any]]:
    return [row for path in paths for row in read_rows(path)]


def read_parquet_provenance(path: Path) -> Provenance:
    with report_table_errors(path):
        return provenance_of(pq.read_schema(path).metadata)


def provenance_of(metadata: Mapping[bytes, bytes]) -> Provenance:
    """From a schema's metadata; format 1 called the key `record`."""
    return Provenance.from_json(metadata.get(PROVENANCE_KEY, metadata.get(b"record", b"{}")).decode())
