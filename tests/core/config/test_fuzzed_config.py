"""Any content of a config or an option is read, or refused in one line that names the key."""

import contextlib
import copy
import datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clip_ae.core.config.checks import load_config
from clip_ae.core.config.dataclass_config import abbreviate, apply_assignment, parse_dataclass, to_canonical_json
from clip_ae.core.config.specs import ExtractSpec
from clip_ae.core.errors import ClipAeError, UserError
from tests.builders import shipped_config

# Other work on the same cores must not pass for a slow reader.
SHIPPED = shipped_config()
# What YAML can give: keys of any kind, dates, bytes, sets, numbers without a bound.
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=3) | st.dates()
    | st.sampled_from([10**400, -(10**400), "\ud800", datetime.datetime(1, 1, 1), frozenset({1})])
)  # fmt: skip
NAMES = st.sampled_from(
    ["datasets", "runs", "weights", "demo", "stpn", "encoders", "rgb", "training", "steps", "videos"]
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | SCALARS, inner, max_size=3)
)


def paths_of(data: Any, *above: Any) -> list[tuple[Any, ...]]:
    """The path of every key."""
    if not isinstance(data, dict):
        return []
    return [path for key, value in data.items() for path in ((*above, key), *paths_of(value, *above, key))]


PATHS = paths_of(SHIPPED)


def changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """The shipped config with another value at one key."""
    data = holder = copy.copy(SHIPPED)
    *parents, last = path
    for name in parents:
        holder[name] = copy.copy(holder[name])
        holder = holder[name]
    holder[last] = value
    return data


def endless() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def doubled(times: int) -> list[Any]:
    """A few lines of YAML that expand to 2^times elements."""
    value: list[Any] = ["x"]
    for _ in range(times):
        value = [value, value]
    return value


def read_or_refused(data: Any) -> None:
    """A config that is read can be serialized."""
    with contextlib.suppress(ClipAeError):
        to_canonical_json(load_config(data)).encode()


@given(VALUES)
def test_any_value_as_a_whole(data: Any) -> None:
    read_or_refused(data)


@given(st.sampled_from(PATHS), VALUES)
@example(("datasets", "demo", "training", "learning_rate"), 10**400)
@example(("datasets", "demo", "train_subset"), "\ud800")
def test_any_value_at_any_key(path: tuple[Any, ...], value: Any) -> None:
    read_or_refused(changed(path, value))


@pytest.mark.parametrize("value", [endless(), doubled(60)], ids=["endless", "doubled"])
@pytest.mark.parametrize("path", [("datasets",), ("runtime",), ("datasets", "demo", "runs")], ids=".".join)
def test_what_has_no_end_is_refused_at_once(path: tuple[Any, ...], value: Any) -> None:
    """YAML aliases make endless content with a few lines."""
    with pytest.raises(UserError, match=".".join(path)):
        load_config(changed(path, value))


@given(st.lists(st.text(max_size=3)).map(".".join), st.text())
@example("a", "[" * 100_000)
@example("a", "9" * 5000)
@example("grid.fps", "9" * 400)
def test_any_assignment(path: str, text: str) -> None:
    data: dict[str, Any] = {}
    with contextlib.suppress(ClipAeError):
        apply_assignment(data, f"{path}={text}")
        parse_dataclass(ExtractSpec, data, "--spec")


def test_a_value_is_shown_by_its_beginning() -> None:
    assert abbreviate({"a": [1, None, "ü"]}) == '{"a": [1, null, "ü"]}'
    assert abbreviate("x" * 100) == '"' + "x" * 56 + "..."
    assert abbreviate(doubled(60)) == "[" * 57 + "..."
    assert abbreviate(endless()) == "[" * 57 + "..."
    assert abbreviate({datetime.date(2001, 1, 1): 1, "b": datetime.date(2001, 1, 1)}) == '{"b": "2001-01-01"}'


@pytest.mark.parametrize(("value", "words"), [(10**400, "not a finite number"), ("\ud800", "expected a number")])
def test_what_no_number_can_be_is_told(value: Any, words: str) -> None:
    with pytest.raises(UserError, match=f"datasets.demo.training.learning_rate: .*{words}"):
        load_config(changed(("datasets", "demo", "training", "learning_rate"), value))
