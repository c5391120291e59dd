"""A client that asks again: its retry is no second sample, and nobody else gets its answer."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace

import openai
import pytest
from asking import Serve, ask, client, kept, lose, until, user
from engine import Engine

from journeyman.capture import conversations
from journeyman.store import open_store

CHAT = "/v1/chat/completions"
AGAIN = {"x-stainless-retry-count": "1"}


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


def test_a_retry_of_what_was_answered_to_nobody_gets_that_answer(serve: Serve, engine: Engine) -> None:
    """Its client went while the answer was being kept. Of two retries one gets it, and the other one of its own."""
    served = serve()
    value = {"model": "m", "messages": user("nonce")}
    lose(served, engine, value)
    (lost,) = kept(served)
    asked = engine.asked
    _, second = ask(served, CHAT, value, **AGAIN)
    assert (second["journeyman"]["receipt"], engine.asked) == (lost.receipt, asked)
    assert lost.reply
    assert second["choices"][0]["message"]["content"] == lost.reply["content"]
    _, third = ask(served, CHAT, value, **AGAIN)
    assert third["choices"][0]["message"]["content"] != lost.reply["content"]
    assert [each.retry_of for each in kept(served)] == ["", ""]


def test_who_does_not_say_that_it_asks_again_wants_another_answer(serve: Serve, engine: Engine) -> None:
    served = serve()
    value = {"model": "m", "messages": user("nonce")}
    lose(served, engine, value)
    assert ask(served, CHAT, value)[1]["journeyman"]["receipt"] != kept(served)[0].receipt
    assert [each.retry_of for each in kept(served)] == ["", ""]


def test_nobody_is_given_what_another_one_was_told(serve: Serve, engine: Engine) -> None:
    """A retry of something that never came here: what was answered to others is not its answer."""
    served = serve()
    value = {"model": "m", "messages": user("nonce")}
    _, first = ask(served, CHAT, value)
    asked = engine.asked
    _, second = ask(served, CHAT, value, **AGAIN)
    assert engine.asked == asked + 1
    assert first["choices"][0]["message"] != second["choices"][0]["message"]
    assert [each.retry_of for each in kept(served)] == ["", ""]


@pytest.mark.parametrize("places", [[], ["--at-once", "3"]], ids=["the engine is busy", "the gateway is busy too"])
def test_samples_of_one_prompt_stay_apart_whatever_is_asked_again(serve: Serve, places: list[str]) -> None:
    """The SDK asks eight times at once for the same, and again after each refusal of the engine's or of ours."""
    served = serve(*places)

    async def sample() -> list[openai.types.chat.ChatCompletion]:
        async with openai.AsyncOpenAI(base_url=served.url, api_key="none", max_retries=20) as asking:
            wish = {"model": "m", "messages": user("busy")}
            return await asyncio.gather(*(asking.chat.completions.create(**wish) for _ in range(8)))

    got = {each.model_extra["journeyman"]["receipt"]: each.choices[0].message.content for each in asyncio.run(sample())}  # type: ignore[index]
    assert len(got) == 8
    assert len(set(got.values())) == 8
    found = kept(served)
    assert {each.receipt: each.reply["content"] for each in found if each.reply} == got
    refused = {each.receipt for each in found if each.ending == "refused"}
    again = [each.retry_of for each in found if each.retry_of]
    assert refused
    assert set(again) <= refused
    assert len(set(again)) == len(again), "one is asked again once"
    with open_store(served.store) as store:
        assert len(conversations.sessions(store, "train")) == 8


def test_clients_with_different_keys_have_nothing_in_common(serve: Serve, engine: Engine) -> None:
    served = serve()
    value = {"messages": user("say hi")}
    one, other = {"authorization": "Bearer one"}, {"authorization": "Bearer other"}
    _, first = ask(served, "/v1/chat/completions", value, **one)
    asked = engine.asked
    _, second = ask(served, "/v1/chat/completions", value, **other, **{"x-stainless-retry-count": "1"})
    assert engine.asked == asked + 1, "another's answer is not given"
    assert second["journeyman"]["session"] != first["journeyman"]["session"]
    longer = {"messages": [*user("say hi"), second["choices"][0]["message"], *user("say more")]}
    assert (
        ask(served, "/v1/chat/completions", longer, **one)[1]["journeyman"]["session"] == first["journeyman"]["session"]
    )
    assert [each.retry_of for each in kept(served)] == ["", "", ""]


def test_a_retry_does_not_wait_for_what_another_one_waits_for(serve: Serve, engine: Engine) -> None:
    served = serve()
    asked, found = engine.asked, []
    value = {"messages": user("wait 800 slow")}
    first = threading.Thread(target=lambda: found.append(ask(served, CHAT, value)))
    first.start()
    until(lambda: engine.asked > asked)
    again = ask(served, CHAT, value, **AGAIN)
    first.join()
    assert again[1]["journeyman"]["receipt"] != found[0][1]["journeyman"]["receipt"]
    assert (engine.asked - asked, [each.retry_of for each in kept(served)]) == (2, ["", ""])


def test_what_an_earlier_server_did_not_answer_is_asked_again_once(serve: Serve) -> None:
    served = serve()
    value = {"messages": user("fail 500")}
    assert ask(served, CHAT, value)[0] == 500
    served.end()
    served = serve()
    for _ in range(2):
        assert ask(served, CHAT, value, **AGAIN)[0] == 500
    first, second, third = kept(served)
    assert [second.retry_of, third.retry_of] == [first.receipt, second.receipt]


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


def test_clients_without_a_message_have_nothing_in_common_either(serve: Serve, engine: Engine) -> None:
    served, asked, found = serve(), engine.asked, []
    value = {"messages": [], "x": "wait"}
    for client_key in ("one", "other"):
        headers = {"authorization": f"Bearer {client_key}", "x-stainless-retry-count": "1"}
        found.append(ask(served, "/v1/chat/completions", value, **headers)[1]["journeyman"]["receipt"])
    assert (len(set(found)), engine.asked - asked) == (2, 2)


@pytest.mark.parametrize("restarted", [False, True], ids=["the same server", "the next server"])
def test_another_session_or_key_is_another_request(serve: Serve, restarted: bool) -> None:
    """As of somebody who asks the same of an engine that is down, for one conversation after the other."""
    served = serve()
    value = {"messages": user("fail 500")}
    first = {"x-journeyman-session": "one", "x-journeyman-key": "k"}
    ask(served, CHAT, value, **first)
    for more in ({"x-journeyman-session": "two"}, {"x-journeyman-key": "l"}, {}):
        if restarted:
            served.end()
            served = serve()
        ask(served, CHAT, value, **{**first, **more}, **AGAIN)
    one, two, three, again = kept(served)
    assert [each.session for each in (one, two, three, again)] == ["one", "two", "one", "one"]
    assert [each.retry_of for each in (two, three, again)] == ["", "", "" if restarted else one.receipt]


def test_other_purposes_are_another_request(serve: Serve) -> None:
    served = serve()
    value = {"messages": user("fail 500")}
    for purposes in ("", "serve"):
        ask(served, CHAT, value, **{"x-journeyman-purposes": purposes})
    ask(served, CHAT, value)
    assert [each.retry_of for each in kept(served)] == ["", "", ""]
