"""Frozen dataclasses as the only source of the config: parsed from plain data, checked, described by a JSON Schema."""

import dataclasses
import json
import math
import operator
import sys
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from clip_ae.core.config.renamed_keys import RENAMED_KEYS
from clip_ae.core.errors import UserError, suggest_name

T = TypeVar("T")
# Characters of a value that an error shows; keys that are not JSON are skipped.
MAX_CHARS_SHOWN = 60
JSON_ENCODER = json.JSONEncoder(default=str, ensure_ascii=False, skipkeys=True, check_circular=False)
REQUIRED = dataclasses.MISSING
# JSON Schema's limits: name, test, and words for the error.
LIMITS: tuple[tuple[str, Callable[[Any, Any], bool], str], ...] = (
    ("minimum", operator.ge, "at least"),
    ("exclusiveMinimum", operator.gt, "more than"),
    ("maximum", operator.le, "at most"),
)


class Variant:
    """Base of a dataclass whose subclasses are its variants: the plain data decide which one is built."""

    @classmethod
    def select_variant(cls, where: str, data: Mapping[str, Any]) -> type:
        """The class to build for the data at the key `where`."""
        raise NotImplementedError

    @classmethod
    def list_variants(cls) -> Collection[type]:
        """The classes that can be built."""
        raise NotImplementedError


