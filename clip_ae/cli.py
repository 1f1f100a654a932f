"""The command line: parse, call one stage or tool, map errors to exit codes; nothing else.

A command is a module with one `run()`, whose signature is its command line. Only the chosen
command's module is imported, so `--help` needs no torch.
"""

import argparse
import ast
import inspect
import json
import keyword
import os
import signal
import sys
import typing
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import UnionType
from typing import Any

from clip_ae.core.config.dataclass_config import apply_assignment, iterate_keys, parse_dataclass, set_key
from clip_ae.core.config.registry import load_module
from clip_ae.core.config.specs import Spec
from clip_ae.core.config.stages import STAGES
from clip_ae.core.errors import ClipAeError, UserError, make_printable, suggest_name
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
    try:
        code = _dispatch(words)
        sys.stdout.flush()
        return code
    except ClipAeError as error:
        print(f"clip-ae: {make_printable(str(error))}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # The reader of the pipe has closed it. Python must not flush the rest at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_INTERRUPTED
    except KeyboardInterrupt:
        print("clip-ae: interrupted; nothing half-written is left behind", file=sys.stderr)
        return EXIT_INTERRUPTED


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        print(format_overview())
        return 0
    command = words[0]
    if command not in (*STAGES, *TOOLS):
        raise UserError(f"{command}: no such command{suggest_name(command, (*STAGES, *TOOLS))}")
    run = load_module(_module(command)).run
    parsed = vars(_parser(command, run).parse_args(words[1:]))
    options = {name: tuple(value) if isinstance(value, list) else value for name, value in parsed.items()}
    result = run(**_with_spec(run, options))
    return int(result or 0)


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


class UserErrorParser(argparse.ArgumentParser):
    """Raises UserError, so that a wrong option ends in one line."""

    def error(self, message: str) -> typing.NoReturn:
        raise UserError(f"{message}; see {self.prog} --help")


# An option that is given twice collects the values of both.
LIST_OPTION: dict[str, Any] = {"nargs": "+", "action": "extend"}


def _parser(command: str, run: Callable[..., Any]) -> UserErrorParser:
    """A parser from run()'s signature: Annotated[type, help]; parameters before the star are positional."""
    parser = UserErrorParser(
        prog=f"clip-ae {command}",
        description=_summary(command),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    hints = typing.get_type_hints(run, include_extras=True)
    for name, parameter in inspect.signature(run).parameters.items():
        if _is_spec(hints[name]):
            _add_spec(parser, hints[name])
            continue
        annotation, doc = typing.get_args(hints[name])
        default = parameter.default
        required = default is inspect.Parameter.empty
        default_note = "" if required or default in (None, "", ()) else f" (default: {default})"
        value_type, is_list = _plain_type(annotation), typing.get_origin(annotation) is tuple
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            nargs: dict[str, Any] = {"nargs": "+"} if is_list else {}
            parser.add_argument(name, type=value_type, metavar=name.upper(), help=doc.replace("%", "%%"), **nargs)
            continue
        parser.add_argument(
            f"--{name.rstrip('_').replace('_', '-')}",
            dest=name,
            type=value_type,
            required=required,
            default=None if required else [*default] if is_list else default,
            metavar=value_type.__name__.upper(),
            help=f"{doc}{default_note}".replace("%", "%%"),
            **(LIST_OPTION if is_list else {}),
        )
    return parser


def _add_spec(parser: UserErrorParser, spec: type[Spec]) -> None:
    for leaf in iterate_keys(spec):
        if leaf.flag is None:
            continue
        default_note = "" if leaf.default is None else f" (default: {_format_default(leaf.default)})"
        parser.add_argument(
            leaf.flag,
            dest=leaf.path,
            type=leaf.value_type,
            metavar=leaf.value_type.__name__.upper(),
            help=f"{leaf.doc}{default_note}".replace("%", "%%"),
            **(LIST_OPTION if leaf.is_list else {}),
        )
    parser.add_argument("--spec", default="{}", metavar="JSON", help="the command's spec; keys and defaults below")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="one key of the spec, from the list below"
    )
    parser.epilog = "spec (--spec, --set):\n" + "\n".join(
        f"  {leaf.path:36} {leaf.doc}{'' if leaf.default is None else f' (default: {leaf.default})'}"
        for leaf in iterate_keys(spec)
    )


def _format_default(default: Any) -> str:
    return " ".join(map(str, default)) if isinstance(default, list) else str(default)


def _with_spec(run: Callable[..., Any], options: dict[str, Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(run)
    for name in inspect.signature(run).parameters:
        if _is_spec(hints[name]):
            data = _json(options.pop("spec"), "--spec")
            for assignment in options.pop("set"):
                apply_assignment(data, assignment)
            for leaf in iterate_keys(hints[name]):
                if leaf.flag and (value := options.pop(leaf.path)) is not None:
                    set_key(data, leaf.path, value)
            options[name] = parse_dataclass(hints[name], data, "--spec")
    return options


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: not JSON ({error})") from None


def _is_spec(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, Spec)


def _plain_type(annotation: Any) -> type:
    """The plain type of an annotation: Path for `Path | None` and for `tuple[Path, ...]`."""
    if typing.get_origin(annotation) is tuple:
        annotation = typing.get_args(annotation)[0]
    if isinstance(annotation, UnionType):
        annotation = next(a for a in typing.get_args(annotation) if a is not type(None))
    assert annotation in (str, int, float, Path), annotation
    return typing.cast(type, annotation)
