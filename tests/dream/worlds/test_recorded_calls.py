"""Calls out of sessions, whoever wrote them down."""

from __future__ import annotations

from journeyman.dream.worlds.calls import Call, answer, recording, recordings
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