def key(
    default: Any = REQUIRED,
    doc: str = "",
    *,
    minimum: float | None = None,
    above: float | None = None,
    maximum: float | None = None,
    flag: str | None = None,
) -> Any:
    """Declare a config key: default, meaning with unit, limits, and the command-line option that sets it."""
    limits = {"minimum": minimum, "exclusiveMinimum": above, "maximum": maximum}
    metadata = {"doc": doc, "limits": {k: v for k, v in limits.items() if v is not None}, "flag": flag}
    if isinstance(default, dict):
        return dataclasses.field(default_factory=lambda: dict(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def parse_dataclass(cls: type[T], data: Any, where: str = "") -> T:
    """Build `cls` from plain data; the first wrong value raises a UserError that names its key."""
    if not isinstance(data, dict):
        raise UserError(f"{where or 'config'}: expected keys and values, got {abbreviate(data)}")
    if issubclass(cls, Variant) and issubclass(selected := cls.select_variant(where, data), cls):
        cls = selected
    hints = get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    values = {}
    for name, value in data.items():
        if name not in fields:
            raise _unknown_key(cls, join_key(where, name), str(name), fields)
        values[name] = _value(hints[name], value, join_key(where, name), fields[name].metadata)
    for name, field in fields.items():
        if name not in values and field.default is REQUIRED and field.default_factory is REQUIRED:
            raise UserError(f"{join_key(where, name)}: missing; {field.metadata.get('doc', 'it has no default')}")
    return cls(**values)


def _unknown_key(cls: type, path: str, name: str, fields: Iterable[str]) -> UserError:
    renamed = RENAMED_KEYS.get(cls.__name__, {}).get(name)
    if renamed:
        return UserError(f"{path}: this key is now called `{renamed}`; rename it")
    return UserError(f"{path}: unknown key{suggest_name(name, fields)}")


def make_overrides(cls: type) -> type:
    """A dataclass with the keys of `cls`, each optional: None leaves the value as it is."""
    hints = get_type_hints(cls)
    fields = [
        (f.name, hints[f.name] | None, dataclasses.field(default=None, metadata=f.metadata))
        for f in dataclasses.fields(cls)
    ]
    overrides = dataclasses.make_dataclass(f"{cls.__name__}Overrides", fields, frozen=True)
    overrides.__doc__ = f"Keys of `{cls.__name__.lower()}` that differ in this run."
    return overrides


def apply_overrides(base: T, overrides: Any) -> T:
    """`base` with the keys that `overrides` sets."""
    if overrides is None:
        return base
    values = {f.name: getattr(overrides, f.name) for f in dataclasses.fields(overrides)}
    return dataclasses.replace(base, **{k: v for k, v in values.items() if v is not None})  # type: ignore[type-var]


def merge_overrides(first: T, second: T) -> T:
    """Both together; where both set a key, the second's value counts."""
    return second if first is None else apply_overrides(first, second)


def apply_assignment(data: dict[str, Any], assignment: str) -> None:
    """Set KEY=VALUE in nested plain data; the value is parsed as JSON, or taken as text."""
    path, equals, text = assignment.partition("=")
    if not equals:
        raise UserError(f"--set {assignment}: expected KEY=VALUE")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    set_key(data, path, value)


def set_key(data: dict[str, Any], path: str, value: Any) -> None:
    """Set a dotted key (a.b.c) in nested plain data."""
    *parents, leaf = path.split(".")
    for name in (*parents, leaf):
        if not isinstance(data, dict):
            raise UserError(f"{path}: no key '{name}' can be set where there is {abbreviate(data)}")
        holder, data = data, data.setdefault(name, {})
    holder[leaf] = value


def to_plain_data(value: Any) -> Any:
    """Convert to JSON types. Optional keys that are None are left out, so that a new optional key changes no digest."""
    if dataclasses.is_dataclass(value):
        pairs = ((f.name, to_plain_data(getattr(value, f.name))) for f in dataclasses.fields(value))
        return {k: v for k, v in pairs if v is not None}
    if isinstance(value, dict):
        return {str(k): to_plain_data(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain_data(v) for v in value]
    return value


def to_canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal texts."""
    return json.dumps(to_plain_data(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def build_json_schema(cls: type) -> dict[str, Any]:
    """JSON Schema of a dataclass, or of any of its variants."""
    if issubclass(cls, Variant):
        return {"anyOf": [_build_object_schema(variant) for variant in cls.list_variants()]}
    return _build_object_schema(cls)


def _build_object_schema(cls: type) -> dict[str, Any]:
    hints = get_type_hints(cls)
    fields = dataclasses.fields(cls)
    return {
        "type": "object",
        "description": (cls.__doc__ or "").split("\n")[0],
        "additionalProperties": False,
        "required": [f.name for f in fields if f.default is REQUIRED and f.default_factory is REQUIRED],
        "properties": {f.name: _property(hints[f.name], f) for f in fields},
    }


def abbreviate(value: Any) -> str:
    """The first characters of a value, for an error; lazily, because YAML aliases can make huge values."""
    text = "".join(islice(JSON_ENCODER.iterencode(value), MAX_CHARS_SHOWN + 1))
    return text if len(text) <= MAX_CHARS_SHOWN else text[: MAX_CHARS_SHOWN - 3] + "..."


def join_key(where: str, name: Any) -> str:
    return f"{where}.{name}" if where else str(name)


def _value(hint: Any, value: Any, where: str, metadata: Mapping[str, Any]) -> Any:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return None if value is None else _value(_alternative_for(hint, value), value, where, metadata)
    if origin is Literal:
        if value not in get_args(hint):
            # Not the text of a list: aliases can make it huge.
            word = value if isinstance(value, str) else ""
            raise UserError(f"{where}: {abbreviate(value)} is not allowed{suggest_name(word, get_args(hint))}")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            meaning = f"; {metadata['doc']}" if metadata.get("doc") else ""
            raise UserError(f"{where}: expected a list, got {abbreviate(value)}{meaning}")
        return tuple(_value(get_args(hint)[0], v, f"{where}[{i}]", metadata) for i, v in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict):
            hint_text = "; write each name as a key, as in `NAME: {}`" if isinstance(value, list) else ""
            raise UserError(f"{where}: expected keys and values, got {abbreviate(value)}{hint_text}")
        items = {str(k): v for k, v in value.items()}
        if dataclasses.is_dataclass(get_args(hint)[1]):
            # null removes an entry that another config file has.
            items = {k: v for k, v in items.items() if v is not None}
        return {k: _value(get_args(hint)[1], v, join_key(where, k), metadata) for k, v in items.items()}
    if dataclasses.is_dataclass(hint):
        return parse_dataclass(hint, value, where)  # type: ignore[arg-type]
    return _scalar(hint, value, where, metadata.get("limits", {}))


def _scalar(hint: type, value: Any, where: str, limits: dict[str, float]) -> Any:
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value) if abs(value) <= sys.float_info.max else math.inf
    if not isinstance(value, hint) or (hint is not bool and isinstance(value, bool)):
        raise UserError(f"{where}: expected {names[hint]}, got {abbreviate(value)}{_yaml_hint(hint, value)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{where}: {value} is not a finite number")
    if isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value):
        raise UserError(
            f"{where}: {abbreviate(value)} contains half of a surrogate pair, which UTF-8 cannot store; "
            "write the whole character"
        )
    for name, holds, words in LIMITS:
        if name in limits and not holds(value, limits[name]):
            raise UserError(f"{where}: {value} must be {words} {limits[name]}")
    return value


def _yaml_hint(hint: type, value: Any) -> str:
    """A hint for numbers such as 1e-3, which YAML reads as text."""
    if hint is float and isinstance(value, str):
        try:
            return f"; YAML needs a decimal point, as in {float(value):.1e}"
        except ValueError:
            pass
    return ""


def _alternatives(hint: Any) -> list[Any]:
    return [a for a in get_args(hint) if a is not type(None)]


def _alternative_for(hint: Any, value: Any) -> Any:
    """The type of a union that a value is parsed as: the second for text, otherwise the first."""
    first, *others = _alternatives(hint)
    return next((other for other in others if isinstance(value, str)), first)


def _property(hint: Any, field: dataclasses.Field[Any]) -> dict[str, Any]:
    described = {**_type(hint, field.metadata.get("limits", {})), "description": field.metadata.get("doc", "")}
    if _default(field) is not None:
        described["default"] = _default(field)
    return described


def _default(field: dataclasses.Field[Any]) -> Any:
    """The default as plain data; None if the key has no default or is optional."""
    if field.default_factory is not REQUIRED:
        return to_plain_data(field.default_factory())
    return None if field.default is REQUIRED else to_plain_data(field.default)


def _type(hint: Any, limits: dict[str, float]) -> dict[str, Any]:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        null = [{"type": "null"}] if type(None) in get_args(hint) else []
        return {"anyOf": [*(_type(kind, limits) for kind in _alternatives(hint)), *null]}
    if origin is Literal:
        return {"enum": list(get_args(hint))}
    if origin is tuple:
        return {"type": "array", "items": _type(get_args(hint)[0], limits)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _type(get_args(hint)[1], limits)}
    if dataclasses.is_dataclass(hint):
        return build_json_schema(hint)  # type: ignore[arg-type]
    name = {bool: "boolean", int: "integer", float: "number", str: "string"}[hint]
    return {"type": name, **limits}


@dataclasses.dataclass(frozen=True)
class KeyInfo:
    """One key of a spec, by its path. A required key's default is None; is_list: a list of value_type."""

    path: str
    doc: str
    default: Any
    value_type: type
    is_list: bool
    flag: str | None


def iterate_keys(cls: type, prefix: str = "") -> Iterator[KeyInfo]:
    """Yield the keys of a dataclass and of the dataclasses in it, by dotted path."""
    hints = get_type_hints(cls)
    for field in dataclasses.fields(cls):
        name = join_key(prefix, field.name)
        hint = hints[field.name]
        if get_origin(hint) in (Union, types.UnionType):
            hint = _alternatives(hint)[0]
        if dataclasses.is_dataclass(hint):
            yield from iterate_keys(hint, name)  # type: ignore[arg-type]
            continue
        is_list = get_origin(hint) is tuple
        item = get_args(hint)[0] if is_list else hint
        value_type = item if isinstance(item, type) else str
        doc, flag = field.metadata.get("doc", ""), field.metadata.get("flag")
        yield KeyInfo(name, doc, _default(field), value_type, is_list, flag)
