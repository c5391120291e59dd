"""Examples for fine-tuning: what is learnt, what is left out, and what comes back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam
from pydantic import TypeAdapter
from served import Served

from journeyman.capture import finetuning, read_sessions
from journeyman.capture.conversations import Conversation
from journeyman.capture.messages import session_from
from journeyman.cli import main
from journeyman.records import Exchange, Remark, Session
from journeyman.store import open_store

MESSAGES = TypeAdapter(list[ChatCompletionMessageParam])
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
CALL = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}


def exchange(request: Any = None, **more: Any) -> Exchange:
    return Exchange("r", "s", json.dumps(request or {}).encode(), "2026", **{"ending": "complete", **more})


def talk(*words: str | dict[str, Any], remarks: Any = (), answers: Any = None) -> Conversation:
    """Words take turns, from the user's on; a message stands for itself."""
    messages = [
        each if isinstance(each, dict) else {"role": "user" if not n % 2 else "assistant", "content": each}
        for n, each in enumerate(words)
    ]
    session = session_from({"messages": messages})
    return Conversation(Session(session.turns, remarks=tuple(remarks)), answers or {})


def contents(example: Any) -> list[Any]:
    return [(each["content"], each.get("weight")) for each in example["messages"]]


@pytest.mark.parametrize(
    ("remarks", "answers", "expected"),
    [
        ([], {}, [("a", None), ("b", None), ("c", None), ("d", None)]),
        ([Remark(1, rating=0.4)], {}, [("a", None), ("b", 0), ("c", None), ("d", None)]),
        ([Remark(3, rating=0)], {}, [("a", None), ("b", None)]),
        ([Remark(1, rating=0), Remark(3, rating=0)], {}, None),
        ([Remark(1, rating=0), Remark(1, rating=0.5)], {}, [("a", None), ("b", None), ("c", None), ("d", None)]),
        ([Remark(3, rating=0), Remark(3, better="D")], {}, [("a", None), ("b", None), ("c", None), ("D", None)]),
        ([Remark(1, better="B")], {}, [("a", None), ("B", None), ("c", None), ("d", None)]),
        ([], {3: exchange(ending="cut by client")}, [("a", None), ("b", None)]),
        ([], {1: exchange(details={"finish_reason": "length"})}, [("a", None), ("b", 0), ("c", None), ("d", None)]),
    ],
)
def test_what_is_learnt(remarks: Any, answers: Any, expected: Any) -> None:
    found = finetuning.example(talk("a", "b", "c", "d", remarks=remarks, answers=answers))
    assert (found and contents(found)) == expected


def called(*results: Any, **more: Any) -> Conversation:
    return talk("a", {"role": "assistant", "tool_calls": [CALL]}, *results, **more)


RESULT = {"role": "tool", "tool_call_id": "c", "content": "r"}
DONE = {"role": "assistant", "content": "done"}


def test_calls_and_their_results_are_kept_and_tools_where_they_are_known() -> None:
    known = {3: exchange({"messages": [], "tools": [TOOL, {"type": "web_search"}]})}
    found = finetuning.example(called(RESULT, DONE, answers=known))
    assert found == {
        "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "tool_calls": [CALL]},
            RESULT,
            DONE,
        ],
        "tools": [TOOL],
    }
    flat = {3: exchange({"input": "a", "tools": [{"type": "function", **TOOL["function"]}]})}
    assert finetuning.example(called(RESULT, DONE, answers=flat)) == found
    assert "tools" not in (finetuning.example(called(RESULT, DONE)) or {})


@pytest.mark.parametrize(
    "wrong",
    [
        called(DONE),
        called({**RESULT, "tool_call_id": "x"}, DONE),
        called(RESULT, RESULT, DONE),
        talk("a", RESULT, DONE),
        talk("a"),
        talk("a", ""),
        talk({"role": "assistant", "content": "b"}, {"role": "assistant", "content": "c"}, "d"),
    ],
)
def test_what_would_be_refused_is_no_example(wrong: Conversation) -> None:
    assert finetuning.example(wrong) is None


def test_a_better_answer_than_a_call_ends_the_example() -> None:
    found = finetuning.example(called(RESULT, DONE, remarks=[Remark(1, better="No need.")]))
    assert found == {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "No need."}]}


