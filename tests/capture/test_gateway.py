"""The gateway, asked over HTTP by the clients that people use: it answers as the engine does, and all is kept."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import openai
import pytest
from asking import Serve, ask, client, kept, until, user
from engine import Engine

from journeyman.capture import conversations
from journeyman.store import open_store

TOOLS: Any = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]


def test_a_plain_answer_is_the_engines_and_is_kept_as_it_was(serve: Serve) -> None:
    served = serve()
    raw = client(served).chat.completions.with_raw_response.create(
        model="m", messages=user("say two words"), temperature=0.5
    )
    answer = raw.parse()
    assert answer.choices[0].message.content == "two words"
    (found,) = kept(served)
    assert raw.headers["x-journeyman-receipt"] == found.receipt
    assert answer.model_extra
    assert answer.model_extra["journeyman"] == {
        "receipt": found.receipt,
        "session": found.session,
    }
    assert json.loads(found.request)["messages"] == user("say two words")
    assert "journeyman" not in json.loads(found.response), "kept as the engine sent it"
    assert (found.ending, found.status) == ("complete", 200)
    assert found.reply
    assert found.reply["content"] == "two words"
    assert found.details["options"] == {"temperature": 0.5}
    assert found.details["timings"]["seconds"] > 0
    assert "response_ids" not in found.details, "the engine gave none"


def test_a_stream_comes_as_it_is_made(serve: Serve) -> None:
    served = serve()
    begun, times, words = time.monotonic(), [], ""
    for event in client(served).chat.completions.create(model="m", messages=user("wait 150 a b c d"), stream=True):
        times.append(time.monotonic() - begun)
        words += event.choices[0].delta.content or ""
    assert words == "a b c d"
    assert times[-1] - times[1] > 0.3, "not all at once"
    (found,) = kept(served)
    assert found.reply == {"role": "assistant", "content": "a b c d"}
    assert (found.ending, found.stream) == ("complete", True)
    assert found.response.endswith(b"data: [DONE]\n\n")


def test_a_conversation_is_one_session(serve: Serve) -> None:
    served = serve()
    asking = client(served)
    messages = user("say one")
    for word in ("two", "three"):
        answer = asking.chat.completions.create(model="m", messages=messages)
        messages = [*messages, answer.choices[0].message.model_dump(), *user(f"say {word}")]
    asking.chat.completions.create(model="m", messages=messages, stream=True).response.read()
    asking.chat.completions.create(model="m", messages=user("say something else"))
    found = kept(served)
    assert len({each.session for each in found[:3]}) == 1
    assert found[3].session != found[0].session
    with open_store(served.store) as store:
        first, second = conversations.sessions(store, "train")
    assert [turn.content for turn in first.turns] == ["say one", "one", "say two", "two", "say three", "three"]
    assert len(second.turns) == 2


def test_an_agent_that_calls_tools_is_one_session(serve: Serve) -> None:
    served = serve()
    messages = user("call look")
    with client(served).chat.completions.stream(model="m", messages=messages, tools=TOOLS) as stream:
        message = stream.get_final_completion().choices[0].message
    assert message.tool_calls
    assert message.tool_calls[0].function.arguments == '{"a": 1}'
    messages += [message.model_dump(exclude_none=True), {"role": "tool", "tool_call_id": "c1", "content": "say seen"}]
    answer = client(served).chat.completions.create(model="m", messages=messages, tools=TOOLS)
    assert answer.choices[0].message.content == "seen"
    assert len({each.session for each in kept(served)}) == 1
    with open_store(served.store) as store:
        (session,) = conversations.sessions(store, "train")
    assert [turn.role for turn in session.turns] == ["user", "assistant", "tool", "assistant"]
    assert session.turns[1].tool_calls[0].name == "look"


def test_asynchronous_clients_are_served_at_once(serve: Serve) -> None:
    served = serve()

    async def ask() -> list[str]:
        async with openai.AsyncOpenAI(base_url=served.url, api_key="none") as asking:
            answers = await asyncio.gather(
                *(asking.chat.completions.create(model="m", messages=user(f"wait 300 {n}")) for n in range(32))
            )
        return [answer.choices[0].message.content or "" for answer in answers]

    begun = time.monotonic()
    assert asyncio.run(ask()) == [str(n) for n in range(32)]
    assert time.monotonic() - begun < 0.3 * 32 / 2
    assert len(kept(served)) == 32


@pytest.mark.parametrize("stream", [False, True])
def test_who_goes_on_from_another_choice_stays_in_its_session(serve: Serve, stream: bool) -> None:
    served = serve()
    asked = {"model": "m", "messages": user("each word"), "n": 3, "stream": stream}
    ask(served, "/v1/chat/completions", asked)
    (first,) = kept(served)
    assert first.reply
    assert first.reply["content"] == "word"
    for said, goes_on in (("word 2", True), ("word 1", True), ("word 3", False)):
        messages = [*user("each word"), {"role": "assistant", "content": said}, *user("say more")]
        _, answer = ask(served, "/v1/chat/completions", {"messages": messages})
        assert (answer["journeyman"]["session"] == first.session) is goes_on, said
        longer = [*messages, answer["choices"][0]["message"], *user("say it again")]
        _, again = ask(served, "/v1/chat/completions", {"messages": longer})
        assert again["journeyman"]["session"] == answer["journeyman"]["session"]


def test_a_session_may_be_named(serve: Serve) -> None:
    served = serve()
    asking = client(served)
    asking.chat.completions.create(model="m", messages=user("say a"), extra_headers={"x-journeyman-session": "mine"})
    asking.chat.completions.create(model="m", messages=user("say b"), metadata={"session_id": "mine", "key": "order-7"})
    assert [(each.session, each.key) for each in kept(served)] == [("mine", ""), ("mine", "order-7")]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_client_that_goes_leaves_what_there_was(serve: Serve, streamed: bool) -> None:
    served = serve()
    hasty = client(served, timeout=0.4)
    with pytest.raises(Exception, match="timed out"):  # of a stream the SDK lets its HTTP client's own error through
        list(hasty.chat.completions.create(model="m", messages=user("wait 900 a b c d e f"), stream=streamed))
    (found,) = until(lambda: [each for each in kept(served) if each.ending != "open"])
    assert found.ending == "cut by client"
    assert found.ends == ""
    if streamed:
        assert found.reply is not None
        assert "a b c d e f".startswith(found.reply["content"])


def test_feedback_and_outcomes_reach_the_session(serve: Serve) -> None:
    served = serve()
    _, answer = ask(
        served, "/v1/chat/completions", {"model": "m", "messages": user("say hello"), "metadata": {"key": "k1"}}
    )
    receipt = answer["journeyman"]["receipt"]
    with open_store(served.store) as store:
        (before,) = conversations.sessions(store, "train")
    remark = {"receipt": receipt, "rating": 0, "correction": "My name is Ann, say so.", "tags": ["tone"]}
    status, first = ask(served, "/v1/feedback", remark)
    assert (status, first["new"]) == (200, True)
    assert ask(served, "/v1/feedback", remark)[1] == {"id": first["id"], "new": False}
    assert ask(served, "/v1/outcomes", {"key": "k1", "value": {"sold": True}, "happened_at": "2026-12-24"})[0] == 200
    with open_store(served.store) as store:
        (after,) = conversations.sessions(store, "train")
    assert after.id != before.id, "learnt from again"
    assert [(each.turn, each.rating, each.correction, each.outcome) for each in after.remarks] == [
        (1, 0.0, "My name is Ann, say so.", ""),
        (1, None, "", '{"sold": true}'),
    ]


def test_a_session_may_have_any_printable_name(serve: Serve) -> None:
    served = serve()
    value = {"messages": user("say a"), "metadata": {"session_id": "Zürich €"}}
    assert ask(served, "/v1/chat/completions", value)[1]["journeyman"]["session"] == "Zürich €"
    assert kept(served)[0].session == "Zürich €"


def test_a_session_that_is_named_as_it_was_told_is_the_same(serve: Serve) -> None:
    served = serve()
    for session in ("Zürich €", "50%", "a%20b", "%0a", "猫" * 60):
        value = {"messages": user("say a"), "metadata": {"session_id": session}}
        raw = client(served).chat.completions.with_raw_response.create(model="m", **value)
        told = {"x-journeyman-session": raw.headers["x-journeyman-session"]}
        assert ask(served, "/v1/chat/completions", {"messages": user("say b")}, **told)[0] == 200
        first, second = kept(served)[-2:]
        assert first.session == second.session == session


def test_a_user_may_have_any_name(serve: Serve) -> None:
    served = serve()
    for name in ("ann", "a" * 201, "a" * 200 + "b", "ann\nof the sea"):
        client(served).chat.completions.create(model="m", messages=user("say a"), user=name)
    users = [each.user for each in kept(served)]
    assert users[0] == "ann"
    assert users[3].startswith("ann of the sea ")
    assert len(set(users)) == 4
    assert all(len(each) <= 200 for each in users)


def test_an_error_with_the_status_of_an_answer_is_no_answer(serve: Serve, engine: Engine) -> None:
    served = serve()
    status, said = ask(served, "/v1/chat/completions", {"messages": user("fail 200")})
    assert (status, said["error"]["message"]) == (200, "no")
    assert (kept(served)[0].ending, kept(served)[0].reply) == ("refused", None)


def test_models_responses_health_and_metrics(serve: Serve) -> None:
    served = serve()
    asking = client(served)
    assert [model.id for model in asking.models.list()] == ["m"]
    assert asking.responses.create(model="m", input="say owls").output_text == "owls"
    assert asking.chat.completions.create(model="m", messages=user("say a"), n=2).choices[1].message.content == "a"
    base = served.url.removesuffix("/v1")
    with urllib.request.urlopen(f"{base}/healthz") as response:
        assert json.loads(response.read()) == {"status": "ok", "under_way": 0}
    with urllib.request.urlopen(f"{base}/metrics") as response:
        text = response.read().decode()
    assert 'journeyman_requests_total{path="/v1/chat/completions",status="200"} 1' in text
    assert "journeyman_exchanges_durable_total 2" in text


def test_a_server_that_is_ended_keeps_what_was_under_way(serve: Serve) -> None:
    served = serve()
    stream = client(served).chat.completions.create(model="m", messages=user("wait 400 a b c d e f g h"), stream=True)
    events = iter(stream)
    next(events)
    next(events)
    served.kill()
    again = serve()
    (found,) = kept(again)
    assert found.ending == "cut by server"
    assert found.response.startswith(b"data: ")
    code, said = again.end()
    assert code == 0
    assert "1 answers that an earlier server did not finish" in said


def test_two_servers_on_one_store_are_refused(serve: Serve, engine: Engine, tmp_path: Path) -> None:
    serve()
    with pytest.raises(RuntimeError, match="another serve is running"):
        serve()
