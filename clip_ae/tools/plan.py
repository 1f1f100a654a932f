"""Say what a target will cost before anything starts: jobs, hours, disk, by earlier jobs here where there are any."""

import contextlib
import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from clip_ae.core import paths
from clip_ae.core.config.schema import Config, Dataset
from clip_ae.core.config.stages import STAGES, find_output
from clip_ae.core.sharding import assign_shard, parse_shard_name
from clip_ae.data import source_folder
from clip_ae.data.annotations import read_annotation_facts
from clip_ae.data.parquet import read_rows
from clip_ae.pages.text_table import align_table
from clip_ae.workflow import costs
from clip_ae.workflow.config_files import load_project_config
from clip_ae.workflow.job_summary import list_outputs

# A video of which nothing is known but its size: bytes for a second, as 480x360 H.264 has them.
BYTES_PER_SECOND = 100_000
HOUR, DAY, GB = 3600.0, 86400.0, 1e9
# Stages that share the place of another's outputs come last.
RULE_ORDER = (*STAGES, "extract_tuned")


@dataclass(frozen=True)
class Job:
    """One that would run: its rule, and what the path of its main output says."""

    rule: str
    wildcards: Mapping[str, str]

    @property
    def wildcard_parts(self) -> list[str]:
        return [self.wildcards[name] for name in ("stream", "run") if name in self.wildcards]

    @property
    def kind(self) -> str:
        return " ".join([self.rule, *self.wildcard_parts])

    @property
    def benchmark_paths(self) -> list[Path]:
        """Snakemake's benchmark files of its kind: of other shards of a stream, other rounds and seeds of a run."""
        places = {"pretrain": "pretrained", "weights": "weights"}
        folder = Path("results", self.wildcards.get("dataset", places.get(self.rule, "")), "benchmarks")
        return [*folder.glob(f"{self.rule}.tsv"), *folder.joinpath(self.rule, *self.wildcard_parts).rglob("*.tsv")]


@dataclass
class Cost:
    jobs: int = 0
    seconds: float = 0.0
    bytes: float = 0.0
    measured_jobs: int = 0


def run(
    target: Annotated[str, "what to make, as in results/thumos14_map.json"],
    *,
    cores: Annotated[int, "cores to be used at a time"] = 2,
    configfile: Annotated[tuple[Path, ...], "own config files, as for snakemake --configfile"] = (),
) -> None:
    config = load_project_config(Path(), configfile)
    found = list_jobs(target, configfile)
    named = {job.wildcards["dataset"] for job in found if "dataset" in job.wildcards}
    videos = {name: read_durations(config.datasets[name], name) for name in named}
    past = PastJobs()
    total: dict[str, Cost] = defaultdict(Cost)
    for job in found:
        cost = total[job.kind]
        seconds, known = past.mean_seconds(job), True
        if seconds is None:
            seconds, known = estimate_seconds(config, job, videos), False
        cost.jobs += 1
        cost.seconds += seconds
        cost.bytes += estimate_bytes(config, job, videos)
        cost.measured_jobs += known
    print("\n".join(_table(total)) if found else "nothing to do")
    if found:
        _sum_up(total, config.torch_threads, cores)


def list_jobs(target: str, configfile: Sequence[Path] = ()) -> list[Job]:
    """What Snakemake would run for a target, one entry a job."""
    jobs: dict[tuple[str, ...], Job] = {}
    for output in list_outputs([target], configfile):
        wildcards = _wildcards(output.path)
        # A job has several outputs; at least one of them belongs to a declared stage.
        if output.is_pending and wildcards is not None:
            jobs.setdefault((output.rule, *wildcards.values()), Job(output.rule, wildcards))
    return list(jobs.values())


def _wildcards(path: str) -> Mapping[str, str] | None:
    output = find_output(path)
    return output[1] if output else None


def read_durations(dataset: Dataset, name: str) -> dict[str, float]:
    """Seconds of every video: as probed, as annotated, or guessed by its size."""
    table = Path(paths.VIDEOS.format(dataset=name))
    if table.is_file():
        return {row["video_id"]: row["duration"] for row in read_rows(table)}
    if not dataset.videos_dir:
        return {}
    facts = read_annotation_facts(Path(dataset.annotations)) if dataset.annotations else {}
    listed = source_folder.list_videos(Path(dataset.videos_dir))
    stated = {i: facts[i][1] if i in facts else None for i in listed}
    return {
        i: stated[i] or (Path(dataset.videos_dir) / path).stat().st_size / BYTES_PER_SECOND
        for i, path in listed.items()
    }


