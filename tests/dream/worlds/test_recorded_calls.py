"""Calls out of sessions, whoever wrote them down."""

from __future__ import annotations

import json
from typing import Any

import pytest

from journeyman.dream.worlds.calls import Call, answer, called, recording, recordings, unwritable
from journeyman.errors import InputError
from journeyman.records import Session, ToolCall, Turn


def test_a_session_of_ours() -> None:
    asked = Turn("assistant", "", (ToolCall("c1", "get_book", '{"book_id": "B-1"}'),))
    shown = Turn("tool", '{"book_id": "B-1"}', tool_call_id="c1")
    found = recording(Session((Turn("user", "Is B-1 there?"), asked, shown)))
    assert found.calls == (Call("get_book", {"book_id": "B-1"}, True, {"book_id": "B-1"}),)
    assert found.said == ((0, "Is B-1 there?"),)


def test_a_trajectory_with_its_reward() -> None:
    call = {"id": "x", "function": {"name": "lend", "arguments": "{}"}}
    messages = [
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "x", "content": "Error: no"},
    ]
    found = recording({"traj": messages, "reward": 1.0})
    assert found.calls == (Call("lend", {}, False, "no"),)
    assert found.score == 1.0


def test_annotated_utterances() -> None:
    notes = [
        {"name": "api_call", "value": "show", "context": "api_call_0"},
        {"name": "request", "value": '{"of": "maps"}', "context": "api_call_0"},
        {"name": "response", "value": '{"n": 2}', "context": "api_response_0"},
        {"name": "api_call", "value": "show", "context": "api_call_1"},
        {"name": "request", "value": '{"of": ""maps""}', "context": "api_call_1"},
        {"name": "response", "value": '{"n": 2}', "context": "api_response_1"},
    ]
    found = recording({"conversation_id": "d", "utterances": [{"text": "Maps?", "annotations": notes}]})
    assert found.calls == (Call("show", {"of": "maps"}, True, {"n": 2}),)  # the other is no JSON


def test_what_is_an_error() -> None:
    assert answer("Error: gone") == (False, "gone")
    assert answer('{"error": "refused", "message": "gone"}') == (False, "gone")
    assert answer('{"error": null, "a": 1, "b": 2}') == (True, {"error": None, "a": 1, "b": 2})
    assert answer("255.0") == (True, "255.0")


def test_sessions_without_calls_are_left_out() -> None:
    assert recordings([{"messages": [{"role": "user", "content": "Hello"}]}]) == []


@pytest.mark.parametrize(
    "shown",
    ['{"v": NaN}', '{"v": 1e999}', '{"v": ' + "9" * 400 + "}", "[" * 80 + "]" * 80, json.dumps({"a\nb": 1})],
)
def test_what_no_world_could_hold_stays_text(shown: str) -> None:
    assert answer(shown) == (True, shown)


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("get-book", "{}", "x"),
        ("class", "{}", "x"),
        ("refuse_if", "{}", "x"),
        ("get_book", '{"book-id": "B"}', "x"),
        ("get_book", '{"desk": "B"}', "x"),
        ("get_book", "{}", "\ud800"),
    ],
)
def test_a_session_with_a_call_that_cannot_be_written_is_left_out_as_a_whole(
    tool: str, arguments: str, said: str
) -> None:
    def session(tool: str, arguments: str, said: str) -> dict[str, Any]:
        calls = [("get_book", "{}", "{}"), (tool, arguments, said)]
        messages: list[dict[str, Any]] = []
        for id, (name, given, told) in enumerate(calls):
            call = {"id": str(id), "function": {"name": name, "arguments": given}}
            messages.append({"role": "assistant", "tool_calls": [call]})
            messages.append({"role": "tool", "tool_call_id": str(id), "content": told})
        return {"id": tool, "messages": messages}

    found = recordings([session(tool, arguments, said), session("lend", "{}", "{}")])
    assert [each.id for each in found] == ["lend"]
    assert [unwritable(each) for each in called([session(tool, arguments, said)])] == [[tool]]


@pytest.mark.parametrize(
    "session",
    [
        3,
        {"messages": 3},
        {"messages": ["x"]},
        {"messages": [{"tool_calls": [{"function": {}}]}]},
        {"utterances": [{"annotations": [{"value": 1}]}]},
    ],
)
def test_what_is_no_session_ends_in_a_remedy(session: Any) -> None:
    with pytest.raises(InputError, match="session 0"):
        recordings([session])