@pytest.mark.parametrize(
    "better",
    [
        '{"name": "look", "arguments": {"at": "ü"}}',
        '<tool_call>\n{"arguments": {"at": "ü"}, "name": "look"}\n</tool_call>',
        '{"name": "look", "arguments": "{\\"at\\": \\"ü\\"}"}',
    ],
)
def test_a_better_answer_that_is_a_call_is_one(better: str) -> None:
    remarks = [Remark(1, better=better)]
    for said in (talk("a", "b", "c", "d", remarks=remarks), called(RESULT, DONE, remarks=remarks)):
        found = finetuning.example(said)
        assert found
        MESSAGES.validate_python(found["messages"])
        asked, answer = found["messages"]
        assert (asked["content"], answer.get("content")) == ("a", None)
        (call,) = answer["tool_calls"]
        assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("look", {"at": "ü"})
    (pair,) = finetuning.preferences(talk("a", "b", remarks=remarks))
    assert pair["preferred_output"] == [answer]


@pytest.mark.parametrize(
    "better", ['{"name": "look"}', '{"name": 1, "arguments": {}}', '{"name": "x", "arguments": 3}']
)
def test_a_better_answer_that_only_looks_like_a_call_is_a_text(better: str) -> None:
    found = finetuning.example(talk("a", "b", remarks=[Remark(1, better=better)]))
    assert found == {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": better}]}


def test_better_answers_make_pairs() -> None:
    said = talk("a", "b", "c", "d", remarks=[Remark(3, better="D"), Remark(1, better="B", rating=0)])
    first, second = finetuning.preferences(said)
    assert first == {
        "input": {"messages": [{"role": "user", "content": "a"}]},
        "preferred_output": [{"role": "assistant", "content": "B"}],
        "non_preferred_output": [{"role": "assistant", "content": "b"}],
    }
    assert len(second["input"]["messages"]) == 3
    assert list(finetuning.preferences(called(RESULT, DONE, remarks=[Remark(1, better="x")]))) == []


def test_a_served_agent_is_exported_and_imported_again(
    serve: Callable[..., Served], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the gateway kept of an agent, its feedback and its consent, out of one store and into another."""
    served = serve()
    asking = openai.OpenAI(base_url=served.url, api_key="none")
    messages: Any = [{"role": "user", "content": "call look"}]
    answer = asking.chat.completions.create(model="m", messages=messages, tools=[TOOL])  # type: ignore[list-item]
    messages += [answer.choices[0].message.model_dump(exclude_none=True)]
    messages += [{"role": "tool", "tool_call_id": "c1", "content": "say seen"}]
    asking.chat.completions.create(model="m", messages=messages, tools=[TOOL])  # type: ignore[list-item]
    rated = asking.chat.completions.create(model="m", messages=[{"role": "user", "content": "say 41"}])
    private = {"x-journeyman-purposes": "serve"}
    asking.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "say it to nobody"}], extra_headers=private
    )
    receipt = rated.model_extra["journeyman"]["receipt"] if rated.model_extra else ""
    served.end()

    def run(*words: object) -> str:
        assert main([*map(str, words), "--store", str(served.store)]) == 0
        return capsys.readouterr().out

    run("feedback", receipt, "--rating", "0", "--correction", "It is 42.", "--better", "42")
    lines = [json.loads(line) for line in run("sessions", "export", "--format", "openai").splitlines()]
    assert [len(line["messages"]) for line in lines] == [4, 2], "what is only served is not there"
    assert (lines[0]["tools"], contents(lines[1])[-1]) == ([TOOL], ("42", None))
    for line in lines:
        MESSAGES.validate_python(line["messages"])
    pairs = [json.loads(line) for line in run("sessions", "export", "--format", "preference").splitlines()]
    assert [pair["non_preferred_output"][0]["content"] for pair in pairs] == ["41"]
    assert len(run("sessions", "export", "--format", "openai", "--purpose", "serve").splitlines()) == 3

    examples, all_of_it = tmp_path / "examples.jsonl", tmp_path / "all.jsonl"
    examples.write_text("".join(json.dumps(line) + "\n" for line in lines))
    again = read_sessions(examples)
    assert again.refused == []
    assert [finetuning.example(Conversation(each, {})) for each in again.sessions] == [
        {"messages": line["messages"]} for line in lines
    ]
    all_of_it.write_text(run("sessions", "export"))
    listed = json.loads(run("sessions", "list", "--json"))["sessions"]
    other = tmp_path / "other.db"
    assert main(["import", str(all_of_it), "--store", str(other)]) == 0
    with open_store(other) as store:
        kept = store.sessions()
    assert [each.id for each in kept] == [each["id"] for each in listed]
    assert kept[1].remarks == (Remark(1, rating=0.0, correction="It is 42.", better="42"),)
    capsys.readouterr()
    assert main(["sessions", "export", "--store", str(other)]) == 0
    exported = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["id"] for each in exported] == [each["id"] for each in listed], "and again"
