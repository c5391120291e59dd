"""OpenAI's stored completions and batches, and logs of requests; the samples have the shapes of its API reference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openai
import pytest
from engine import Engine

from journeyman.capture.files import FileReport, read_files

SAMPLES = Path(__file__).parents[1] / "samples"


def read(tmp_path: Path, *values: Any) -> FileReport:
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(value) + "\n" for value in values), "utf-8")
    return read_files([path])[0]


def completion(text: str = "hello", **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {"id": "c1", "object": "chat.completion", "created": 1742117400, "choices": [choice], **more}


ASKED = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize("order", [1, -1])
def test_stored_completions_meet_their_messages(order: int) -> None:
    paths = [SAMPLES / "openai-stored.json", SAMPLES / "openai-stored-messages.json"][::order]
    (session,) = [session for report in read_files(paths) for session in report.sessions]
    assert (session.key, session.user) == ("poems", "ann")
    assert [turn.content for turn in session.turns] == ["write a haiku about ai", "Mind of circuits hum."]


def test_a_completion_without_its_messages_says_what_is_missing() -> None:
    for name, missing in (("openai-stored.json", "its messages"), ("openai-stored-messages.json", "the completion")):
        (report,) = read_files([SAMPLES / name])
        assert report.sessions == []
        assert f"import the file with {missing} in the same command" in report.refused[0].reason


@pytest.mark.parametrize("order", [1, -1])
def test_a_batch_is_its_two_files(order: int) -> None:
    paths = [SAMPLES / "openai-batch-input.jsonl", SAMPLES / "openai-batch-output.jsonl"][::order]
    reports = read_files(paths)
    sessions = [session for report in reports for session in report.sessions]
    assert [[turn.content for turn in each.turns] for each in sessions] == [
        ["Be brief.", "Name a duck.", "Mallard."],
        ["Be brief.", "Name an owl.", "Barn owl."],
    ]
    (refusal,) = [refusal for report in reports for refusal in report.refused]
    assert refusal.line == 3
    assert "completion window expired" in refusal.reason


def test_two_batches_are_not_mixed(tmp_path: Path) -> None:
    asked = {"custom_id": "1", "body": ASKED}
    answered = {"custom_id": "1", "response": {"status_code": 200, "body": completion()}}
    other = {"custom_id": "1", "response": {"status_code": 200, "body": completion("other")}}
    assert len(read(tmp_path, asked, asked, answered).sessions) == 1
    report = read(tmp_path, asked, answered, other)
    assert (report.sessions, len(report.refused)) == ([], 1)
    assert "one batch at a time" in report.refused[0].reason


ITEM = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hello"}]}
DELTA = {"index": 0, "delta": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}


@pytest.mark.parametrize(
    "line",
    [
        {"request": ASKED, "response": completion()},
        {"request": {"body": ASKED}, "response": {"status_code": 200, "body": completion()}},
        {"request": json.dumps(ASKED), "response": json.dumps(completion())},
        {**completion(), "messages": ASKED["messages"]},
        {"object": "response", "id": "r", "input": "hi", "output": [ITEM]},
        {"request": ASKED, "response": f"data: {json.dumps({'id': 'c1', 'choices': [DELTA]})}"},
    ],
)
def test_lines_of_every_shape(tmp_path: Path, line: Any) -> None:
    report = read(tmp_path, line)
    assert report.refused == []
    assert [turn.content for turn in report.sessions[0].turns] == ["hi", "hello"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"request": ASKED, "response": {"error": {"message": "too many"}}}, "the call failed (too many)"),
        ({"request": ASKED, "response": None}, "no answer in the response"),
        ({"request": {"prompt": "hi"}, "response": completion()}, "neither 'messages' nor 'input'"),
        ({"request": "hi", "response": completion()}, "the request is no object"),
        ({"request": {"messages": [{"role": "x"}]}, "response": completion()}, "unknown role 'x'"),
        ({"request": {"messages": []}, "response": completion()}, "what went before is not here"),
        ({"object": "list", "data": [{"id": "asst_1", "object": "assistant"}]}, "neither a completion nor a message"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, line: Any, reason: str) -> None:
    report = read(tmp_path, {"request": ASKED, "response": completion()}, line)
    assert len(report.sessions) == 1
    assert [refusal.line for refusal in report.refused] == [2]
    assert reason in report.refused[0].reason


def test_a_log_of_the_real_sdk_is_its_conversation(tmp_path: Path, engine: Engine) -> None:
    """An agent's requests and responses, as the SDK sends and returns them; the answers also as OpenAI streams them."""
    asking = openai.OpenAI(base_url=f"{engine.url}/v1", api_key="none")
    messages: list[Any] = [{"role": "user", "content": "call look"}]
    lines: list[Any] = []
    for streamed in (False, True):
        raw = asking.chat.completions.with_raw_response.create(model="m", messages=messages, stream=streamed)
        lines.append({"request": {"model": "m", "messages": messages}, "response": raw.http_response.read().decode()})
        if not streamed:
            answer = raw.parse().choices[0].message.model_dump(exclude_none=True)
            messages = [*messages, answer, {"role": "tool", "tool_call_id": "c1", "content": "say seen"}]
    (session,) = read(tmp_path, *lines[::-1]).sessions
    assert [(turn.role, turn.content) for turn in session.turns] == [
        ("user", "call look"),
        ("assistant", ""),
        ("tool", "say seen"),
        ("assistant", "seen"),
    ]


def test_calls_without_a_name_are_told_apart_in_whatever_file_they_are(tmp_path: Path) -> None:
    """A log that was rolled has a first line in each of its files, and some engines give no id, or one for all."""

    def line(word: str, **more: Any) -> dict[str, Any]:
        asked = {"model": "m", "messages": [{"role": "user", "content": word}]}
        return {"request": asked, "response": {**completion(f"{word}!"), "id": None, **more}}

    files = {"log.1": [line("a"), line("b", id="same")], "log.2": [line("c"), line("d", id="same")]}
    for name, values in files.items():
        (tmp_path / name).write_text("".join(json.dumps(value) + "\n" for value in values), "utf-8")
    (tmp_path / "list").write_text(json.dumps([line("e"), line("f")]), "utf-8")
    reports = read_files([tmp_path / "log.1", tmp_path / "log.2", tmp_path / "list"])
    found = [["".join(turn.content for turn in each.turns) for each in report.sessions] for report in reports]
    assert [sorted(each) for each in found] == [["aa!", "bb!"], ["cc!", "dd!"], ["ee!", "ff!"]]
    moved = read(tmp_path, line("first now"), line("c"))
    assert {each.id for each in reports[1].sessions} & {each.id for each in moved.sessions}, "it is where it was not"