class PastJobs:
    """What jobs of the same kind took here."""

    def __init__(self) -> None:
        self.seconds_by_kind: dict[tuple[str, str], list[float]] = {}

    def mean_seconds(self, job: Job) -> float | None:
        key = (job.kind, job.wildcards.get("dataset", ""))
        if key not in self.seconds_by_kind:
            self.seconds_by_kind[key] = [seconds for path in job.benchmark_paths for seconds in _seconds(path)]
        times = self.seconds_by_kind[key]
        return sum(times) / len(times) if times else None


def _seconds(path: Path) -> Iterator[float]:
    """None where the job was killed as it wrote them."""
    with path.open(newline="", encoding="utf-8") as file, contextlib.suppress(ValueError, KeyError, TypeError):
        yield from [float(row["s"]) for row in csv.DictReader(file, delimiter="\t")]


def estimate_seconds(config: Config, job: Job, videos: Mapping[str, Mapping[str, float]]) -> float:
    wildcards = job.wildcards
    dataset = config.datasets.get(wildcards.get("dataset", ""))
    if dataset is None:
        return costs.STARTUP_SECONDS
    if job.rule == "probe":
        return costs.STARTUP_SECONDS + costs.PROBE_SECONDS * _hours(job, videos)
    if job.rule in ("extract", "extract_tuned"):
        snippets = _hours(job, videos) * HOUR / dataset.grid.stride_s
        return costs.STARTUP_SECONDS + snippets * costs.estimate_snippet_seconds(dataset, wildcards["stream"])
    if job.rule == "train":
        method = config.runs[wildcards["run"]].method
        return costs.STARTUP_SECONDS + dataset.training.steps * costs.estimate_step_seconds(method, dataset.training)
    return costs.STARTUP_SECONDS


def estimate_bytes(config: Config, job: Job, videos: Mapping[str, Mapping[str, float]]) -> float:
    """Bytes of features, which is what counts; an index holds CLIP's once more, or points of as many numbers."""
    if job.rule not in ("extract", "extract_tuned", "import_features", "index"):
        return 0.0
    dataset = config.datasets[job.wildcards["dataset"]]
    snippets = _hours(job, videos) * HOUR / dataset.grid.stride_s
    return snippets * costs.FEATURE_DIMS[job.wildcards.get("stream", "clip")] * costs.BYTES_PER_VALUE


def _hours(job: Job, videos: Mapping[str, Mapping[str, float]]) -> float:
    """Of video in the job's shard, or in all."""
    known = videos.get(job.wildcards["dataset"], {})
    if "shard" not in job.wildcards:
        return sum(known.values()) / HOUR
    index, shards = parse_shard_name(job.wildcards["shard"])
    return sum(seconds for i, seconds in known.items() if assign_shard(i, shards) == index) / HOUR


def _table(total: Mapping[str, Cost]) -> list[str]:
    kinds = sorted(total, key=lambda kind: RULE_ORDER.index(kind.split()[0]))
    rows = [
        [kind, str(c.jobs), f"{c.seconds / HOUR:.2f}", f"{c.bytes / GB:.2f}", _source(c)]
        for kind, c in ((kind, total[kind]) for kind in kinds)
    ]
    return align_table([["stage", "jobs", "hours", "GB", "by"], *rows])


def _source(cost: Cost) -> str:
    return (
        "earlier jobs here"
        if cost.measured_jobs == cost.jobs
        else "measured rates"
        if not cost.measured_jobs
        else "both"
    )


def _sum_up(total: Mapping[str, Cost], threads: int, cores: int) -> None:
    seconds = sum(c.seconds for c in total.values())
    number = sum(c.jobs for c in total.values())
    at_once = max(1, cores // threads)
    print(
        f"{number} jobs, {_span(seconds)} of work, {_span(seconds / at_once)} with {at_once} at a time; "
        f"{sum(c.bytes for c in total.values()) / GB:.1f} GB of features"
    )


def _span(seconds: float) -> str:
    return f"{seconds / DAY:.1f} days" if seconds > 2 * DAY else f"{seconds / HOUR:.1f} hours"
