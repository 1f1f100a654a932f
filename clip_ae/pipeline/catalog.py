"""Join all shards' tables: every video with its subset, and every failure."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clip_ae.core.config.dataclass_config import to_canonical_json
from clip_ae.core.config.specs import CatalogSpec
from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.core.provenance import digest, digest_ids, make_provenance
from clip_ae.core.sharding import list_shard_names
from clip_ae.core.types import Failure, VideoInfo
from clip_ae.data.annotations import read_annotation_facts
from clip_ae.data.parquet import FAILURES_SCHEMA, VIDEOS_SCHEMA, read_parquet_provenance, read_rows_of_files, write_rows

MISSING_MESSAGE = "annotated, but no such video is there"
# A video's length may differ from the annotated one by so many seconds, and by this share of it.
MAX_LENGTH_DIFF_S, MAX_LENGTH_DIFF_SHARE = 2.0, 0.02
# Kinds of failure that leave what could be read in use.
USABLE_FAILURES = {"partial", "length", "not-finite"}


def build_catalog(
    spec: CatalogSpec,
    *,
    probe: Path,
    failures: Path,
    shards: int,
    streams: str,
    out: Path,
    failures_out: Path,
    annotations: Path | None = None,
) -> None:
    """Write the dataset's table of videos and its table of failures."""
    tables = _shards(probe, shards)
    reports = {part: _shards(failures / part, shards) for part in ("probe", *streams.split(","))}
    facts = read_annotation_facts(annotations) if annotations else {}
    subsets = {video_id: subset for video_id, (subset, _) in facts.items()}
    found = {row["video_id"]: row | {"subset": subsets.get(row["video_id"], "")} for row in read_rows_of_files(tables)}
    absent = _absent(spec, found, subsets)
    if annotations and not any(row["subset"] for row in found.values()):
        raise UserError(
            f"{annotations}: names none of the {len(found)} videos; ids are file names without suffix, "
            f"and it speaks of '{min(subsets)}' where the folder has '{min(found, default='')}'"
        )
    inputs = {"probe": _joined(tables), "annotation_facts": digest(to_canonical_json(facts))}
    inputs |= {f"failures/{part}": _joined(paths) for part, paths in reports.items()}
    record = make_provenance("catalog", spec, inputs)
    lost = [vars(Failure(row["video_id"], "catalog", "missing", MISSING_MESSAGE)) for row in absent]
    odd = [vars(failure) for failure in _of_other_length(found, {i: d for i, (_, d) in facts.items() if d})]
    told = [row for paths in reports.values() for row in read_rows_of_files(paths)]
    everything = sorted([*told, *lost, *odd], key=lambda row: (row["video_id"], row["stage"], row["kind"]))
    videos = sorted([*found.values(), *absent], key=lambda row: row["video_id"])
    _check_share(spec.max_failures, videos, everything, failures)
    write_rows(out, VIDEOS_SCHEMA, videos, record)
    write_rows(failures_out, FAILURES_SCHEMA, everything, record)


def _absent(spec: CatalogSpec, found: Mapping[str, Any], subsets: Mapping[str, str]) -> list[dict[str, Any]]:
    """Rows for the videos that training or testing asks for and nobody has."""
    wanted = (spec.train_subset, spec.test_subset)
    return [
        vars(VideoInfo(video_id, path="", status="missing", reason=MISSING_MESSAGE)) | {"subset": subset}
        for video_id, subset in subsets.items()
        if subset in wanted and video_id not in found
    ]


def _of_other_length(found: Mapping[str, Any], annotated: Mapping[str, float]) -> Iterator[Failure]:
    """Another cut of a video, or features of another one: its segments would lie in the wrong places."""
    for video_id, row in found.items():
        length = annotated.get(video_id)
        if (
            row["status"] == "ok"
            and length
            and abs(row["duration"] - length) > MAX_LENGTH_DIFF_S + MAX_LENGTH_DIFF_SHARE * length
        ):
            message = f"is {row['duration']:.1f} s long, the annotations say {length:.1f} s"
            yield Failure(video_id, "catalog", "length", message)


def _check_share(allowed: float, videos: list[dict[str, Any]], failures: list[dict[str, Any]], folder: Path) -> None:
    """Refuse a dataset of which more is lost than allowed. The message tells what: no table outlives a failed job."""
    gone = {row["video_id"] for row in videos if row["status"] == "failed"}
    lost = {f["video_id"]: f["kind"] for f in failures if f["video_id"] in gone or f["kind"] not in USABLE_FAILURES}
    if videos and len(lost) / len(videos) > allowed:
        kinds = ", ".join(f"{kind} {count}" for kind, count in Counter(lost.values()).most_common())
        raise RefusedInput(
            f"{len(lost)} of {len(videos)} videos failed ({kinds}), more than max_failures {allowed:g} allows; "
            f"the tables in {folder} say why; mend the videos or raise the dataset's max_failures"
        )


def _shards(folder: Path, shards: int) -> list[Path]:
    paths = [folder / f"{name}.parquet" for name in list_shard_names(shards)]
    for path in paths:
        if not path.is_file():
            raise UserError(f"{path}: no such table; make all {shards} shards first")
    return paths


def _joined(paths: list[Path]) -> str:
    return digest_ids(read_parquet_provenance(path).id for path in paths)
