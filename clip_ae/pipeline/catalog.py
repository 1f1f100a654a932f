"""Join the tables of all shards: every video with its subset, and every failure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clip_ae.core.config.dataclass_config import to_canonical_json
from clip_ae.core.config.specs import CatalogSpec
from clip_ae.core.errors import RefusedInput, UserError
from clip_ae.core.progress import log_warning
from clip_ae.core.provenance import digest, digest_ids, make_provenance
from clip_ae.core.sharding import list_shard_names
from clip_ae.core.types import Failure, VideoInfo
from clip_ae.data.annotations import read_annotation_facts
from clip_ae.data.parquet import FAILURES_SCHEMA, VIDEOS_SCHEMA, read_parquet_provenance, read_rows_of_files, write_rows
from clip_ae.pipeline.length_check import compare_lengths, describe_differences, make_length_failure

MISSING_MESSAGE = "annotated, but the video is missing"
# Kinds of failure after which the rest of the video is still used.
USABLE_FAILURES = {"partial", "length", "not-finite"}
Row = Mapping[str, Any]


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
    probe_tables = _list_shard_tables(probe, shards)
    failure_tables = {part: _list_shard_tables(failures / part, shards) for part in ("probe", *streams.split(","))}
    facts = read_annotation_facts(annotations) if annotations else {}
    subsets = {video_id: subset for video_id, (subset, _) in facts.items()}
    present = {
        row["video_id"]: row | {"subset": subsets.get(row["video_id"], "")} for row in read_rows_of_files(probe_tables)
    }
    if annotations:
        _check_ids(annotations, present, subsets)
    inputs = {"probe": _digest_tables(probe_tables), "annotation_facts": digest(to_canonical_json(facts))}
    inputs |= {f"failures/{part}": _digest_tables(paths) for part, paths in failure_tables.items()}
    provenance = make_provenance("catalog", spec, inputs)
    absent = _build_missing_rows(spec, present, subsets)
    lengths = compare_lengths(present, {video_id: duration for video_id, (_, duration) in facts.items() if duration})
    if differences := describe_differences(lengths):
        log_warning(differences)
    all_failures = [
        *(row for paths in failure_tables.values() for row in read_rows_of_files(paths)),
        *(vars(Failure(row["video_id"], "catalog", "missing", MISSING_MESSAGE)) for row in absent),
        *(vars(make_length_failure(video)) for video in lengths if not video.fits),
    ]
    all_failures.sort(key=lambda row: (row["video_id"], row["stage"], row["kind"]))
    videos = sorted([*present.values(), *absent], key=lambda row: row["video_id"])
    kinds = _find_failed_videos(videos, all_failures)
    _check_failed_share(spec.max_failures, len(videos), kinds, failures)
    write_rows(out, VIDEOS_SCHEMA, videos, provenance)
    write_rows(failures_out, FAILURES_SCHEMA, all_failures, provenance)
    if kinds:
        log_warning(f"{_count_kinds(kinds, len(videos))}; {failures_out} lists them")


def _check_ids(annotations: Path, present: Mapping[str, Row], subsets: Mapping[str, str]) -> None:
    if not any(row["subset"] for row in present.values()):
        raise UserError(
            f"{annotations}: names none of the {len(present)} videos. Ids are file names without suffix; "
            f"the annotations have '{min(subsets)}', the folder has '{min(present, default='')}'"
        )


def _build_missing_rows(
    spec: CatalogSpec, present: Mapping[str, Row], subsets: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Rows for the videos of the training and test subsets that are missing."""
    wanted_subsets = (spec.train_subset, spec.test_subset)
    return [
        vars(VideoInfo(video_id, path="", status="missing", reason=MISSING_MESSAGE)) | {"subset": subset}
        for video_id, subset in subsets.items()
        if subset in wanted_subsets and video_id not in present
    ]


def _find_failed_videos(videos: Sequence[Row], failures: Sequence[Row]) -> dict[str, str]:
    """The kind of failure of each video that is not used, by id."""
    failed_ids = {row["video_id"] for row in videos if row["status"] == "failed"}
    return {
        f["video_id"]: f["kind"] for f in failures if f["video_id"] in failed_ids or f["kind"] not in USABLE_FAILURES
    }


def _check_failed_share(max_failures: float, num_videos: int, kinds: Mapping[str, str], failures_dir: Path) -> None:
    """Refuse a dataset in which the share of failed videos exceeds `max_failures`.

    The message counts the kinds of failure, because Snakemake deletes the tables of a failed job.
    """
    if num_videos and len(kinds) / num_videos > max_failures:
        raise RefusedInput(
            f"{_count_kinds(kinds, num_videos)}, more than max_failures {max_failures:g} allows; "
            f"the tables in {failures_dir} say why; repair the videos or raise the dataset's max_failures"
        )


def _count_kinds(kinds: Mapping[str, str], num_videos: int) -> str:
    counts = ", ".join(f"{kind} {count}" for kind, count in Counter(kinds.values()).most_common())
    return f"{len(kinds)} of {num_videos} videos failed ({counts})"


def _list_shard_tables(folder: Path, shards: int) -> list[Path]:
    paths = [folder / f"{name}.parquet" for name in list_shard_names(shards)]
    for path in paths:
        if not path.is_file():
            raise UserError(f"{path}: missing; write all {shards} shards first")
    return paths


def _digest_tables(paths: Sequence[Path]) -> str:
    return digest_ids(read_parquet_provenance(path).id for path in paths)
