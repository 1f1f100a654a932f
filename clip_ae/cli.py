"""The command line: parse, call one stage or tool, map errors to exit codes; nothing else.

A command is a module with one `run()`, whose signature is its command line. Only the chosen
command's module is imported, so `--help` needs no torch.
"""

import ast
import io
import keyword
import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence

from clip_ae.core.config.command_options import build_parser, collect_arguments
from clip_ae.core.config.registry import load_module
from clip_ae.core.config.stages import STAGES
from clip_ae.core.errors import ClipAeError, UserError, describe_system_error, format_message, suggest_name
from clip_ae.core.progress import show_progress
from clip_ae.core.provenance import find_source_file

TOOLS = (
    "plan", "annotations", "features", "import", "apply", "ground", "fewshot",
    "show", "compare", "explain", "repro", "verify", "schema",
)  # fmt: skip
EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if arguments is None else arguments)
    # OpenMP threads that spin while waiting slow down other jobs on the same cores. Read when torch loads.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    # Clusters and Snakemake end jobs with SIGTERM: treat it as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    show_progress()
    for stream in (sys.stdout, sys.stderr):
        # Names of files may have characters that a terminal cannot show.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _dispatch(words)
        if sys.stdout:
            sys.stdout.flush()
        return code
    except ClipAeError as error:
        print(f"clip-ae: {format_message(str(error))}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # The reader of the pipe has closed it. Python must not flush the rest at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_INTERRUPTED
    except (OSError, MemoryError, UnicodeEncodeError) as error:
        message = describe_system_error(error)
        if message is None:
            raise
        print(f"clip-ae: {format_message(message)}", file=sys.stderr)
        return UserError.exit_code
    except KeyboardInterrupt:
        print("clip-ae: interrupted; nothing half-written is left behind", file=sys.stderr)
        return EXIT_INTERRUPTED


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        print(format_overview())
        return 0
    if words[0] == "--version":
        from importlib.metadata import version

        print(f"clip-ae {version('clip-ae')}")
        return 0
    command = words[0]
    if command not in (*STAGES, *TOOLS):
        raise UserError(f"{command}: no such command{suggest_name(command, (*STAGES, *TOOLS))}")
    run = load_run(command)
    parser = build_parser(command, _summary(command), run)
    return run(**collect_arguments(run, vars(parser.parse_args(words[1:])))) or 0


def load_run(command: str) -> Callable[..., int | None]:
    run: Callable[..., int | None] = load_module(_module(command)).run
    return run


def format_overview() -> str:
    """The text of `--help`: stages, then tools, one line each, read from their files without importing them."""

    def rows(names: Iterable[str]) -> str:
        return "\n".join(f"  {name:16} {_summary(name)}" for name in names)

    return (
        "usage: clip-ae COMMAND [options]      (clip-ae COMMAND --help for its options)\n\n"
        "Unsupervised temporal action localization, from raw videos to mAP.\n"
        "Snakemake calls the stages; each also works by hand on plain paths.\n\n"
        f"stages, in the order of the workflow:\n{rows(STAGES)}\n\ntools:\n{rows(TOOLS)}"
    )


def _module(command: str) -> str:
    # `import` cannot be the name of a module.
    name = f"{command}_" if keyword.iskeyword(command) else command
    return f"clip_ae.{'stages' if command in STAGES else 'tools'}.{name}"


def _summary(command: str) -> str:
    path = find_source_file(_module(command))
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) if path else None
    return (text or "").split("\n")[0]
