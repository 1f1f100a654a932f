"""What a run of the workflow prints: a line for each rule with its reason, and one for each job."""

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clip_ae.workflow.run_log import (
    MAX_WIDTH,
    REPORT_INTERVAL_S,
    RunLog,
    RunLogFilter,
    explain_reason,
    read_last_lines,
    shorten_run_log,
)

MISSING = "Missing output files: results/a, results/b; Input files updated by another job: results/c"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def run() -> SimpleNamespace:
    """A RunLog whose clock and lines a test sees."""
    clock, lines = Clock(), []
    return SimpleNamespace(clock=clock, lines=lines, log=RunLog(lines.append, clock=clock))


def test_a_rule_is_explained_once_and_each_job_has_one_line(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "job.log"
    path.write_text("first line\nwarning: 1 of 2 videos failed\nrgb: 5/5 snippets\n\n")
    run.log.plan({"extract": 2, "all": 1, "total": 3})
    for number, shard in enumerate(("0000-of-0002", "0001-of-0002")):
        run.log.start(number, "extract", {"dataset": "demo", "stream": "rgb", "shard": shard}, MISSING, [str(path)])
    run.log.start(9, "all", {}, MISSING, [])
    run.clock.now = 2.0
    for number in (0, 1, 9):
        run.log.end(number)
    assert run.lines == [
        "extract, 2 jobs: missing (results/a)",
        "[1/2] extract demo rgb 0000-of-0002, 2.0 s: rgb: 5/5 snippets",
        "    warning: 1 of 2 videos failed",
        "[2/2] extract demo rgb 0001-of-0002, 2.0 s: rgb: 5/5 snippets",
        "    warning: 1 of 2 videos failed",
    ]


def test_numbers_are_printed_with_their_name_and_jobs_without_a_line_too(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "empty.log"
    path.touch()
    run.log.plan({"train": 1})
    run.log.start(3, "train", {"dataset": "demo", "seed": "0", "round": "2"}, "Forced execution", [str(path)])
    run.log.end(3)
    assert run.lines == ["train, 1 job: forced", "[1/1] train demo seed 0 round 2, 0.0 s"]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("started\nclip-ae: videos: no such folder; check the path\n", "videos: no such folder; check the path"),
        ("clip-ae: a: broken\nsomething else\n", "a: broken"),
        ("Traceback (most recent call last):\n  File x\nKeyError: 'rgb'\n", "KeyError: 'rgb'"),
        ("", "it wrote no line"),
    ],
)
def test_a_failed_job_says_why_and_where_its_log_is(run: Any, tmp_path: Path, written: str, shown: str) -> None:
    path = tmp_path / "job.log"
    path.write_text(written)
    run.log.start(1, "probe", {"dataset": "mine"}, MISSING, [str(path)])
    run.log.fail(1, "probe", [str(path)])
    assert run.lines[1:] == [f"probe mine failed: {shown}", f"    its log: {path}"]


def test_errors_are_whole_and_results_are_cut(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "job.log"
    path.write_text("clip-ae: " + "x" * 500)
    run.log.start(1, "probe", {}, MISSING, [str(path)])
    run.log.fail(1, "probe", [str(path)])
    run.log.start(2, "probe", {}, MISSING, [str(path)])
    run.log.end(2)
    assert "x" * 500 in run.lines[1]
    assert len(run.lines[3]) == MAX_WIDTH


def test_control_characters_of_a_job_do_not_reach_the_terminal(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "job.log"
    path.write_bytes(b"\x1b[31mred\xff\n")
    run.log.start(1, "probe", {}, MISSING, [str(path)])
    run.log.end(1)
    assert "\x1b" not in run.lines[1]


def test_long_jobs_are_reported_with_their_last_line(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "job.log"
    run.log.start(1, "extract", {"dataset": "demo"}, MISSING, [str(path)])
    run.log.report()
    run.clock.now = REPORT_INTERVAL_S
    run.log.report()
    path.write_text("rgb: 10/90 snippets (80 s left)\n")
    run.log.report()
    run.log.end(1)
    run.log.report()
    assert run.lines[1:3] == ["    extract demo: started", "    extract demo: rgb: 10/90 snippets (80 s left)"]
    assert len(run.lines) == 4


def test_only_the_end_of_a_long_log_is_read(tmp_path: Path) -> None:
    path = tmp_path / "job.log"
    path.write_text("a line\n" * 100_000 + "the end\n")
    lines = read_last_lines(path)
    assert lines[-1] == "the end"
    assert len(lines) < 5_000
    assert read_last_lines(tmp_path / "none.log") == []


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        (MISSING, "missing (results/a)"),
        ("Input files updated by another job: results/c", "its input is made again"),
        ("Updated input files: results/c, results/d", "newer input (results/c)"),
        ("Code has changed since last execution", "its code has changed"),
        (
            "Code has changed since last execution; Params have changed since last execution: {'spec': 1}",
            "its code has changed, its part of the config has changed",
        ),
        ("Set of input files has changed since last execution", "it has other input files"),
        ("Finished (was: Incomplete output files: results/a)", "not finished (results/a)"),
    ],
)
def test_reasons_are_short(reason: str, shown: str) -> None:
    assert explain_reason(reason) == shown


def make_record(event: str | None = None, message: str = "", level: int = logging.INFO, **facts: Any) -> Any:
    record = logging.LogRecord("snakemake.logging", level, "", 0, message, None, None)
    record.__dict__.update(facts, **({"event": event} if event else {}))
    return record


def test_events_of_jobs_are_replaced_and_messages_pass() -> None:
    lines: list[str] = []
    log = RunLogFilter(RunLog(lines.append, dry_run=True))
    facts = {"jobid": 1, "rule_name": "probe", "wildcards": {"dataset": "demo"}, "reason": MISSING, "log": ["a.log"]}
    assert not log.filter(make_record("run_info", stats={"probe": 1, "total": 1}))
    assert not log.filter(make_record("job_info", **facts))
    assert not log.filter(make_record("job_finished", job_id=1))
    assert not log.filter(make_record("progress", done=1, total=1))
    assert log.filter(make_record(message="Nothing to be done"))
    assert not log.filter(make_record(message="Select jobs to execute..."))
    assert log.filter(make_record(message="Select jobs is what a warning may begin with", level=logging.WARNING))
    assert log.filter(make_record("error", message="a rule is wrong", level=logging.ERROR))
    command = "RuleException:\nCalledProcessError in file ..."
    assert not log.filter(make_record("error", message=command, level=logging.ERROR))
    assert lines == []
    assert not log.filter(make_record(message="Reasons:\n  long"))
    assert lines == ["     1  probe: missing (results/a)", "     1  jobs in all"]


def test_only_snakemakes_handler_for_the_terminal_is_changed() -> None:
    logger, handlers = logging.Logger("x"), [logging.NullHandler(), logging.NullHandler()]
    handlers[0].name, handlers[1].name = "DefaultStreamHandler", "DefaultLogFileHandler"
    for handler in handlers:
        logger.addHandler(handler)
    shorten_run_log(logger, dry_run=False)
    assert [len(handler.filters) for handler in handlers] == [1, 0]
