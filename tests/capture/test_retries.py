"""A client that asks again: its retry is no second sample, and nobody else gets its answer."""

from __future__ import annotations

import threading
from dataclasses import replace

import openai
import pytest
from asking import Serve, ask, client, kept, until, user
from engine import Engine

from journeyman.capture import conversations
from journeyman.store import open_store


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
    _, first = ask(served, "/v1/chat/completions", value)
    asked = engine.asked
    _, second = ask(served, "/v1/chat/completions", value, **{"x-stainless-retry-count": "1"})
    assert (second, engine.asked) == (first, asked)
    _, third = ask(served, "/v1/chat/completions", value)
    assert third["journeyman"]["receipt"] != first["journeyman"]["receipt"], "asked anew, and no retry"


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


def test_a_retry_of_what_is_under_way_waits_for_it(serve: Serve, engine: Engine) -> None:
    served = serve()
    asked, found = engine.asked, []
    value = {"messages": user("wait 800 slow")}
    first = threading.Thread(target=lambda: found.append(ask(served, "/v1/chat/completions", value)))
    first.start()
    until(lambda: engine.asked > asked)
    again = ask(served, "/v1/chat/completions", value, **{"x-stainless-retry-count": "1"})
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


def test_clients_without_a_message_have_nothing_in_common_either(serve: Serve, engine: Engine) -> None:
    served, asked, found = serve(), engine.asked, []
    value = {"messages": [], "x": "wait"}
    for client_key in ("one", "other"):
        headers = {"authorization": f"Bearer {client_key}", "x-stainless-retry-count": "1"}
        found.append(ask(served, "/v1/chat/completions", value, **headers)[1]["journeyman"]["receipt"])
    assert (len(set(found)), engine.asked - asked) == (2, 2)
