"""Conversations in the shapes that others write, and every way in which one can be wrong."""

from __future__ import annotations

import json
import re

import pytest

from journeyman.capture.messages import UnreadableError, receipts, session_from
from journeyman.records import PURPOSES, Session, ToolCall, Turn

USER = {"role": "user", "content": "hi"}
HI = Session((Turn("user", "hi"),))


# -- OpenAI chat


def test_a_chat_with_tools_is_read_whole() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"n": 1}'}}
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "Find one.", "name": "ann"},
        {"role": "assistant", "content": None, "tool_calls": [call], "logprobs": [0.1]},
        {"role": "tool", "tool_call_id": "c1", "content": "found"},
        {"role": "assistant", "content": "There it is."},
    ]
    value = {
        "id": "s1",
        "user": "ann",
        "topic": "t",
        "created_at": "2026-03-16T01:00:00Z",
        "messages": messages,
    }
    assert session_from(value | {"model": "m", "usage": {"tokens": 3}}) == Session(
        (
            Turn("system", "Be brief."),
            Turn("user", "Find one.", name="ann"),
            Turn("assistant", "", (ToolCall("c1", "find", '{"n": 1}'),)),
            Turn("tool", "found", tool_call_id="c1"),
            Turn("assistant", "There it is."),
        ),
        key="s1",
        user="ann",
        topic="t",
        started_at="2026-03-16T01:00:00Z",
    )


def test_the_functions_of_older_logs_are_tools() -> None:
    messages = [
        USER,
        {"role": "assistant", "content": None, "function_call": {"name": "find", "arguments": {"q": "ü"}}},
        {"role": "function", "name": "find", "content": "found"},
    ]
    assert session_from({"messages": messages}).turns[1:] == (
        Turn("assistant", "", (ToolCall("", "find", '{"q": "ü"}'),)),
        Turn("tool", "found", name="find"),
    )


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "a\nb"),
        (
            [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": "data:"}}],
            "see\n[image]",
        ),
        ([{"type": "input_audio", "input_audio": {}}, {"type": "file", "file": {}}], "[audio]\n[file]"),
        (
            [{"type": "input_text", "text": "a"}, {"type": "refusal", "refusal": "no"}, "plain"],
            "a\nno\nplain",
        ),
        ([], ""),
    ],
)
def test_content_in_parts_becomes_text(content: object, text: str) -> None:
    assert session_from({"messages": [{"role": "user", "content": content}]}).turns[0].content == text


def test_an_assistant_that_refused_or_said_nothing_is_kept() -> None:
    messages = [
        USER,
        {"role": "assistant", "content": None, "refusal": "I cannot."},
        USER,
        {"role": "assistant"},
    ]
    assert [turn.content for turn in session_from(messages).turns] == ["hi", "I cannot.", "hi", ""]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"session_id": "s", "title": "t"}, Session(HI.turns, key="s", topic="t")),
        ({"id": "i", "session_id": "s", "topic": "t", "title": "u"}, Session(HI.turns, key="i", topic="t")),
        ({"id": 7, "user": 8, "topic": None}, Session(HI.turns, key="7", user="8")),
        ({"id": "", "session_id": "s"}, Session(HI.turns, key="s")),
        ({"created": 1742086800}, Session(HI.turns, started_at="2025-03-16T01:00:00+00:00")),
        ({"created": 1742086800123}, Session(HI.turns, started_at="2025-03-16T01:00:00.123000+00:00")),
        ({"started_at": "yesterday", "created": 1}, Session(HI.turns, started_at="yesterday")),
    ],
)
def test_names_and_times(fields: dict[str, object], expected: Session) -> None:
    assert session_from({"messages": [USER], **fields}) == expected


# -- BFCL memory


def test_bfcl_memory_is_read() -> None:
    value = {
        "id": "memory_prereq_0-customer-0",
        "topic": "First inquiry",
        "question": [[USER], [{"role": "user", "content": "more"}, {"role": "user", "content": "and more"}]],
        "involved_classes": ["MemoryAPI"],
        "scenario": "customer",
    }
    assert session_from(value) == Session(
        (Turn("user", "hi"), Turn("user", "more"), Turn("user", "and more")),
        key="memory_prereq_0-customer-0",
        user="customer",
        topic="First inquiry",
    )


