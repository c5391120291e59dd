"""The gateway, asked over HTTP by the clients that people use: it answers as the engine does, and all is kept."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import openai
import pytest
from engine import Engine
from served import Served, serving

from journeyman.capture import conversations
from journeyman.cli import main
from journeyman.records import Exchange
from journeyman.store import open_store

Serve = Callable[..., Served]
TOOLS: Any = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]


def client(served: Served, **options: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=served.url, api_key="none", **{"max_retries": 0, **options})


def user(text: str) -> Any:
    return [{"role": "user", "content": text}]


def kept(served: Served) -> list[Exchange]:
    with open_store(served.store) as store:
        return store.exchanges()


def until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return found


def post(served: Served, path: str, value: Any, **headers: str) -> tuple[int, dict[str, Any]]:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    request = urllib.request.Request(
        served.url.removesuffix("/v1") + path, body, {"content-type": "application/json", **headers}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


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
    assert times[1] < 0.5 < times[-1], "not all at once"
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


def test_a_retry_is_no_second_sample(serve: Serve, engine: Engine) -> None:
    """The SDK's own: it gave up waiting, and asks the same again."""
    served = serve()
    asked = engine.asked
    with pytest.raises(openai.APITimeoutError):
        client(served, timeout=0.4, max_retries=1).chat.completions.create(model="m", messages=user("wait 900 late"))
    first, second = until(lambda: found if len(found := kept(served)) == 2 and found[1].ending != "open" else None)
    assert (second.retry_of, second.session) == (first.receipt, first.session)
    assert engine.asked - asked == 2
    client(served).chat.completions.create(model="m", messages=user("wait 900 late"))
    with open_store(served.store) as store:
        (session,) = conversations.sessions(store, "train")
    assert [turn.content for turn in session.turns] == ["wait 900 late", "late"]


def test_a_retry_of_what_was_answered_gets_that_answer(serve: Serve, engine: Engine) -> None:
    served = serve()
    value = {"model": "m", "messages": user("say once")}
    _, first = post(served, "/v1/chat/completions", value)
    asked = engine.asked
    _, second = post(served, "/v1/chat/completions", value, **{"x-stainless-retry-count": "1"})
    assert (second, engine.asked) == (first, asked)
    _, third = post(served, "/v1/chat/completions", value)
    assert third["journeyman"]["receipt"] != first["journeyman"]["receipt"], "asked anew, and no retry"


@pytest.mark.parametrize("streamed", [False, True])
def test_an_engine_that_breaks_off_is_told_and_kept(serve: Serve, streamed: bool) -> None:
    served = serve()
    with pytest.raises(openai.APIError, match="broke off"):
        list(client(served).chat.completions.create(model="m", messages=user("break a b c"), stream=streamed))
    (found,) = kept(served)
    assert found.ending == "cut by upstream"
    assert found.response
    assert (found.reply is not None) == streamed


@pytest.mark.parametrize("status", [400, 429, 500])
def test_an_engines_refusal_is_passed_on(serve: Serve, status: int) -> None:
    served = serve()
    with pytest.raises(openai.APIStatusError) as raised:
        client(served).chat.completions.create(model="m", messages=user(f"fail {status}"))
    assert raised.value.status_code == status
    passed = raised.value.response.headers
    assert (passed["retry-after"], passed["x-request-id"], "x-internal" in passed) == ("7", "q1", False)
    (found,) = kept(served)
    assert passed["x-journeyman-receipt"] == found.receipt
    assert (found.ending, found.status, found.reply) == ("refused", status, None)
    with open_store(served.store) as store:
        assert conversations.sessions(store, "serve") == []


def test_an_engine_that_is_not_there_says_so(tmp_path: Path) -> None:
    with serving(tmp_path / "day.db", "http://127.0.0.1:1/v1") as served:
        status, said = post(served, "/v1/chat/completions", {"messages": user("say a")})
        assert status == 502
        assert "cannot be reached" in said["error"]["message"]
        assert [each.ending for each in kept(served)] == ["refused"]


