"""Actions: one way to write each down."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeyman.world.actions import Broken, Call, Say, parsed

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
    ],
)
def test_a_call_that_cannot_be_read_is_nothing_that_was_said(text: str) -> None:
    action = parsed(text)
    assert isinstance(action, Broken)
    assert action.why


def test_openais_arguments_in_a_string_are_understood() -> None:
    assert parsed('{"name": "x", "arguments": "{\\"a\\": 1}"}') == Call("x", {"a": 1})


def test_json_that_is_no_call_is_said() -> None:
    assert parsed('{"total": 12}') == Say('{"total": 12}')
