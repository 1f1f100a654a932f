"""What a run of the workflow prints: why each rule runs, and one line for each job that has ended.

The jobs' own output is in their log files. common.smk puts RunLogFilter before Snakemake's own lines on the terminal;
its complete log in .snakemake/log stays as it is.
"""

import logging
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clip_ae.core.errors import make_printable
from clip_ae.core.progress import WARNING_PREFIX

# Snakemake's reasons for a job, in the order in which they are named, and what they mean.
REASONS = {
    "Forced execution": "forced",
    "Missing output files": "missing",
    "Incomplete output files": "not finished",
    "Code has changed": "its code has changed",
    "Params have changed": "its part of the config has changed",
    "Set of input files has changed": "it has other input files",
    "Software environment definition has changed": "its software environment has changed",
    "Updated input files": "newer input",
}
MADE_AGAIN = "its input is made again"
# Rows of Snakemake's table of jobs that do nothing: its sum, and the rule that only names targets.
NOT_JOBS = ("total", "all")
# Reasons whose first file is shown.
WITH_FILE = ("Missing output files", "Incomplete output files", "Updated input files")
# Seconds between two reports on the jobs that are running. Shorter jobs are never reported.
REPORT_INTERVAL_S = 60.0
# The end of a log file is enough: a line of ours is shorter.
TAIL_BYTES = 20_000
MAX_WIDTH = 160
OWN_ERROR = "clip-ae: "
# The name of Snakemake's handler for the terminal.
SNAKEMAKE_HANDLER = "DefaultStreamHandler"
# The table at the end of a dry run, which print_plan replaces.
REASONS_TABLE = "Reasons:"
# The beginning of a message with the whole command of a failed job; RunLog.fail says why it failed.
FAILED_COMMAND = "RuleException:"
# Beginnings of messages that are the same in every run.
UNIMPORTANT = (
    "Assuming unrestricted",
    "Building DAG",
    "Conda environments: ignored",
    "Select jobs",
    "Using shell",
    "host: ",
)


@dataclass(frozen=True)
class RunningJob:
    """A job that has been started."""

    label: str
    log: Path
    start: float


@dataclass
class RunLog:
    """Turns Snakemake's events into lines for `write`."""

    write: Callable[[str], None]
    dry_run: bool = False
    clock: Callable[[], float] = time.monotonic
    running: dict[int, RunningJob] = field(default_factory=dict)
    jobs_by_rule: Mapping[str, int] = field(default_factory=dict)
    num_ended: int = 0
    explained: dict[str, str] = field(default_factory=dict)
    planned: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def plan(self, jobs_by_rule: Mapping[str, int]) -> None:
        """The number of jobs of each rule, before the first starts."""
        self.jobs_by_rule = {name: count for name, count in jobs_by_rule.items() if name not in NOT_JOBS}

    def start(self, job_id: int, rule: str, wildcards: Mapping[str, str], reason: str, logs: Sequence[str]) -> None:
        """A job starts, or would start in a dry run. A rule without a log only names targets."""
        if not logs:
            return
        if rule not in self.explained:
            self.explained[rule] = explain_reason(reason)
            if not self.dry_run:
                count = self.jobs_by_rule.get(rule, 1)
                self.print(f"{rule}, {count} job{'s' if count > 1 else ''}: {self.explained[rule]}")
        self.planned[rule] += 1
        label = " ".join([rule, *(format_wildcard(*item) for item in wildcards.items())])
        with self.lock:
            self.running[job_id] = RunningJob(label, Path(logs[0]), self.clock())

    def end(self, job_id: int) -> None:
        """A job has ended well: its time, the last line of its log, and its warnings."""
        with self.lock:
            job = self.running.pop(job_id, None)
        if job is None or self.dry_run:
            return
        self.num_ended += 1
        lines = read_last_lines(job.log)
        warnings = [line for line in lines if line.startswith(WARNING_PREFIX)]
        others = [line for line in lines if not line.startswith(WARNING_PREFIX)]
        result = f": {others[-1]}" if others else ""
        total = sum(self.jobs_by_rule.values())
        self.print(f"[{self.num_ended}/{total}] {job.label}, {self.clock() - job.start:.1f} s{result}")
        for line in warnings:
            self.print(f"    {line}")

    def fail(self, job_id: int, rule: str, logs: Sequence[str]) -> None:
        """A job has failed: the line that says why, or the end of its traceback, and where the rest is."""
        with self.lock:
            job = self.running.pop(job_id, None)
        label = job.label if job else rule
        lines = read_last_lines(Path(logs[0])) if logs else []
        own_errors = [line for line in lines if line.startswith(OWN_ERROR)]
        reason = own_errors[-1:] or lines[-1:] or ["it wrote no line"]
        self.print(f"{label} failed: {reason[0].removeprefix(OWN_ERROR)}", cut=False)
        if logs:
            self.print(f"    its log: {logs[0]}", cut=False)

    def report(self) -> None:
        """What the long jobs are doing: the last line of their logs."""
        with self.lock:
            jobs = [job for job in self.running.values() if self.clock() - job.start >= REPORT_INTERVAL_S]
        for job in jobs:
            lines = read_last_lines(job.log) or ["started"]
            self.print(f"    {job.label}: {lines[-1]}")

    def print_plan(self) -> None:
        """The end of a dry run: each rule with its number of jobs and its reason."""
        for rule, count in self.planned.items():
            self.print(f"{count:6}  {rule}: {self.explained[rule]}")
        self.print(f"{self.planned.total():6}  jobs in all")

    def print(self, line: str, cut: bool = True) -> None:
        printable = make_printable(line)
        self.write(printable[:MAX_WIDTH] if cut else printable)