def test_an_engine_that_hangs_is_given_up(serve: Serve) -> None:
    served = serve("--timeout", "0.5")
    status, said = post(served, "/v1/chat/completions", {"messages": user("hang")})
    assert status == 504
    assert "did not answer in time" in said["error"]["message"]


def test_feedback_and_outcomes_reach_the_session(serve: Serve) -> None:
    served = serve()
    _, answer = post(
        served, "/v1/chat/completions", {"model": "m", "messages": user("say hello"), "metadata": {"key": "k1"}}
    )
    receipt = answer["journeyman"]["receipt"]
    with open_store(served.store) as store:
        (before,) = conversations.sessions(store, "train")
    remark = {"receipt": receipt, "rating": 0, "correction": "My name is Ann, say so.", "tags": ["tone"]}
    status, first = post(served, "/v1/feedback", remark)
    assert (status, first["new"]) == (200, True)
    assert post(served, "/v1/feedback", remark)[1] == {"id": first["id"], "new": False}
    assert post(served, "/v1/outcomes", {"key": "k1", "value": {"sold": True}, "happened_at": "2026-12-24"})[0] == 200
    with open_store(served.store) as store:
        (after,) = conversations.sessions(store, "train")
    assert after.id != before.id, "learnt from again"
    assert [(each.turn, each.rating, each.correction, each.outcome) for each in after.remarks] == [
        (1, 0.0, "My name is Ann, say so.", ""),
        (1, None, "", '{"sold": true}'),
    ]


@pytest.mark.parametrize(
    ("path", "value", "status", "said"),
    [
        ("/v1/feedback", {"receipt": "r_nobody", "rating": 1}, 404, "no answer with the receipt"),
        ("/v1/feedback", {"receipt": "r_x"}, 400, "neither a rating nor a word"),
        ("/v1/feedback", {"receipt": "r_x", "rating": "good"}, 400, "rating must be a number"),
        ("/v1/feedback", {"receipt": "r_x", "ratings": 1}, 400, "no field 'ratings'"),
        ("/v1/feedback", {"receipt": "r_x", "rating": 10**400}, 400, "rating must be a number"),
        ("/v1/feedback", {"receipt": "r_x", "correction": "\ud800"}, 400, "correction must be text"),
        ("/v1/feedback", {"receipt": "r_\x00", "rating": 1}, 400, "the receipt is no name"),
        ("/v1/outcomes", {"key": ["a"], "value": 1}, 400, "the key is no name"),
        ("/v1/outcomes", {"key": "a", "value": 1, "happened_at": "0001-01-01T00:00:00+23:59"}, 400, "no time"),
        ("/v1/outcomes", {"value": 1}, 400, "a receipt or a key"),
        ("/v1/outcomes", {"key": "a", "value": 1, "happened_at": "soon"}, 400, "no time"),
        ("/v1/chat/completions", {"model": "m"}, 400, "no messages"),
        ("/v1/chat/completions", b"{", 400, "not JSON"),
        ("/v1/chat/completions", [1], 400, "no object"),
        ("/v1/nothing", {}, 404, "nothing at"),
        ("/v1/models", {}, 405, "takes GET"),
    ],
)
def test_bad_requests_are_told_what_to_send(serve: Serve, path: str, value: Any, status: int, said: str) -> None:
    found, answer = post(serve(), path, value)
    assert found == status
    assert said in answer["error"]["message"]


def test_consent_decides_what_may_be_learnt_from(serve: Serve) -> None:
    served = serve()
    value = {"model": "m", "messages": user("say secret")}
    _, answer = post(served, "/v1/chat/completions", value, **{"x-journeyman-purposes": "serve, evaluate"})
    messages = [*user("say secret"), answer["choices"][0]["message"], *user("say more")]
    post(served, "/v1/chat/completions", {"model": "m", "messages": messages})
    post(served, "/v1/chat/completions", {"model": "m", "messages": user("say open")})
    with open_store(served.store) as store:
        assert [s.turns[0].content for s in conversations.sessions(store, "train")] == ["say open"]
        assert len(conversations.sessions(store, "serve")) == 2
    status, said = post(served, "/v1/chat/completions", value, **{"x-journeyman-purposes": "sell"})
    assert (status, "choose from serve" in said["error"]["message"]) == (400, True)


