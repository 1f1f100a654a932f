"""Every command in README and docs is one that exists: sub-command, options, targets, their order."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from clip_ae import cli
from clip_ae.core.config.checks import load_config
from clip_ae.core.config.command_options import build_parser
from clip_ae.core.config.schema import Config
from clip_ae.core.config.stages import find_output
from clip_ae.core.errors import UserError
from clip_ae.workflow.targets import check_targets
from tests.builders import ROOT, shipped_config

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = ("clip-ae", "snakemake", "make")
# Options of Snakemake that take several values: a target after them is read as one of these values.
GREEDY = ("--configfile", "--config", "--resources", "--set-resources", "--allowed-rules")


def commands(path: Path) -> Iterator[list[str]]:
    """Command lines in code blocks without a language, and in inline code."""
    text = path.read_text()
    lines = [line for block in re.findall(r"```\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    lines += re.findall(
        r"`((?:\.venv/bin/)?(?:clip-ae|snakemake|make) [^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    )
    for line in lines:
        try:
            words = shlex.split(re.split(r" #| && ", line)[0])
        except ValueError:
            # Not a shell line: an apostrophe in a listing.
            continue
        program = words[0].rpartition("/")[2] if words else ""
        if program in PROGRAMS and len(words) > 1:
            yield [program, *words[1:]]


@cache
def load_shipped_config() -> Config:
    return load_config(shipped_config())


FOUND = [(path, words) for path in PAGES for words in commands(path)]


def test_there_are_commands_to_check() -> None:
    assert len([words for _, words in FOUND if words[0] == "clip-ae"]) > 10
    assert len([words for _, words in FOUND if words[0] == "snakemake"]) > 5


@pytest.mark.parametrize(
    ("path", "words"),
    [f for f in FOUND if f[1][0] == "clip-ae"],
    ids=lambda v: v.name if isinstance(v, Path) else " ".join(v),
)
def test_commands_of_clip_ae_parse(path: Path, words: list[str]) -> None:
    command, *options = words[1:]
    if command.startswith("-") or command.isupper():
        return
    assert command in (*cli.STAGES, *cli.TOOLS), f"{path}: no command {command}"
    # `...` stands for the rest of the line.
    if options and not {"...", "--help"} & set(options):
        parser = build_parser(command, "", cli.load_run(command))
        try:
            parser.parse_args(options)
        except UserError as error:
            if "are required" in str(error):
                # A part of a command, in a sentence.
                return
            pytest.fail(f"{path}: {' '.join(words)}: {error}")


@pytest.mark.parametrize(
    ("path", "words"),
    [f for f in FOUND if f[1][0] == "snakemake"],
    ids=lambda v: v.name if isinstance(v, Path) else " ".join(v),
)
def test_commands_of_snakemake_have_targets_that_exist(path: Path, words: list[str]) -> None:
    targets = [w for w in words if w.startswith("results/") and "{" not in w and "DATASET" not in w]
    config = load_shipped_config()
    for target in targets:
        if re.match(r"results/mine[_/]", target):
            continue
        check_targets([target], config)
        assert target.count("/") == 1 or find_output(target), f"{path}: {target}"
    for option in GREEDY:
        if option in words and targets:
            after = words[words.index(option) + 1 :]
            assert "--" in after or not set(targets) & set(after), f"{path}: {option} swallows the target: {words}"


@pytest.mark.parametrize(
    ("path", "words"),
    [f for f in FOUND if f[1][0] == "make"],
    ids=lambda v: v.name if isinstance(v, Path) else " ".join(v),
)
def test_targets_of_make_exist(path: Path, words: list[str]) -> None:
    targets = re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for word in words[1:]:
        if "=" not in word and not word.startswith("-") and re.fullmatch(r"[a-z-]+", word):
            assert word in targets, f"{path}: make {word}"
            break