def explain_reason(reason: str) -> str:
    """Snakemake's reason for a job in a few words, without its long lists of files."""
    return ", ".join(_find_reasons(reason)) or MADE_AGAIN


def _find_reasons(reason: str) -> Iterator[str]:
    for phrase, meaning in REASONS.items():
        found = re.search(rf"(?:^|; |\(was: ){phrase}[^;:]*(?:: (?P<file>[^,;)]+))?", reason)
        if found:
            file = found["file"] if phrase in WITH_FILE else None
            yield f"{meaning} ({file})" if file else meaning


def format_wildcard(name: str, value: str) -> str:
    """A wildcard as it reads best: numbers with their name."""
    return f"{name} {value}" if value.isdigit() else value


def read_last_lines(path: Path) -> list[str]:
    """The lines at the end of a log file; none if it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    return [line.rstrip() for line in text.splitlines() if line.strip()]


class RunLogFilter(logging.Filter):
    """Replaces what Snakemake prints about jobs by the lines of a RunLog; other messages pass."""

    def __init__(self, run_log: RunLog) -> None:
        super().__init__()
        self.log = run_log

    def filter(self, record: logging.LogRecord) -> bool:
        # Equal to Snakemake's LogEvent, an enum of strings.
        event, facts = getattr(record, "event", None), vars(record)
        if event is None or event == "error":
            return self._is_shown(record)
        if event == "run_info":
            self.log.plan(facts["stats"])
        elif event == "job_info":
            wildcards = dict(facts["wildcards"] or {})
            self.log.start(facts["jobid"], facts["rule_name"], wildcards, facts["reason"], facts["log"])
        elif event == "job_finished":
            self.log.end(facts["job_id"])
        elif event == "job_error":
            self.log.fail(facts["jobid"], facts["rule_name"], facts["log"])
        return False

    def _is_shown(self, record: logging.LogRecord) -> bool:
        message = str(record.getMessage())
        if message.startswith(REASONS_TABLE):
            self.log.print_plan()
        if message.startswith(FAILED_COMMAND):
            return False
        return record.levelno > logging.INFO or not message.startswith((REASONS_TABLE, *UNIMPORTANT))


def shorten_run_log(logger: logging.Logger, dry_run: bool) -> None:
    """Print the lines of a RunLog in place of Snakemake's on the terminal."""
    handlers = [handler for handler in logger.handlers if handler.name == SNAKEMAKE_HANDLER]
    for handler in handlers:
        log = RunLog(_print_to_stderr, dry_run)
        handler.filters.insert(0, RunLogFilter(log))
        threading.Thread(target=_report_regularly, args=(log,), daemon=True).start()


def _report_regularly(log: RunLog) -> None:
    while True:
        time.sleep(REPORT_INTERVAL_S)
        log.report()


def _print_to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