LONG = "my secret is the number 4711"


def asked_for_serving_only(served: Served) -> None:
    """The last of these words may be kept, and not learnt from."""
    post(served, "/v1/chat/completions", {"messages": user(f"say {LONG}")}, **{"x-journeyman-purposes": "serve"})


@pytest.mark.parametrize(
    "later",
    [
        [{"role": "system", "content": "It is noon."}, *user(f"say {LONG}"), {"role": "assistant", "content": LONG}],
        [*user(f"say {LONG}"), {"role": "assistant", "content": "an edited reply"}],
        user(f"say {LONG}"),
    ],
    ids=["another system prompt", "an edited reply", "asked again"],
)
def test_what_was_not_allowed_is_not_learnt_from_another_request(serve: Serve, later: Any) -> None:
    served = serve()
    asked_for_serving_only(served)
    post(served, "/v1/chat/completions", {"messages": [*later, *user("say more")], "user": "ann"})
    with open_store(served.store) as store:
        assert len(conversations.sessions(store)) > 0
        assert conversations.sessions(store, "train") == []


def test_what_was_refused_or_short_is_not_learnt_from_either(serve: Serve) -> None:
    served = serve()
    narrow = {"x-journeyman-purposes": "serve"}
    post(served, "/v1/chat/completions", {"messages": user("fail 429")}, **narrow)
    post(served, "/v1/chat/completions", {"messages": user("say no")}, **narrow)
    post(served, "/v1/chat/completions", {"messages": [*user("fail 429"), *user("say more")]})
    said = [*user("say no"), {"role": "assistant", "content": "no"}]
    post(served, "/v1/chat/completions", {"messages": [*said, *user("say more")]})
    post(
        served,
        "/v1/chat/completions",
        {"messages": [*user("say hello"), {"role": "assistant", "content": "no"}, *user("say x")]},
    )
    with open_store(served.store) as store:
        assert [s.turns[0].content for s in conversations.sessions(store, "train")] == ["say hello"]


def test_a_night_needs_to_be_allowed_to_dream(serve: Serve) -> None:
    from journeyman.registry.adapters import LEARNING

    served = serve()
    post(served, "/v1/chat/completions", {"messages": user("say a")}, **{"x-journeyman-purposes": "serve,train"})
    with open_store(served.store) as store:
        assert len(conversations.sessions(store, "train")) == 1
        assert conversations.sessions(store, *LEARNING) == []


def test_clients_with_different_keys_have_nothing_in_common(serve: Serve, engine: Engine) -> None:
    served = serve()
    value = {"messages": user("say hi")}
    one, other = {"authorization": "Bearer one"}, {"authorization": "Bearer other"}
    _, first = post(served, "/v1/chat/completions", value, **one)
    asked = engine.asked
    _, second = post(served, "/v1/chat/completions", value, **other, **{"x-stainless-retry-count": "1"})
    assert engine.asked == asked + 1, "another's answer is not given"
    assert second["journeyman"]["session"] != first["journeyman"]["session"]
    longer = {"messages": [*user("say hi"), second["choices"][0]["message"], *user("say more")]}
    assert (
        post(served, "/v1/chat/completions", longer, **one)[1]["journeyman"]["session"]
        == first["journeyman"]["session"]
    )
    assert [each.retry_of for each in kept(served)] == ["", "", ""]


def test_a_retry_of_what_is_under_way_waits_for_it(serve: Serve, engine: Engine) -> None:
    served = serve()
    asked, found = engine.asked, []
    value = {"messages": user("wait 800 slow")}
    first = threading.Thread(target=lambda: found.append(post(served, "/v1/chat/completions", value)))
    first.start()
    until(lambda: engine.asked > asked)
    again = post(served, "/v1/chat/completions", value, **{"x-stainless-retry-count": "1"})
    first.join()
    assert again == found[0]
    assert (engine.asked - asked, len(kept(served))) == (1, 1)


