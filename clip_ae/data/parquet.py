"""Schemas of the Parquet tables; write and read tables with their provenance."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from clip_ae.core.errors import RefusedInput, UserError, describe_error
from clip_ae.core.files import atomic_write, refuse_special_file
from clip_ae.core.provenance import Provenance

PROVENANCE_KEY = b"provenance"
# What Arrow and the code that reads its columns raise on a broken or strange table.
TABLE_ERRORS = (
    *(pa.ArrowException, OSError, KeyError, TypeError, ValueError, OverflowError, AttributeError, RecursionError),
)
VIDEO_ID_FIELD = pa.field("video_id", pa.dictionary(pa.int32(), pa.string()), nullable=False)


def _required_fields(**types: pa.DataType) -> list[pa.Field]:
    return [pa.field(name, data_type, nullable=False) for name, data_type in types.items()]


_VIDEO_FIELDS = _required_fields(
    video_id=pa.string(), path=pa.string(), duration=pa.float64(), fps=pa.float64(), frames=pa.int64(),
    snippets=pa.int32(), width=pa.int32(), height=pa.int32(), has_audio=pa.bool_(), audio_rate=pa.int32(),
    audio_channels=pa.int32(), status=pa.string(), reason=pa.string(),
)  # fmt: skip
PROBE_SCHEMA = pa.schema(_VIDEO_FIELDS)
VIDEOS_SCHEMA = pa.schema([*_VIDEO_FIELDS, pa.field("subset", pa.string(), nullable=False)])
FAILURES_SCHEMA = pa.schema(
    _required_fields(video_id=pa.string(), stage=pa.string(), kind=pa.string(), message=pa.string())
)
LABELS_SCHEMA = pa.schema(
    _required_fields(
        video_id=pa.string(), cluster=pa.int32(), label=pa.string(), segments=pa.list_(pa.list_(pa.float64()))
    )
)
CURVES_SCHEMA = pa.schema(
    [*_required_fields(video_id=pa.string(), snippet=pa.int32(), attention=pa.float32()),
     pa.field("activation", pa.map_(pa.string(), pa.float32()), nullable=False)]
)  # fmt: skip


def write_rows(
    path: Path, schema: pa.Schema, rows: Iterable[Any], provenance: Provenance, metadata: dict[str, str] | None = None
) -> None:
    """Write dataclasses or dicts as the rows of a table, in their order."""
    dicts = [row if isinstance(row, dict) else asdict(row) for row in rows]
    with open_table_writer(path, schema, provenance, metadata) as write_table:
        write_table(pa.Table.from_pylist(dicts, schema=schema))


@contextlib.contextmanager
def open_table_writer(
    path: Path, schema: pa.Schema, provenance: Provenance, metadata: dict[str, str] | None = None
) -> Iterator[Callable[[pa.Table], None]]:
    """Yield a function that appends a table as one row group; the file is complete when the block ends.

    PLAIN encoding and zstd: all Parquet readers can read it.
    """
    file_metadata = {"provenance": provenance.to_json(), **(metadata or {})}
    schema = schema.with_metadata(file_metadata)
    dictionaries = [f.name for f in schema if pa.types.is_dictionary(f.type)]
    with (
        atomic_write(path) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd", use_dictionary=dictionaries) as writer,
    ):
        yield lambda table: writer.write_table(
            table.replace_schema_metadata(file_metadata), row_group_size=max(1, len(table))
        )


@contextlib.contextmanager
def report_table_errors(path: Path) -> Iterator[None]:
    """Turn the errors of a missing or broken table into an error of one line."""
    refuse_special_file(path)
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path}: no such table; make it first, or check the path") from None
    except (IsADirectoryError, PermissionError) as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except TABLE_ERRORS as error:
        advice = "copy it again, or delete it if a job makes it"
        raise RefusedInput(f"{path}: not a table of this project ({describe_error(error)}); {advice}") from None


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a table as dicts, in file order."""
    with report_table_errors(path):
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows


def release_unused_memory() -> None:
    """Return to the system what Arrow keeps for later tables: up to half of the memory after a very long video."""
    pa.default_memory_pool().release_unused()


def read_rows_of_files(paths: Sequence[Path]) -> list[dict[str, Any]]:
    return [row for path in paths for row in read_rows(path)]


def read_parquet_provenance(path: Path) -> Provenance:
    with report_table_errors(path):
        return provenance_of(pq.read_schema(path).metadata)


def provenance_of(metadata: Mapping[bytes, bytes]) -> Provenance:
    """Return the provenance from a schema's metadata. Format 1 used the key `record`."""
    return Provenance.from_json(metadata.get(PROVENANCE_KEY, metadata.get(b"record", b"{}")).decode())
