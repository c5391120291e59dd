"""JSON that is nested too deeply is told from JSON that is only long."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeyman.capture import recognition, replies
from journeyman.capture.depth import MOST, too_deep


def nested(deep: int, inner: Any = 1) -> Any:
    value = inner
    for level in range(deep):
        value = [value] if level % 2 else {"a": value}
    return value


@pytest.mark.parametrize(("deep", "expected"), [(0, False), (MOST, False), (MOST + 1, True), (900, True)])
@pytest.mark.parametrize("beside", [[], [[]] * 2 * MOST])
def test_the_bound(deep: int, expected: bool, beside: list[Any]) -> None:
    value = [*beside, nested(deep - 1)] if deep else 1
    text = json.dumps(value)
    assert too_deep(text, value) == too_deep(text.encode(), value) == expected


@given(st.recursive(st.none() | st.text(max_size=3), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_what_is_only_long_is_not_too_deep(value: Any) -> None:
    assert not too_deep(json.dumps([value] * 30), [value] * 30)


def test_a_reply_and_a_tools_arguments_that_are_too_deep_are_text() -> None:
    deep = json.dumps(nested(500))
    assert replies.of(b'{"choices":[{"message":{"content":%s}}]}' % deep.encode()).message is None
    call = {"id": "a", "function": {"name": "look", "arguments": deep}}
    one, other = (
        {"role": "assistant", "tool_calls": [call]},
        {"role": "assistant", "tool_calls": [dict(call, id="b")]},
    )
    assert recognition.alone(one) != recognition.alone(other)
