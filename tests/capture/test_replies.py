"""A reply from what came over the wire, whole or cut anywhere."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeyman.capture.replies import of_object, of_stream


def chunk(delta: dict[str, Any], reason: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason, **more}
    return b"data: " + json.dumps({"id": "c", "model": "m", "choices": [choice]}).encode() + b"\n\n"


STREAM = b"".join(
    [
        b": a comment\n\n",
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "na"}, token_ids=[5], logprobs={"content": [{"token": "na", "logprob": -0.5}]}),
        chunk({"content": "ïve"}, token_ids=[6, 7], logprobs={"content": [{"logprob": -1}, {"logprob": -2}]}),
        chunk({"tool_calls": [{"index": 1, "id": "b", "function": {"name": "two", "arguments": "{"}}]}),
        chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "one", "arguments": "{}"}}]}),
        chunk({"tool_calls": [{"index": 1, "function": {"arguments": "}"}}]}),
        chunk({}, "tool_calls"),
        b'data: {"choices": [], "usage": {"total_tokens": 9}}\n\n',
        b"data: [DONE]\n\n",
    ]
)


def test_a_stream_is_put_together() -> None:
    reply = of_stream(STREAM)
    assert reply.whole
    assert reply.message == {
        "role": "assistant",
        "content": "naïve",
        "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "one", "arguments": "{}"}},
            {"id": "b", "type": "function", "function": {"name": "two", "arguments": "{}"}},
        ],
    }
    assert reply.details == {
        "id": "c",
        "model": "m",
        "usage": {"total_tokens": 9},
        "finish_reason": "tool_calls",
        "response_ids": [5, 6, 7],
        "logprobs": [-0.5, -1, -2],
    }
    assert of_stream(STREAM.replace(b"\n", b"\r\n")).message == reply.message


@given(st.integers(0, len(STREAM)))
def test_a_cut_stream_gives_what_had_come(length: int) -> None:
    reply = of_stream(STREAM[:length])
    assert reply.whole == (b'"tool_calls"}]}\n\n' in STREAM[:length])
    if reply.message:
        assert "naïve".startswith(reply.message["content"] or "")


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_an_error(body: bytes) -> None:
    assert of_object(body).message is None
    of_stream(b"data: " + body + b"\n\n")


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=3),
        lambda x: (
            st.lists(x)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "choices",
                        "delta",
                        "index",
                        "message",
                        "tool_calls",
                        "function",
                        "logprobs",
                        "content",
                        "token_ids",
                    ]
                ),
                x,
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_read_without_an_error(value: Any) -> None:
    body = json.dumps(value).encode()
    for reply in (of_object(body), of_stream(b"data: " + body + b"\n\n")):
        assert reply.message is None or isinstance(reply.message, dict)
        assert all(type(each) is int for each in reply.details.get("response_ids", []))


@pytest.mark.parametrize(
    ("ids", "kept"), [([1, 2], True), (["1"], False), ([True], False), (None, False), ("12", False)]
)
def test_token_ids_are_kept_as_they_are_or_not_at_all(ids: Any, kept: bool) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "x"}, "token_ids": ids}
    details = of_object(json.dumps({"choices": [choice], "prompt_token_ids": ids}).encode()).details
    assert ("response_ids" in details, "prompt_ids" in details) == (kept, kept)


def test_the_first_choice_is_the_reply() -> None:
    choices = [{"index": index, "message": {"role": "assistant", "content": str(index)}} for index in (1, 0)]
    reply = of_object(json.dumps({"choices": choices}).encode())
    assert reply.message == {"role": "assistant", "content": "0"}


def test_a_stream_is_whole_when_all_its_choices_have_ended() -> None:
    first, other = chunk({"content": "a"}), chunk({"content": "b"}).replace(b'"index": 0', b'"index": 1')
    ends = [each.replace(b'"delta": {"content"', b'"finish_reason": "stop", "delta": {"x"') for each in (first, other)]
    ends = [each.replace(b', "finish_reason": null', b"") for each in ends]
    assert not of_stream(first + other + ends[0]).whole
    assert not of_stream(first + other + ends[1]).whole
    assert of_stream(first + other + ends[0] + ends[1]).whole
    assert of_stream(first + other + b"data: [DONE]\n\n").whole, "some engines give no reason"


@pytest.mark.parametrize("error", [{"error": {"message": "out of memory"}}, {"object": "error", "message": "no"}])
def test_an_engine_that_fails_and_says_done_has_not_ended_its_reply(error: dict[str, Any]) -> None:
    failed = b"data: " + json.dumps(error).encode() + b"\n\ndata: [DONE]\n\n"
    reply = of_stream(chunk({"content": "a"}) + failed)
    assert (reply.whole, reply.message) == (False, {"role": "assistant", "content": "a"})
    assert of_stream(chunk({"content": "a"}) + chunk({}, "stop") + failed).whole, "it had ended before"
