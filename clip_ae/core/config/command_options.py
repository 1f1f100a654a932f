"""The options of a command, from the signature of its run(), and the arguments of run() from their values.

A parameter is `Annotated[type, help]`; those before the star are positional. Three kinds of parameter become several
options:
- a `Spec`: --spec, --set, and the flags of its keys;
- `Annotated[Runtime, "device num_workers"]`: one option for each named setting of `runtime`;
- any other dataclass: one option for each field.
"""

import argparse
import dataclasses
import inspect
import json
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any

from clip_ae.core.config.dataclass_config import apply_assignment, iterate_keys, parse_dataclass, set_key
from clip_ae.core.config.schema import Runtime
from clip_ae.core.config.specs import Spec
from clip_ae.core.errors import UserError, suggest_name

# An option that is given twice collects the values of both.
LIST_OPTION: dict[str, Any] = {"nargs": "+", "action": "extend"}


class UserErrorParser(argparse.ArgumentParser):
    """Raises UserError, so that a wrong option ends in one line."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Report a misspelt option; argparse alone would say that the right option is missing."""
        for word in args or ():
            if word == "--":
                # What follows is no option: the id of a video may begin with a dash.
                break
            option = word.partition("=")[0]
            if option.startswith("--") and option not in self._option_string_actions:
                known = [name for name in self._option_string_actions if name.startswith("--")]
                self.error(f"{option}: no such option{suggest_name(option, known)}")
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> typing.NoReturn:
        raise UserError(f"{message}; see {self.prog} --help")


@dataclass(frozen=True)
class Option:
    """One positional argument or option; `default` is dataclasses.MISSING if it must be given."""

    name: str
    value_type: type
    is_list: bool
    doc: str
    default: Any
    positional: bool = False

    @property
    def is_required(self) -> bool:
        return self.default is dataclasses.MISSING


def build_parser(command: str, summary: str, run: Callable[..., Any]) -> UserErrorParser:
    parser = UserErrorParser(
        prog=f"clip-ae {command}",
        description=summary,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for parameter, hint in _parameters(run):
        if _is_spec(hint):
            _add_spec(parser, hint)
            continue
        for option in _list_options(parameter, hint):
            _add_option(parser, option)
    return parser


def collect_arguments(run: Callable[..., Any], values: dict[str, Any]) -> dict[str, Any]:
    """The arguments of run() from the parsed values of its options."""
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return {parameter.name: _build_argument(parameter, hint, values) for parameter, hint in _parameters(run)}


def _parameters(run: Callable[..., Any]) -> Iterator[tuple[inspect.Parameter, Any]]:
    hints = typing.get_type_hints(run, include_extras=True)
    for name, parameter in inspect.signature(run).parameters.items():
        yield parameter, hints[name]


def _list_options(parameter: inspect.Parameter, hint: Any) -> list[Option]:
    if names := _runtime_names(hint):
        keys = {key.path: key for key in iterate_keys(Runtime)}
        return [Option(name, keys[name].value_type, False, keys[name].doc, keys[name].default) for name in names]
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint, include_extras=True)
        return [_option(field.name, hints[field.name], field.default) for field in dataclasses.fields(hint)]
    default = dataclasses.MISSING if parameter.default is inspect.Parameter.empty else parameter.default
    option = _option(parameter.name, hint, default)
    return [dataclasses.replace(option, positional=parameter.kind is not inspect.Parameter.KEYWORD_ONLY)]


def _option(name: str, hint: Any, default: Any) -> Option:
    annotation, doc = typing.get_args(hint)
    return Option(name, _plain_type(annotation), typing.get_origin(annotation) is tuple, doc, default)


def _plain_type(annotation: Any) -> type:
    """The plain type of an annotation: Path for `Path | None` and for `tuple[Path, ...]`."""
    if typing.get_origin(annotation) is tuple:
        annotation = typing.get_args(annotation)[0]
    if isinstance(annotation, UnionType):
        annotation = next(k for k in typing.get_args(annotation) if k is not type(None))
    if annotation not in (str, int, float, Path):
        raise TypeError(f"{annotation}: an option is str, int, float or Path")
    return typing.cast(type, annotation)


def _add_option(parser: UserErrorParser, option: Option) -> None:
    default_note = "" if option.is_required or option.default in (None, "", ()) else f" (default: {option.default})"
    doc = f"{option.doc}{default_note}".replace("%", "%%")
    if option.positional:
        nargs: dict[str, Any] = {"nargs": "+"} if option.is_list else {}
        parser.add_argument(option.name, type=option.value_type, metavar=option.name.upper(), help=doc, **nargs)
        return
    default = None if option.is_required else option.default
    parser.add_argument(
        f"--{option.name.rstrip('_').replace('_', '-')}",
        dest=option.name,
        type=option.value_type,
        required=option.is_required,
        default=[*default] if option.is_list and default is not None else default,
        metavar=option.value_type.__name__.upper(),
        help=doc,
        **(LIST_OPTION if option.is_list else {}),
    )


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


def _build_argument(parameter: inspect.Parameter, hint: Any, values: dict[str, Any]) -> Any:
    if _is_spec(hint):
        return _build_spec(hint, values)
    if names := _runtime_names(hint):
        return parse_dataclass(Runtime, {name: values[name] for name in names}, "runtime")
    if dataclasses.is_dataclass(hint):
        return typing.cast(Any, hint)(**{field.name: values[field.name] for field in dataclasses.fields(hint)})
    return values[parameter.name]


def _build_spec(spec: type[Spec], values: dict[str, Any]) -> Spec:
    data, flags = parse_json(values["spec"], "--spec"), {}
    for assignment in values["set"]:
        apply_assignment(data, assignment)
    for leaf in iterate_keys(spec):
        if leaf.flag and values[leaf.path] is not None:
            set_key(data, leaf.path, values[leaf.path])
            flags[leaf.path] = leaf.flag
    try:
        return parse_dataclass(spec, data, "--spec")
    except UserError as error:
        raise UserError(_name_flag(str(error), flags)) from None


def _name_flag(message: str, flags: Mapping[str, str]) -> str:
    """The message about a key of the spec, with the flag that set the key in place of the key."""
    where, _, fault = message.partition(": ")
    path = where.removeprefix("--spec.").partition("[")[0]
    return f"{flags[path]}: {fault}" if path in flags else message


def parse_json(text: str, where: str) -> Any:
    """The value of an option that is JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: not JSON ({error})") from None


def _is_spec(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, Spec)


def _runtime_names(hint: Any) -> list[str]:
    """The settings of `runtime` that a parameter reads; none for another kind of parameter."""
    if typing.get_origin(hint) is not typing.Annotated or typing.get_args(hint)[0] is not Runtime:
        return []
    return str(typing.get_args(hint)[1]).split()
