"""Estimate the cost of a target before anything starts: jobs, hours, disk space; from earlier jobs here if possible."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from clip_ae.core import paths
from clip_ae.core.config.schema import Config, Dataset
from clip_ae.core.config.stages import STAGES, find_output
from clip_ae.core.machine_rates import MachineRates
from clip_ae.core.sharding import assign_shard, parse_shard_name
from clip_ae.data import source_folder
from clip_ae.data.annotations import read_annotation_facts
from clip_ae.data.benchmark_times import read_seconds
from clip_ae.data.parquet import read_rows
from clip_ae.pages.text_table import align_table
from clip_ae.workflow import costs
from clip_ae.workflow.config_files import load_project_config
from clip_ae.workflow.job_summary import list_outputs

# Bytes per second of 480x360 H.264 video: estimates the duration if only the file size is known.
BYTES_PER_SECOND = 100_000
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
MB, GB = 1e6, 1e9
# The order of the table; extract_tuned is a rule of the stage extract.
RULE_ORDER = (*STAGES, "extract_tuned")


@dataclass(frozen=True)
class Job:
    """A job that would run: its rule, and the wildcards of its main output's path."""

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
        """Snakemake's benchmark files of jobs of this kind: shards of a stream, rounds and seeds of a run."""
        folder_by_rule = {"pretrain": "pretrained", "weights": "weights"}
        folder = Path("results", self.wildcards.get("dataset", folder_by_rule.get(self.rule, "")), "benchmarks")
        return [*folder.glob(f"{self.rule}.tsv"), *folder.joinpath(self.rule, *self.wildcard_parts).rglob("*.tsv")]


@dataclass
class Cost:
    jobs: int = 0
    seconds: float = 0.0
    bytes: float = 0.0
    measured_jobs: int = 0


def run(
    target: Annotated[str, "output to plan, such as results/thumos14_map.json"],
    *,
    cores: Annotated[int, "number of CPU cores to use"] = 2,
    configfile: Annotated[tuple[Path, ...], "additional config files, as for snakemake --configfile"] = (),
) -> None:
    config = load_project_config(Path(), configfile)
    jobs = list_jobs(target, configfile)
    if not jobs:
        print("nothing to do")
        return
    past = PastJobs()
    is_known = all(past.mean_seconds(job) is not None for job in jobs)
    rates = None if is_known else _measure_rates(config.torch_threads)
    costs_by_kind = _estimate_costs(config, jobs, past, rates)
    print("\n".join(_table(costs_by_kind)))
    if rates:
        print(
            f"measured rates: of a matrix product on this machine with {config.torch_threads} threads, "
            f"{rates.fp32:.0f} GFLOP/s in fp32, {rates.bf16:.0f} in bf16"
        )
    for line in _describe_downloads(config, jobs):
        print(line)
    print(_summary(costs_by_kind.values(), config.torch_threads, cores))


def _measure_rates(threads: int) -> MachineRates:
    # Loads torch, which a plan from earlier jobs does not need.
    from clip_ae.encoders.matrix_rates import measure_rates

    return measure_rates(threads)


def _describe_downloads(config: Config, jobs: Sequence[Job]) -> Iterator[str]:
    """What the jobs download: the sum, then each file. A library's own cache may have some of them already."""
    names = [job.wildcards["name"] for job in jobs if job.rule == "weights"]
    downloads = [(name, config.weights[name]) for name in names if config.weights[name].is_download]
    if downloads:
        total = sum(weights.size_mb or 0 for _, weights in downloads)
        unknown = "" if all(weights.size_mb for _, weights in downloads) else ", and files of unknown size"
        yield (
            f"to download: {total} MB{unknown}; without a network, get the files and set weights.NAME.source to "
            "their paths"
        )
    for name, weights in downloads:
        yield f"  weights.{name}: {weights.source}{f', {weights.size_mb} MB' if weights.size_mb else ''}"


def _estimate_costs(
    config: Config, jobs: Sequence[Job], past: "PastJobs", rates: MachineRates | None
) -> dict[str, Cost]:
    """The cost of all jobs of each kind: the mean time of earlier jobs of the kind, or else an estimate."""
    names = {job.wildcards["dataset"] for job in jobs if "dataset" in job.wildcards}
    videos = {name: read_durations(config.datasets[name], name) for name in names}
    costs_by_kind: dict[str, Cost] = defaultdict(Cost)
    for job in jobs:
        cost = costs_by_kind[job.kind]
        measured_seconds = past.mean_seconds(job)
        cost.jobs += 1
        if measured_seconds is not None:
            cost.seconds += measured_seconds
        elif rates:
            cost.seconds += estimate_seconds(config, job, videos, rates)
        cost.bytes += estimate_bytes(config, job, videos)
        cost.measured_jobs += measured_seconds is not None
    return costs_by_kind


