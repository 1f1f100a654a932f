"""Reading typed config: every kind of mistake ends in one line that names its key."""

import json
from dataclasses import dataclass
from typing import Any, Literal

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clip_ae.core.config.dataclass_config import (
    apply_assignment,
    build_json_schema,
    iterate_keys,
    key,
    parse_dataclass,
    to_canonical_json,
    to_plain_data,
)
from clip_ae.core.errors import UserError


@dataclass(frozen=True)
class Inner:
    rate: float = key(0.5, "a rate", above=0, maximum=1)
    kind: Literal["a", "b"] = key("a", "a kind")


@dataclass(frozen=True)
class Outer:
    count: int = key(doc="how many", minimum=1)
    inner: Inner = key(Inner(), "nested")
    many: tuple[float, ...] = key((1.0,), "numbers", minimum=0)
    named: dict[str, Inner] = key({}, "by name")
    maybe: str | None = key(None, "optional text")
    flag: bool = key(True, "a switch")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "count: missing; how many"),
        ({"count": 0}, "count: 0 must be at least 1"),
        ({"count": 1.5}, "count: expected a whole number, got 1.5"),
        ({"count": True}, "count: expected a whole number, got true"),
        ({"count": 1, "coutn": 2}, "coutn: unknown key; did you mean 'count'?"),
        ({"count": 1, "inner": {"rate": "1e-3"}}, 'inner.rate: expected a number, got "1e-3"; YAML needs a decimal'),
        ({"count": 1, "inner": {"rate": 0}}, "inner.rate: 0.0 must be more than 0"),
        ({"count": 1, "inner": {"rate": 2}}, "inner.rate: 2.0 must be at most 1"),
        ({"count": 1, "inner": {"rate": float("nan")}}, "inner.rate: nan is not a finite number"),
        ({"count": 1, "inner": {"kind": "c"}}, 'inner.kind: "c" is not allowed; known: a, b'),
        ({"count": 1, "inner": []}, "inner: expected keys and values"),
        ({"count": 1, "many": 3}, "many: expected a list, got 3"),
        ({"count": 1, "many": [1, -1]}, "many[1]: -1.0 must be at least 0"),
        ({"count": 1, "named": {"x": {"rte": 1}}}, "named.x.rte: unknown key; did you mean 'rate'?"),
        ({"count": 1, "flag": 1}, "flag: expected true or false"),
        ({"count": 1, "maybe": 3}, "maybe: expected text"),
        ("text", "config: expected keys and values"),
    ],
)
def test_every_mistake_names_its_key(data: object, words: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_dataclass(Outer, data)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


outers = st.builds(
    Outer,
    count=st.integers(1, 99),
    inner=st.builds(Inner, rate=st.floats(0.01, 1), kind=st.sampled_from(["a", "b"])),
    many=st.lists(st.floats(0, 9), max_size=3).map(tuple),
    named=st.dictionaries(st.text(max_size=3), st.builds(Inner), max_size=2),
    maybe=st.none() | st.text(max_size=3),
    flag=st.booleans(),
)


@given(outers)
def test_plain_and_read_are_inverse_and_the_schema_accepts(value: Outer) -> None:
    data = json.loads(to_canonical_json(value))
    assert parse_dataclass(Outer, data) == value
    jsonschema.validate(data, build_json_schema(Outer))


def test_schema_refuses_what_read_refuses() -> None:
    for data in ({"count": 0}, {"count": 1, "x": 1}, {}, {"count": 1, "inner": {"kind": "c"}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(data, build_json_schema(Outer))


def test_canonical_ignores_order_and_absent_options() -> None:
    assert to_canonical_json({"b": 1, "a": {"d": 1.0, "c": 2}}) == to_canonical_json({"a": {"c": 2, "d": 1.0}, "b": 1})
    assert "maybe" not in to_plain_data(Outer(1))


def test_leaves_lists_every_leaf() -> None:
    found = {leaf.path: leaf.default for leaf in iterate_keys(Outer)}
    assert found == {
        "count": None, "inner.rate": 0.5, "inner.kind": "a", "many": [1.0], "named": {}, "maybe": None, "flag": True,
    }  # fmt: skip


@pytest.mark.parametrize(("data", "assignment"), [([], "a=1"), ({"a": 5}, "a.b=1"), ({"a": [1]}, "a.b.c=1")])
def test_a_key_below_what_has_none_is_a_users_mistake(data: Any, assignment: str) -> None:
    with pytest.raises(UserError, match=r"no key '[a-c]' can be set where there is"):
        apply_assignment(data, assignment)
