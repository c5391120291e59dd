"""Langfuse's exports. The samples have the fields of its published API and of its blob storage's tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from journeyman.capture.files import FileReport, read_files

SAMPLES = Path(__file__).parents[1] / "samples"


def read(tmp_path: Path, *values: Any) -> FileReport:
    path = tmp_path / "export.jsonl"
    path.write_text("".join(json.dumps(value) + "\n" for value in values), "utf-8")
    return read_files([path])[0]


def generation(id: str = "g", **more: Any) -> dict[str, Any]:
    start = "2026-03-16T09:30:00Z"
    said = {"input": [{"role": "user", "content": "hi"}], "output": "hello"}
    return {"id": id, "type": "GENERATION", "traceId": "t", "startTime": start, **said, **more}


def score(**more: Any) -> dict[str, Any]:
    return {"id": "s", "name": "user-feedback", "value": 1, "dataType": "NUMERIC", "source": "API", **more}


def test_generations_of_a_session_and_their_scores() -> None:
    page, scores = read_files([SAMPLES / "langfuse-page.json", SAMPLES / "langfuse-scores.jsonl"])
    (session,) = page.sessions
    assert (session.key, session.user, session.started_at) == ("chat-7", "ann", "2026-03-16T09:30:00.000000+00:00")
    assert [(turn.role, turn.content) for turn in session.turns] == [
        ("system", "You look things up."),
        ("user", "Where is my parcel?"),
        ("assistant", ""),
        ("tool", "In Lyon."),
        ("assistant", "In Paris."),
    ]
    assert session.turns[2].tool_calls[0].arguments == '{"id": 7}'
    rating, better, judged = session.remarks
    assert {remark.turn for remark in session.remarks} == {4}
    assert (rating.rating, rating.correction) == (0.0, "It is in Lyon.")
    assert better.better == "Your parcel is in Lyon."
    assert json.loads(judged.outcome) == {"name": "hallucination", "value": 1, "comment": "Not supported."}
    assert [refusal.reason for refusal in page.refused] == [
        "generation gen-3: there is no answer: the call failed (429 Too Many Requests)"
    ]
    assert [(refusal.line, refusal.reason) for refusal in scores.refused] == [
        (4, "score s4: what it is about is not here; import that with it")
    ]


def test_tables_of_blob_storage() -> None:
    (report,) = read_files([SAMPLES / "langfuse-blob.jsonl"])
    assert [(each.key, each.user, each.turns[-1].content) for each in report.sessions] == [
        ("chat-8", "bob", '{"owls": ["barn", "snowy"]}'),
        ("chat-8", "bob", "Good night!"),
    ]


@pytest.mark.parametrize("format", ["auto", "langfuse"])
def test_tables_with_a_header(format: Any) -> None:
    (report,) = read_files([SAMPLES / "langfuse-table.csv"], format)
    first, second = report.sessions
    assert [turn.content for turn in first.turns] == ["Is it raining,\nor not?", "It is\nnot."]
    assert [turn.content for turn in second.turns] == ["And now?", "Yes.\nTake an umbrella."]
    assert (first.remarks[0].rating, second.remarks) == (1.0, ())
    assert report.refused == []


def test_a_trace_as_it_is_downloaded_counts_its_generations(tmp_path: Path) -> None:
    trace = {"id": "t", "timestamp": "2026-03-16T09:30:00Z", "userId": "ann", "sessionId": "s", "input": "hi"}
    whole = {**trace, "output": "hello", "observations": [generation(traceId=None)], "scores": [score()]}
    for value in (whole, {"trace": trace, "observations": [generation()], "scores": [score(traceId="t")]}):
        (session,) = read(tmp_path, value).sessions
        assert (session.key, session.user, len(session.turns), session.remarks[0].rating) == ("s", "ann", 2, 1.0)
    (session,) = read(tmp_path, {"id": "s", "traces": [{**whole, "sessionId": None}]}).sessions
    assert session.key == "s"


def test_a_trace_alone_is_a_call_and_a_trace_beside_its_generations_is_none(tmp_path: Path) -> None:
    trace = {"id": "t", "timestamp": "2026-03-16T09:30:00Z", "userId": "ann", "input": "hi", "output": "hello"}
    (session,) = read(tmp_path, trace).sessions
    assert (session.key, [turn.content for turn in session.turns]) == ("t", ["hi", "hello"])
    (session,) = read(tmp_path, generation(output="other"), trace).sessions
    assert (session.user, session.turns[1].content) == ("ann", "other")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"value": 0.2, "comment": "no"}, {"rating": 0.2, "correction": "no"}),
        ({"value": 1, "comment": "thanks"}, {"rating": 1.0}),
        ({"name": "thumbs", "value": "False", "dataType": "BOOLEAN"}, {"rating": 0.0}),
        ({"value": 4}, {"outcome": '{"name": "user-feedback", "value": 4}'}),
        ({"source": "EVAL"}, {"outcome": '{"name": "user-feedback", "value": 1}'}),
        ({"name": "relevance", "value": 0.1}, {"outcome": '{"name": "relevance", "value": 0.1}'}),
        (
            {"name": "kind", "dataType": "CATEGORICAL", "stringValue": "good", "value": 0},
            {"outcome": '{"name": "kind", "value": "good"}'},
        ),
        ({"dataType": "CORRECTION", "value": "better"}, {"better": "better"}),
    ],
)
@pytest.mark.parametrize("about", ["observationId", "traceId", "sessionId"])
def test_scores_become_remarks(tmp_path: Path, given: Any, kept: Any, about: str) -> None:
    names = {"observationId": "g", "traceId": "t", "sessionId": "s"}
    report = read(tmp_path, score(**given, **{about: names[about]}), generation(sessionId="s"))
    (remark,) = report.sessions[0].remarks
    assert {name: value for name, value in remark.to_json().items() if value not in (None, "")} == {"turn": 1, **kept}


HI, TEXT = {"role": "user", "content": "hi"}, {"type": "output_text", "text": "x"}
COMPLETION = {"choices": [{"message": {"role": "assistant", "content": "x"}}]}
ITEM = {"type": "message", "role": "assistant", "content": [TEXT]}


@pytest.mark.parametrize(
    ("asked", "answered", "contents"),
    [
        ("hi", {"content": "x", "role": None}, ["hi", "x"]),
        ({"messages": [HI]}, [{"role": "ai", "content": "x"}], ["hi", "x"]),
        ({"instructions": "Be brief.", "input": "hi"}, COMPLETION, ["Be brief.", "hi", "x"]),
        ([HI, {"role": "tool", "content": {"type": "function"}}], "x", ["hi", "x"]),
        (
            [{"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "image_url"}]}],
            [1],
            ["hi\n[image]", "[1]"],
        ),
        ([{"type": "message", **HI}, {"type": "reasoning"}], [ITEM], ["hi", "x"]),
        (HI, {"output": [ITEM]}, ["hi", "x"]),
        (HI, {"output": [1]}, ["hi", '{"output": [1]}']),
    ],
)
def test_inputs_and_outputs_of_every_shape(tmp_path: Path, asked: Any, answered: Any, contents: list[str]) -> None:
    report = read(tmp_path, generation(input=asked, output=answered))
    assert report.refused == []
    assert [turn.content for turn in report.sessions[0].turns] == contents


@pytest.mark.parametrize(
    "said",
    [
        {
            "input": [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": "", "tool_calls": [{"id": "c", "name": "f", "args": {"a": 1}}]},
                {"role": "tool", "tool_call_id": "c", "content": "r"},
            ]
        },
        {
            "input": [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "r"}]},
            ]
        },
    ],
)
def test_tool_calls_of_other_libraries(tmp_path: Path, said: Any) -> None:
    (session,) = read(tmp_path, generation(**said)).sessions
    assert [turn.role for turn in session.turns] == ["user", "assistant", "tool", "assistant"]
    (call,) = session.turns[1].tool_calls
    assert (call.id, call.name, call.arguments) == ("c", "f", '{"a": 1}')
    assert (session.turns[2].tool_call_id, session.turns[2].content) == ("c", "r")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"input": 7}, "neither a text nor a list"),
        ({"input": []}, "neither a text nor a list"),
        ({"input": [{"content": "x"}]}, "no role"),
        ({"output": None}, "no answer"),
        ({"input": [{"role": "user", "content": None}]}, "content of message 1 is null"),
        ({"input": [{"role": "assistant", "content": "x"}]}, "no turn of a user"),
        ({"output": {"role": "assistant", "tool_calls": [3]}}, "a tool call is no object"),
        ({"output": {"role": "assistant", "tool_calls": [{}]}}, "no function name"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "what only the engine knows"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, given: Any, reason: str) -> None:
    report = read(tmp_path, generation("other"), generation(**given))
    assert len(report.sessions) == 1
    (refusal,) = report.refused
    assert refusal.line == 2
    assert "generation g" in refusal.reason
    assert reason in refusal.reason