def list_jobs(target: str, configfile: Sequence[Path] = ()) -> list[Job]:
    """The jobs that Snakemake would run for a target."""
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
    """Duration of each video in seconds: probed, annotated, or estimated from its file size."""
    table = Path(paths.VIDEOS.format(dataset=name))
    if table.is_file():
        return {row["video_id"]: row["duration"] for row in read_rows(table)}
    if not dataset.videos_dir:
        return {}
    facts = read_annotation_facts(Path(dataset.annotations)) if dataset.annotations else {}
    files = source_folder.list_videos(Path(dataset.videos_dir))
    annotated = {i: facts[i][1] if i in facts else None for i in files}
    return {
        i: annotated[i] or _get_size(Path(dataset.videos_dir) / path) / BYTES_PER_SECOND for i, path in files.items()
    }


def _get_size(path: Path) -> int:
    """Bytes of a file; 0 for a link to nothing, which probing will report."""
    return path.stat().st_size if path.exists() else 0


class PastJobs:
    """Run times of earlier jobs here, by kind and dataset."""

    def __init__(self) -> None:
        self.seconds_by_kind: dict[tuple[str, str], list[float]] = {}

    def mean_seconds(self, job: Job) -> float | None:
        key = (job.kind, job.wildcards.get("dataset", ""))
        if key not in self.seconds_by_kind:
            self.seconds_by_kind[key] = [seconds for path in job.benchmark_paths for seconds in read_seconds(path)]
        times = self.seconds_by_kind[key]
        return sum(times) / len(times) if times else None


def estimate_seconds(config: Config, job: Job, videos: Mapping[str, Mapping[str, float]], rates: MachineRates) -> float:
    wildcards = job.wildcards
    dataset = config.datasets.get(wildcards.get("dataset", ""))
    if dataset is None:
        return costs.STARTUP_SECONDS
    if job.rule == "probe":
        return costs.STARTUP_SECONDS + costs.PROBE_SECONDS * _hours(job, videos)
    if job.rule in ("extract", "extract_tuned"):
        snippets = _hours(job, videos) * HOUR / dataset.grid.stride_s
        return costs.STARTUP_SECONDS + snippets * costs.estimate_snippet_seconds(dataset, wildcards["stream"], rates)
    if job.rule == "train":
        method = config.runs[wildcards["run"]].method
        return costs.STARTUP_SECONDS + dataset.training.steps * costs.estimate_step_seconds(
            method, dataset.training, rates
        )
    return costs.STARTUP_SECONDS


def estimate_bytes(config: Config, job: Job, videos: Mapping[str, Mapping[str, float]]) -> float:
    """Bytes of features and of weights: other outputs are small. An index row is as long as a CLIP feature."""
    if job.rule == "weights":
        return (config.weights[job.wildcards["name"]].size_mb or 0) * MB
    if job.rule not in ("extract", "extract_tuned", "import_features", "index"):
        return 0.0
    dataset = config.datasets[job.wildcards["dataset"]]
    snippets = _hours(job, videos) * HOUR / dataset.grid.stride_s
    stream = job.wildcards.get("stream", dataset.vlp_stream or "")
    return snippets * costs.estimate_snippet_bytes(dataset, stream)


def _hours(job: Job, videos: Mapping[str, Mapping[str, float]]) -> float:
    """Hours of video in the job's shard, or in the whole dataset."""
    durations = videos.get(job.wildcards["dataset"], {})
    if "shard" not in job.wildcards:
        return sum(durations.values()) / HOUR
    index, shards = parse_shard_name(job.wildcards["shard"])
    return sum(seconds for i, seconds in durations.items() if assign_shard(i, shards) == index) / HOUR


def _table(costs_by_kind: Mapping[str, Cost]) -> list[str]:
    kinds = sorted(costs_by_kind, key=lambda kind: RULE_ORDER.index(kind.split()[0]))
    return align_table([["stage", "jobs", "time", "GB", "based on"], *(_row(k, costs_by_kind[k]) for k in kinds)])


def _row(kind: str, cost: Cost) -> list[str]:
    return [kind, str(cost.jobs), format_time(cost.seconds), f"{cost.bytes / GB:.2f}", _time_source(cost)]


def _time_source(cost: Cost) -> str:
    if cost.measured_jobs == cost.jobs:
        return "earlier jobs here"
    return "both" if cost.measured_jobs else "measured rates"


def _summary(costs_of_kinds: Iterable[Cost], threads: int, cores: int) -> str:
    total = list(costs_of_kinds)
    seconds = sum(cost.seconds for cost in total)
    num_parallel = max(1, cores // threads)
    return (
        f"{sum(cost.jobs for cost in total)} jobs, {format_time(seconds)} of work, "
        f"{format_time(seconds / num_parallel)} with {num_parallel} at a time; "
        f"{sum(cost.bytes for cost in total) / GB:.1f} GB of features and weights"
    )


def format_time(seconds: float) -> str:
    """A time in minutes below 2 hours, in hours up to 2 days, otherwise in days."""
    if seconds < 2 * HOUR:
        return f"{max(1.0, seconds / MINUTE):.0f} min"
    return f"{seconds / DAY:.1f} days" if seconds > 2 * DAY else f"{seconds / HOUR:.1f} hours"
