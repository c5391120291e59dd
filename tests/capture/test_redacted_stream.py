"""Of a stream nothing of a find is on the disk, at no moment, however it is cut into events and pieces."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from planted import KINDS, PLANTED, on_the_disk, shows

from journeyman.capture import replies
from journeyman.capture.redacted_stream import RedactedStream
from journeyman.capture.redaction import Redaction
from journeyman.capture.redactors import Usual
from journeyman.records import Exchange
from journeyman.store import open_store

REDACTION = Redaction(Usual())
DONE = b"data: [DONE]\n\n"
lines = st.lists(
    st.sampled_from(["Hello.", "It is here: ", "a line\n", "\n\n", "Grüße 😀 ", "and more, ", "[1] ", "x = 1;"]),
    max_size=8,
).map("".join)


def event(delta: dict[str, Any], end: bytes = b"\n\n", **choice: Any) -> bytes:
    value = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta, **choice}]}
    return b"data: " + json.dumps(value).encode() + end


def cut(text: str, places: list[int]) -> list[str]:
    at = sorted({place % (len(text) + 1) for place in places})
    return [text[one:other] for one, other in zip([0, *at], [*at, len(text)], strict=True)]


def said(body: bytes) -> str:
    """All that the deltas of a body say, put together."""
    message = replies.of_stream(body).message or {}
    calls = [call["function"].get("arguments") or "" for call in message.get("tool_calls", ())]
    return "\n".join([str(message.get("content")), str(message.get("reasoning_content")), *calls])


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(sorted(PLANTED.values())),
    lines,
    lines,
    st.lists(st.integers(0, 10_000), max_size=30),
    st.lists(st.integers(0, 100_000), max_size=30),
    st.sampled_from(["content", "reasoning_content", "arguments"]),
    st.sampled_from([b"\n\n", b"\r\n\r\n"]),
)
def test_no_split_shows_it(
    secret: str, before: str, after: str, places: list[int], splits: list[int], field: str, end: bytes
) -> None:
    text = f"{before} {secret} {after}"
    if field == "arguments":
        text = json.dumps({"text": text})
    pieces = cut(text, places)
    if field == "arguments":
        deltas = [{"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in pieces]
        deltas[0]["tool_calls"][0] |= {"id": "t", "function": {"name": "f", "arguments": pieces[0]}}
    else:
        deltas = [{field: piece} for piece in pieces]
    body = b"".join(event(delta, end) for delta in deltas) + event({}, end, finish_reason="stop") + DONE
    stream, disk = RedactedStream(REDACTION), b""
    for piece in cut(body.decode("latin-1"), splits):
        stream.add(piece.encode("latin-1"))
        disk += stream.ready()
        assert not shows(said(disk).replace("\\n", "\n"), secret)
        assert not shows(disk.decode().replace("\\n", "\n"), secret)
    kept = stream.end(whole=True)
    assert kept.counts[KINDS[secret]] >= 1
    assert f"[{KINDS[secret]}]" in said(kept.body)
    assert not shows(said(kept.body).replace("\\n", "\n"), secret)
    assert not shows(kept.body.decode().replace("\\n", "\n"), secret)
    found = replies.of_stream(kept.body)
    assert found.whole
    if field == "arguments":
        assert found.message
        assert set(json.loads(found.message["tool_calls"][0]["function"]["arguments"])) == {"text"}
    cut_short = RedactedStream(REDACTION)
    cut_short.add(body[: splits[0] % len(body)] if splits else b"")
    assert not shows(said(cut_short.end(whole=False).body).replace("\\n", "\n"), secret)


@settings(max_examples=60, deadline=None)
@given(lines, st.lists(st.integers(0, 10_000), max_size=12), st.binary(max_size=5))
def test_a_stream_in_which_nothing_is_found_stays_byte_for_byte(text: str, places: list[int], tail: bytes) -> None:
    logprobs = {"content": [{"token": "x", "logprob": -1.0}]}
    body = b": hello\n\n" + b"".join(event({"content": piece}, logprobs=logprobs) for piece in cut(text, places))
    body += b"event: x\ndata: no JSON\n\n" + DONE
    for end in (body, body.removesuffix(b"\n\n"), body.removesuffix(b"\n")):
        stream = RedactedStream(REDACTION)
        stream.add(end)
        kept = stream.end(whole=True)
        assert (kept.body, kept.counts, [*kept.left_out]) == (end, Counter(), [])


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(PLANTED.values())), lines, st.lists(st.integers(0, 10_000), max_size=20))
def test_the_files_never_hold_it(tmp_path: Path, secret: str, before: str, places: list[int]) -> None:
    """Also what was deleted from them, and what is in the log that is not yet in the database."""
    path = tmp_path / f"{abs(hash((secret, before, tuple(places))))}.db"
    exchange = Exchange("r1", "s1", b"{}", "2026-03-16T00:00:00+00:00", stream=True)
    stream = RedactedStream(REDACTION)
    with open_store(path) as store:
        store.write_exchanges(opened=[exchange])
        for piece in cut(f"{before}\nso {secret}\nthat is it\n", places):
            stream.add(event({"content": piece}, logprobs={"content": [{"token": piece, "logprob": -1.0}]}))
            store.write_exchanges(pieces=[("r1", stream.ready())])
        kept = stream.end(whole=True)
        store.write_exchanges(closed=[replace(exchange, ending="complete", response=kept.body)])
        disk = on_the_disk(path)
        assert not any(line in disk for line in secret.split("\n") if len(line) > 7 and "---" not in line)
        assert kept.left_out == ["logprobs"]


def test_lines_are_ready_as_they_come() -> None:
    stream = RedactedStream(REDACTION)
    ready = []
    for piece in ("One line", ".\nAnd", " another", ".\n", "And the la"):
        stream.add(event({"content": piece}))
        ready.append([json.loads(each)["choices"][0]["delta"]["content"] for each in replies.events(stream.ready())])
    # An event of which a part is not settled waits.
    assert ready == [[], ["One line"], [], [".\nAnd", " another", ".\n"], []]


def test_a_cut_answer_loses_no_more_than_its_last_word() -> None:
    stream = RedactedStream(REDACTION)
    for piece in ("One two", " three fo"):
        stream.add(event({"role": "assistant", "content": piece}))
    stream.add(b'data: {"choices": [{"delta": {"cont')
    found = replies.of_stream(stream.end(whole=False).body)
    assert found.message == {"role": "assistant", "content": "One two three "}


def test_choices_and_events_of_responses_are_put_together_by_themselves() -> None:
    halves = [("bob@", 0), ("nothing of ", 1), ("acme.io", 0), ("the kind", 1)]
    stream = RedactedStream(REDACTION)
    for piece, index in halves:
        stream.add(event({"content": piece}, index=index))
    assert b"[e-mail]" in stream.end(whole=True).body
    stream = RedactedStream(REDACTION)
    for piece, item in (("bob@", "a"), ("no", "b"), ("acme.io", "a")):
        value = {"type": "response.output_text.delta", "item_id": item, "output_index": 0, "delta": piece}
        stream.add(b"event: response.output_text.delta\ndata: " + json.dumps(value).encode() + b"\n\n")
    last = {"type": "response.completed", "response": {"output": [{"content": [{"text": "bob@acme.io"}]}]}}
    stream.add(b"event: response.completed\ndata: " + json.dumps(last).encode() + b"\n\n")
    kept = stream.end(whole=True)
    assert kept.counts == {"e-mail": 2}
    assert b"acme.io" not in kept.body
    assert kept.body.count(b"event: response.output_text.delta\n") == 3


def test_what_stands_beside_the_deltas_is_redacted_too() -> None:
    stream = RedactedStream(REDACTION)
    stream.add(b': for bob@acme.io\ndata: {"model": "of bob@acme.io", "choices": [{"delta": {"content": "hi"}}]}\n\n')
    assert b"acme" not in stream.ready()
    kept = stream.end(whole=True).body
    assert kept == b': for [e-mail]\ndata: {"model":"of [e-mail]","choices":[{"delta":{"content":"hi"}}]}\n\n'


@pytest.mark.parametrize("first", [True, False])
def test_a_hook_that_cannot_tell_what_is_settled_keeps_an_open_stream_off_the_disk(first: bool) -> None:
    stream = RedactedStream(Redaction(lambda text: [(0, 3, "name")] if text.startswith("Ann") else []))
    for piece in ("Ann", " is\n", "here\n"):
        stream.add(event({"content": piece}))
        assert stream.ready() == b""
    assert said(stream.end(whole=first).body).startswith("[name] is\nhere")


def test_what_a_field_holds_that_is_given_twice_is_read() -> None:
    """Also in an event that is like others but for its delta."""
    stream = RedactedStream(REDACTION)
    for delta in ('{"content": "hi"}', '{"content": "ho"}', '{"content": "bob@acme.io", "content": "x"}'):
        stream.add(b'data: {"choices": [{"delta": ' + delta.encode() + b"}]}\n\n")
    kept = stream.end(whole=True)
    assert kept.counts == {"e-mail": 1}
    assert b"acme" not in kept.body
    assert said(kept.body).startswith("hihox")


def test_what_only_looks_like_a_delta_is_no_form_of_events() -> None:
    stream = RedactedStream(REDACTION)
    for word in ("bob@", "acme", ".io"):
        inner = json.dumps(json.dumps({"delta": 1}))
        stream.add(f'data: {{"x": {inner}, "choices": [{{"delta":{{"content": "{word}"}}}}]}}\n\n'.encode())
    assert stream.end(whole=True).counts == {"e-mail": 1}