# -- refusals


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ([], "the conversation is empty"),
        ({"messages": []}, "the conversation is empty"),
        ({"question": [[], []]}, "the conversation is empty"),
        ({"messages": [{"role": "assistant", "content": "hi"}]}, "no turn of a user"),
        (
            {"messages": [{"role": "bot", "content": "hi"}]},
            "message 1 has the unknown role 'bot' (known: system,",
        ),
        ({"messages": [USER, {"content": "hi"}]}, "message 2 has the unknown role None"),
        ({"messages": [{"role": ["user"], "content": "hi"}]}, "unknown role ['user']"),
        ({"messages": [{"role": "user" * 999, "content": "hi"}]}, "useruseruseruseruseruseruseruseruser..."),
        ({"messages": [USER, "hi"]}, "message 2 is text, not an object"),
        ({"messages": "hi"}, "messages is text, not a list"),
        ({"messages": None}, "messages is null, not a list"),
        ({"messages": [{"role": "user", "content": None}]}, "the content of message 1 is null, not text"),
        ({"messages": [{"role": "user", "content": 5}]}, "the content of message 1 is a number, not text"),
        (
            {"messages": [{"role": "user", "content": [{"text": "hi"}]}]},
            "message 1 has a part without a type",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "content of message 1 is null, not text",
        ),
        ({"messages": [USER, {"role": "assistant", "tool_calls": "x"}]}, "tool_calls of message 2 is text"),
        (
            {"messages": [USER, {"role": "assistant", "tool_calls": [{}]}]},
            "tool call of message 2 has no function",
        ),
        (
            {"messages": [USER, {"role": "assistant", "tool_calls": [{"function": {"arguments": ""}}]}]},
            "tool call of message 2 has no function name",
        ),
        (
            {"messages": [USER, {"role": "tool", "tool_call_id": 1}]},
            "the tool_call_id of message 2 is a number",
        ),
        ({"messages": [USER], "id": {}}, "the id is an object, not text"),
        ({"messages": [USER], "user": True}, "the user is true or false, not text"),
        ({"messages": [USER], "created": [1]}, "created is a list, not a time"),
        ({"messages": [USER], "created": -1}, "created is not a time in seconds since 1970: -1"),
        ({"messages": [USER], "created": float("nan")}, "created is not a time in seconds since 1970: nan"),
        ({"messages": [USER], "created": 10**400}, "created is not a time in seconds since 1970: 1000"),
        ({"question": "hi"}, "question is text, not a list"),
        ({"question": [USER]}, "question 1 is an object, not a list"),
        (USER, "one message is not a conversation"),
        ({"prompt": "hi"}, "neither 'messages' nor 'question'"),
        ("hi", "expected a conversation (a JSON object), found text"),
        (5, "found a number"),
        (None, "found null"),
    ],
)
def test_what_is_not_a_conversation_is_refused_with_the_reason(value: object, why: str) -> None:
    with pytest.raises(UnreadableError, match=re.escape(why)):
        session_from(value)


def test_our_own_export_is_the_session_that_it_was() -> None:
    value = {"id": "x", "name": "chat-7", "user": "ann", "messages": [USER, {"role": "assistant", "content": "a"}]}
    feedback = [{"rating": 0.5, "correction": "no"}, {"better": "b"}, {"outcome": "1"}]
    session = session_from({**value, "turns": [{}, {"receipt": "r", "feedback": feedback}]})
    assert (session.key, session.user) == ("chat-7", "ann")
    assert [remark.to_json() for remark in session.remarks] == [
        {"turn": 1, "rating": None, "correction": "", "better": "", "outcome": ""} | said for said in feedback
    ]
    assert (session.purposes, session.cut) == (PURPOSES, ())
    for wrong in (
        7,
        [7],
        [{"stars": 1}],
        [{"rating": "1"}],
        [{"rating": True}],
        [{"rating": float("nan")}],
        [{"better": None}],
    ):
        with pytest.raises(UnreadableError, match="feedback"):
            session_from({**value, "turns": [{"feedback": wrong}]})


def test_our_own_export_says_what_it_may_be_used_for_and_what_was_cut() -> None:
    answer = {"role": "assistant", "content": "a"}
    value = {"name": "chat-7", "messages": [USER, answer, USER, answer, USER, answer]}
    turns = [
        *({}, {"receipt": "r1", "ending": "complete", "finish_reason": "length", "purposes": ["train", "serve"]}),
        *({}, {"receipt": "r2", "ending": "complete", "finish_reason": "stop", "purposes": ["serve", "dream", "new"]}),
        *({}, {"receipt": "r3", "ending": "cut by client", "purposes": [*PURPOSES]}),
    ]
    session = session_from({**value, "turns": turns})
    assert (session.purposes, session.cut) == (("serve",), (1, 5))
    assert receipts({**value, "turns": turns}) == ("r1", "r2", "r3")
    assert receipts(value) == receipts([USER]) == ()
    assert session.id == session_from({**value, "turns": []}).id, "the same session, whatever it may be used for"
    assert Session.from_json(json.loads(json.dumps(session.to_json()))) == session
    assert session_from({**value, "turns": [{"purposes": []}]}).purposes == ()
    with pytest.raises(UnreadableError, match="purposes of message 1 is text"):
        session_from({**value, "turns": [{"purposes": "serve"}]})