def test_a_retry_that_is_refused_takes_nothing_away(serve: Serve) -> None:
    served = serve("--at-once", "1")
    with pytest.raises(Exception, match="timed out"):
        list(client(served, timeout=0.3).chat.completions.create(model="m", messages=user("wait 600 a b"), stream=True))
    until(lambda: kept(served)[0].ending != "open")
    with open_store(served.store) as store:
        (cut,) = store.exchanges()
        refused = replace(cut, receipt="r_again", retry_of=cut.receipt, reply=None, ending="refused")
        store.write_exchanges(closed=[refused])
        assert len(conversations.sessions(store, "train")) == 1


@pytest.mark.parametrize(
    ("wish", "said"), [("crlf a b", "a b"), ("open a b", "a b"), ("parts a b", "a b"), ("half", None)]
)
def test_engines_differ_in_how_they_stream(serve: Serve, wish: str, said: str | None) -> None:
    served = serve()
    begun, times, text = time.monotonic(), [], ""
    for event in client(served, timeout=5).chat.completions.create(model="m", messages=user(wish), stream=True):
        times.append(time.monotonic() - begun)
        piece = event.choices[0].delta.content
        text += piece if isinstance(piece, str) else ""
    assert said is None or text == said
    assert times[-1] < 4
    assert wish[:4] != "crlf" or times[0] < 0.35 < times[-1], "as it is made"
    (found,) = kept(served)
    assert found.ending == "complete"
    assert found.reply
    with open_store(served.store) as store:
        (session,) = conversations.sessions(store, "train")
        assert session.id
    assert main(["sessions", "export", "--store", str(served.store)]) == 0


def test_a_busy_server_says_that_it_is_well(serve: Serve) -> None:
    served = serve("--at-once", "1")
    stream = client(served).chat.completions.create(model="m", messages=user("wait 300 a b c d e"), stream=True)
    next(iter(stream))
    status, said = post(served, "/v1/chat/completions", {"messages": user("say a")})
    assert (status, "too many" in said["error"]["message"]) == (503, True)
    with urllib.request.urlopen(f"{served.url.removesuffix('/v1')}/healthz") as response:
        assert json.loads(response.read()) == {"status": "ok", "under_way": 1}


@pytest.mark.parametrize("header", [{"origin": "http://evil.example"}, {"host": "evil.example"}, {"origin": "null"}])
def test_a_page_in_a_browser_cannot_ask(serve: Serve, header: dict[str, str]) -> None:
    served = serve()
    assert post(served, "/v1/chat/completions", {"messages": user("say a")}, **header)[0] == 403
    assert post(served, "/v1/chat/completions", {"messages": user("say a")}, origin="http://localhost:3000")[0] == 200


@pytest.mark.parametrize(
    "value",
    [
        b'{"messages": [], "temperature": NaN}',
        b'{"messages": [], "seed": 1e999}',
        {"messages": [], "metadata": {"session_id": "a\r\nx: 1"}},
        {"messages": [], "metadata": {"key": "\ud800"}},
        {"messages": [], "user": ["ann"]},
        {"messages": [], "user": "a" * 201},
    ],
)
def test_what_cannot_be_kept_is_refused_before_the_engine_is_asked(serve: Serve, engine: Engine, value: Any) -> None:
    served, asked = serve(), engine.asked
    assert post(served, "/v1/chat/completions", value)[0] == 400
    assert (engine.asked, kept(served)) == (asked, [])


def test_a_session_may_have_any_printable_name(serve: Serve) -> None:
    served = serve()
    value = {"messages": user("say a"), "metadata": {"session_id": "Zürich €"}}
    assert post(served, "/v1/chat/completions", value)[1]["journeyman"]["session"] == "Zürich €"
    assert kept(served)[0].session == "Zürich €"


def test_what_is_too_large_is_refused(serve: Serve) -> None:
    status, said = post(serve("--limit", "1000"), "/v1/chat/completions", {"messages": user("x" * 2000)})
    assert (status, "larger than 1000" in said["error"]["message"]) == (413, True)


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
    served.process.kill()
    served.process.wait()
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
