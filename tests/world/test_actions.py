"""Actions: one way to write each down."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeyman.world.actions import Broken, Call, Say, owned, parsed

VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.text(), st.dictionaries(st.text(), VALUE, max_size=4))
def test_a_call_that_is_written_is_read_again(tool: str, args: dict[str, object]) -> None:
    call = Call(tool, args)
    assert parsed(call.text) == call
    assert parsed(parsed(call.text).text).text == call.text


@given(st.text())
def test_words_are_words(text: str) -> None:
    action = parsed(text)
    assert action.text == text


def test_equal_calls_are_written_alike() -> None:
    assert Call("x", {"b": 1, "a": 2}).text == Call("x", {"a": 2, "b": 1}).text


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "x", "arguments": {"a": ',
        '{"name": "x"}',
        '{"name": "x", "arguments": []}',
        '{"name": 1, "arguments": {}}',
        '{"name": "x", "arguments": "{"}',
        '{"name": "x", "arguments": {}, "more": 1}',
        '{"arguments": {}}',
        '{"name": "x", "arguments": ' + "[" * 100_000,
        '{"name": "x", "arguments": {"a": ' + "[" * 200 + "]" * 200 + "}}",  # what one caller can read, another cannot
        '{"name": "x", "arguments": "' + '{\\"a\\":' * 200 + "1" + "}" * 200 + '"}',
    ],
)
def test_a_call_that_cannot_be_read_is_nothing_that_was_said(text: str) -> None:
    action = parsed(text)
    assert isinstance(action, Broken)
    assert action.why


def test_what_is_nested_within_reason_is_read() -> None:
    deep = "[" * 90 + "]" * 90
    assert parsed(f'{{"name": "x", "arguments": {{"a": {deep}}}}}').text == Call("x", {"a": json.loads(deep)}).text


@pytest.mark.parametrize("value", [(1,), b"x", {1: 2}, {"a": {3}}, [object()]])
def test_what_json_does_not_give_back_is_no_json(value: object) -> None:
    with pytest.raises(ValueError, match="no such value"):
        owned(Call("x", {"a": value}))
    for long in (10**5000, [-(10**5000)]):
        with pytest.raises(ValueError, match="no such value"):
            owned(Call("x", {"a": long}))
    args = {"a": [1, 2.5, None, True, "x", {}, 10**4000]}
    assert parsed(Call("x", args).text) == owned(Call("x", args)) == Call("x", args)


def test_arguments_that_are_no_mapping_of_names_are_refused() -> None:
    for args in ([], None, {1: 2}):
        with pytest.raises(ValueError, match="no such value"):
            owned(Call("x", args))  # pyright: ignore[reportArgumentType]


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize("depth", [1, 97, 98, 99, 100, 101, 300])
def test_a_call_is_taken_as_it_will_be_read_again(depth: int) -> None:
    call = Call("x", {"a": nested(depth)})
    taken = owned(call)
    assert taken == parsed(call.text)
    assert isinstance(taken, Call) == (depth <= 98)
    spelled = json.dumps({"name": "x", "arguments": json.dumps(call.args)})
    assert isinstance(parsed(spelled), Call) == (depth <= 98)


def test_what_cannot_even_be_written_is_refused() -> None:
    with pytest.raises(ValueError, match="no such value"):
        owned(Call("x", {"a": nested(100_000)}))


def test_openais_arguments_in_a_string_are_understood() -> None:
    assert parsed('{"name": "x", "arguments": "{\\"a\\": 1}"}') == Call("x", {"a": 1})


def test_json_that_is_no_call_is_said() -> None:
    assert parsed('{"total": 12}') == Say('{"total": 12}')
