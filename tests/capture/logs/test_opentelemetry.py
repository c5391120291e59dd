"""Spans of OpenTelemetry.

The samples were written by opentelemetry-instrumentation-openai-v2 2.4b0 and opentelemetry-util-genai 0.4b0 over
openai's SDK: an agent that calls a tool, the next question in another trace, streamed, and a call that fails.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from journeyman.capture.files import read_files
from journeyman.records import ToolCall

SAMPLES = Path(__file__).parents[1] / "samples"


def lines(name: str) -> list[Any]:
    return [json.loads(line) for line in (SAMPLES / name).read_text("utf-8").splitlines()]


def attribute(name: str, value: Any) -> dict[str, Any]:
    return {"key": name, "value": value if isinstance(value, dict) else {"stringValue": value}}


def span(
    id: str = "a", trace: str = "t", events: Any = (), started: int = 1, status: Any = None, **attributes: Any
) -> dict[str, Any]:
    named = {name.replace("__", "."): value for name, value in attributes.items()}
    texts = {name: value if isinstance(value, str | dict) else json.dumps(value) for name, value in named.items()}
    value = {
        "traceId": trace,
        "spanId": id,
        "name": f"chat {id}",
        "startTimeUnixNano": str(started * 10**9),
        "attributes": [attribute(name, value) for name, value in texts.items()],
        "events": list(events),
        "status": status or {},
    }
    return {"resourceSpans": [{"scopeSpans": [{"spans": [value]}]}]}


def said(role: str, *parts: Any) -> dict[str, Any]:
    return {
        "role": role,
        "parts": [{"type": "text", "content": each} if isinstance(each, str) else each for each in parts],
    }


def chat(*messages: Any, answer: Any, **more: Any) -> dict[str, Any]:
    return span(gen_ai__input__messages=list(messages), gen_ai__output__messages=[answer], **more)


def read(tmp_path: Path, *values: Any) -> Any:
    path = tmp_path / "spans.jsonl"
    path.write_text("".join(json.dumps(value) + "\n" for value in values), "utf-8")
    return read_files([path])[0]


@pytest.mark.parametrize(
    "names",
    [
        ["opentelemetry-spans.jsonl"],
        ["opentelemetry-events.jsonl"],
        ["opentelemetry-1.36-logs.jsonl"],
        ["opentelemetry-1.36-spans.jsonl", "opentelemetry-1.36-logs.jsonl"],
        ["opentelemetry-1.36-logs.jsonl", "opentelemetry-1.36-spans.jsonl", "opentelemetry-1.36-logs.jsonl"],
    ],
)
def test_what_the_instrumentations_write_is_one_session(names: list[str]) -> None:
    reports = read_files([SAMPLES / name for name in names])
    (session,) = [session for report in reports for session in report.sessions]
    assert [(turn.role, turn.content) for turn in session.turns] == [
        ("system", "You look things up."),
        ("user", "call look"),
        ("assistant", ""),
        ("tool", "say The answer is 41."),
        ("assistant", "The answer is 41."),
        ("user", "say No, it is 42."),
        ("assistant", "No, it is 42."),
    ]
    (call,) = session.turns[2].tool_calls
    assert (call.id, call.name, json.loads(call.arguments)) == ("c1", "look", {"a": 1})
    assert session.turns[3].tool_call_id == "c1"
    assert session.started_at.startswith("20")
    (refused,) = [refusal.reason for report in reports for refusal in report.refused]
    assert "there is no answer" in refused
    if "opentelemetry-spans.jsonl" in names or "opentelemetry-1.36-spans.jsonl" in names:
        assert "the call failed (Error code: 500" in refused


def test_one_document_is_read_as_lines_are(tmp_path: Path) -> None:
    whole = {"resourceSpans": [each for line in lines("opentelemetry-spans.jsonl") for each in line["resourceSpans"]]}
    path = tmp_path / "spans.json"
    path.write_text(json.dumps(whole, indent=1), "utf-8")
    (report,) = read_files([path])
    assert report.sessions == read_files([SAMPLES / "opentelemetry-spans.jsonl"])[0].sessions


def test_a_file_that_is_read_twice_or_backwards_says_the_same(tmp_path: Path) -> None:
    sample = lines("opentelemetry-spans.jsonl")
    assert read(tmp_path, *sample[::-1], *sample).sessions == read(tmp_path, *sample).sessions


def test_spans_without_what_was_said_say_what_to_do() -> None:
    (report,) = read_files([SAMPLES / "opentelemetry-1.36-spans.jsonl"])
    assert report.sessions == []
    assert [refusal.line for refusal in report.refused] == [1, 2, 4, 6]
    assert "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT" in report.refused[0].reason


def test_a_conversation_has_its_name_its_user_and_its_instructions(tmp_path: Path) -> None:
    more: Any = {"gen_ai__conversation__id": "conv_1", "user__id": "ann"}
    instructions = [{"type": "text", "content": "Be brief."}]
    report = read(
        tmp_path,
        chat(said("user", "hi"), answer=said("assistant", "hello"), gen_ai__system_instructions=instructions, **more),
    )
    (session,) = report.sessions
    assert (session.key, session.user) == ("conv_1", "ann")
    assert [turn.content for turn in session.turns] == ["Be brief.", "hi", "hello"]
    assert session.started_at == "1970-01-01T00:00:01.000000+00:00"


RESULTS = [("a", "response", {"x": 1}), ("b", "result", "y")]


def test_parts_of_every_kind(tmp_path: Path) -> None:
    thought = {"type": "reasoning", "content": "hm"}
    image = {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "aGk="}
    calls = [{"type": "tool_call", "id": id, "name": "f", "arguments": None} for id in "ab"]
    results = [{"type": "tool_call_response", "id": id, name: each} for id, name, each in RESULTS]
    report = read(
        tmp_path,
        chat(
            said("Human", "look", image),
            said("AI", thought, "well", *calls),
            said("tool", *results),
            answer={**said("assistant", thought, "done"), "finish_reason": "stop"},
        ),
    )
    (session,) = report.sessions
    assert [(turn.role, turn.content) for turn in session.turns] == [
        ("user", "look\n[image]"),
        ("assistant", "well"),
        ("tool", '{"x": 1}'),
        ("tool", "y"),
        ("assistant", "done"),
    ]
    assert session.turns[1].tool_calls == (ToolCall("a", "f", ""), ToolCall("b", "f", ""))
    assert [turn.tool_call_id for turn in session.turns[2:4]] == ["a", "b"]


def event(name: str, time: int, **attributes: str) -> dict[str, Any]:
    named = [attribute(key.replace("__", "."), value) for key, value in attributes.items()]
    return {"name": name, "timeUnixNano": str(time), "attributes": named}


PROMPT = '[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]'


@pytest.mark.parametrize(
    "events",
    [
        [
            event("gen_ai.choice", 3, gen_ai__event__content='{"index": 0, "message": {"content": "hello"}}'),
            event("gen_ai.system.message", 1, gen_ai__event__content='{"content": "Be brief."}'),
            event("gen_ai.user.message", 2, gen_ai__event__content='{"role": "user", "content": "hi"}'),
            event("gen_ai.choice", 4, gen_ai__event__content='{"index": 1, "message": {"content": "another"}}'),
        ],
        [
            event("gen_ai.system.message", 1, content="Be brief."),
            event("gen_ai.user.message", 2, content="hi"),
            event("gen_ai.choice", 3, message='{"content": "hello"}'),
            event("exception", 4),
        ],
        [
            event("gen_ai.content.prompt", 1, gen_ai__prompt=PROMPT),
            event("gen_ai.content.completion", 2, gen_ai__completion='[{"role": "assistant", "content": "hello"}]'),
        ],
    ],
)  # fmt: skip
def test_events_of_a_span(tmp_path: Path, events: Any) -> None:
    report = read(tmp_path, span(events=events))
    (session,) = report.sessions
    assert [(turn.role, turn.content) for turn in session.turns] == [
        ("system", "Be brief."),
        ("user", "hi"),
        ("assistant", "hello"),
    ]


def test_an_agents_span_counts_only_where_no_call_speaks(tmp_path: Path) -> None:
    agent = chat(said("user", "hi"), answer=said("assistant", "done"), id="b", gen_ai__operation__name="invoke_agent")
    silent = span(id="c", gen_ai__operation__name="execute_tool")
    model = chat(said("system", "Be brief."), said("user", "hi"), answer=said("assistant", "done"))
    assert [len(each.turns) for each in read(tmp_path, agent, silent, model).sessions] == [3]
    alone = read(tmp_path, agent, silent)
    assert ([len(each.turns) for each in alone.sessions], alone.refused) == ([2], [])


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (span(gen_ai__input__messages='[{"role": "us', gen_ai__output__messages="[]"), "LENGTH_LIMIT"),
        (span(gen_ai__input__messages=[said("user", "hi")]), "there is no answer"),
        (chat(answer=said("assistant", "x")), "neither a text nor a list"),
        (chat(said("alien", "hi"), answer=said("assistant", "x")), "unknown role 'alien'"),
        (chat({"parts": []}, answer=said("assistant", "x")), "no role"),
        (chat(said("user", "hi"), answer=said("user", "x")), "not the assistant's"),
        (chat(said("user", {"type": "compaction"}), answer=said("assistant", "x")), "compacted"),
        (span(gen_ai__operation__name="chat"), "CAPTURE_MESSAGE_CONTENT"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(tmp_path: Path, value: Any, reason: str) -> None:
    report = read(tmp_path, {"resourceMetrics": []}, value)
    assert report.sessions == []
    assert [refusal.line for refusal in report.refused] == [2]
    assert reason in report.refused[0].reason
    assert "span" in report.refused[0].reason


@pytest.mark.parametrize(
    "value",
    [
        {"resourceSpans": [1, {"scopeSpans": [None, {"spans": [1, {}, {"attributes": [1, {"key": "x"}]}]}]}]},
        {"resourceSpans": [{"scopeSpans": [{"spans": [{"events": [1, {}], "status": 3, "startTimeUnixNano": "x"}]}]}]},
        {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": 1}, {"body": {"kvlistValue": 1}}]}]}]},
        span(x={"arrayValue": {"values": None}}, y={"kvlistValue": {}}, z={}, n={"intValue": "no"}),
    ],
)
def test_other_spans_and_broken_values_are_passed_over(tmp_path: Path, value: Any) -> None:
    report = read(tmp_path, value)
    assert (report.sessions, report.refused) == ([], [])


def record(name: str, words: Any = None, **attributes: Any) -> dict[str, Any]:
    """A log record of an application that records no traces."""
    given = [attribute(key.replace("__", "."), json.dumps(value)) for key, value in attributes.items()]
    body = {"kvlistValue": {"values": [attribute("content", words)]}} if words else None
    none = {"traceId": "0" * 32, "spanId": "0" * 16}
    logged = {**none, "timeUnixNano": "5", "eventName": name, "attributes": given, "body": body}
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": [logged]}]}]}


def test_whole_calls_that_name_no_span_are_each_one(tmp_path: Path) -> None:
    records = [
        record(
            "gen_ai.client.inference.operation.details",
            gen_ai__input__messages=[said("user", word)],
            gen_ai__output__messages=[said("assistant", f"{word}!")],
        )
        for word in ("a", "b", "a")
    ]
    report = read(tmp_path, *records)
    assert report.refused == []
    assert [[turn.content for turn in each.turns] for each in report.sessions] == [["a", "a!"], ["b", "b!"]]


def test_pieces_that_name_no_span_are_no_conversation(tmp_path: Path) -> None:
    pieces = [
        record(name, word)
        for word in ("a", "b")
        for name, word in (("gen_ai.user.message", word), ("gen_ai.choice", f"{word}!"))
    ]
    report = read(tmp_path, *pieces, chat(said("user", "hi"), answer=said("assistant", "hello")))
    assert [[turn.content for turn in each.turns] for each in report.sessions] == [["hi", "hello"]]
    assert [refusal.line for refusal in report.refused] == [1, 2, 3, 4]
    assert "it names no span" in report.refused[0].reason
