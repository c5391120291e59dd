from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeyman.model.tools import as_text, calls_in, known_to

TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": "é"}'}}


def test_a_conversation_without_tools_is_not_changed() -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
    assert as_text(messages) == messages


def test_calls_and_answers_become_text_in_three_roles() -> None:
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": None, "tool_calls": [CALL, CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "a tree"},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "a house"}]},
    ]
    system, user, assistant, answers = as_text(messages, [TOOL])
    assert json.dumps(TOOL["function"]) in system["content"]
    assert user == messages[0]
    assert assistant["content"].count("<tool_call>") == 2
    assert answers["role"] == "user"
    assert "a tree" in answers["content"]
    assert "a house" in answers["content"]
    assert set(answers) == {"role", "content"}


def test_the_caller_s_own_system_prompt_stays_first() -> None:
    (system,) = as_text([{"role": "system", "content": "Be brief."}], [TOOL])
    assert system["content"].startswith("Be brief.")
    assert "look" in system["content"]


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none() | st.lists(st.booleans())))
def test_what_is_written_is_read_back(arguments: dict[str, Any]) -> None:
    call = {"function": {"name": "look", "arguments": json.dumps(arguments)}}
    (written,) = as_text([{"role": "assistant", "content": "I look.", "tool_calls": [call]}])
    said, calls = calls_in(written["content"])
    assert said == "I look."
    assert [(each["name"], json.loads(each["arguments"])) for each in calls] == [("look", arguments)]


@pytest.mark.parametrize(
    "text",
    [
        "plain ",
        "<tool_call>{not json}</tool_call>",
        '<tool_call>{"name": 3}</tool_call>',
        '<tool_call>{"name": "a", "arguments": []}</tool_call>',
        '<tool_call>\n{"name": "a"',
    ],
)
def test_what_is_no_call_stays_text(text: str) -> None:
    assert calls_in(text) == (text, [])


def test_templates_that_know_tools_are_recognised() -> None:
    assert known_to("{% if tools %}{{ tools }}{% endif %}{{ message.tool_calls }}")
    assert not known_to("{{ message.content }}")
    assert not known_to(None)
