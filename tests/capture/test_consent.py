"""What a session may be used for holds for all that goes on from it, or repeats it."""

from __future__ import annotations

from typing import Any

import pytest
from asking import Serve, ask, user
from served import Served

from journeyman.capture import conversations
from journeyman.store import open_store


def test_consent_decides_what_may_be_learnt_from(serve: Serve) -> None:
    served = serve()
    value = {"model": "m", "messages": user("say secret")}
    _, answer = ask(served, "/v1/chat/completions", value, **{"x-journeyman-purposes": "serve, evaluate"})
    messages = [*user("say secret"), answer["choices"][0]["message"], *user("say more")]
    ask(served, "/v1/chat/completions", {"model": "m", "messages": messages})
    ask(served, "/v1/chat/completions", {"model": "m", "messages": user("say open")})
    with open_store(served.store) as store:
        assert [s.turns[0].content for s in conversations.sessions(store, "train")] == ["say open"]
        assert len(conversations.sessions(store, "serve")) == 2
    status, said = ask(served, "/v1/chat/completions", value, **{"x-journeyman-purposes": "sell"})
    assert (status, "choose from serve" in said["error"]["message"]) == (400, True)


LONG = "my secret is the number 4711"


def asked_for_serving_only(served: Served) -> None:
    """The last of these words may be kept, and not learnt from."""
    ask(served, "/v1/chat/completions", {"messages": user(f"say {LONG}")}, **{"x-journeyman-purposes": "serve"})


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
    ask(served, "/v1/chat/completions", {"messages": [*later, *user("say more")], "user": "ann"})
    with open_store(served.store) as store:
        assert len(conversations.sessions(store)) > 0
        assert conversations.sessions(store, "train") == []


def test_what_was_refused_or_short_is_not_learnt_from_either(serve: Serve) -> None:
    served = serve()
    narrow = {"x-journeyman-purposes": "serve"}
    ask(served, "/v1/chat/completions", {"messages": user("fail 429")}, **narrow)
    ask(served, "/v1/chat/completions", {"messages": user("say no")}, **narrow)
    ask(served, "/v1/chat/completions", {"messages": [*user("fail 429"), *user("say more")]})
    said = [*user("say no"), {"role": "assistant", "content": "no"}]
    ask(served, "/v1/chat/completions", {"messages": [*said, *user("say more")]})
    ask(
        served,
        "/v1/chat/completions",
        {"messages": [*user("say hello"), {"role": "assistant", "content": "no"}, *user("say x")]},
    )
    with open_store(served.store) as store:
        assert [s.turns[0].content for s in conversations.sessions(store, "train")] == ["say hello"]


def test_a_night_needs_to_be_allowed_to_dream(serve: Serve) -> None:
    from journeyman.registry.adapters import LEARNING

    served = serve()
    ask(served, "/v1/chat/completions", {"messages": user("say a")}, **{"x-journeyman-purposes": "serve,train"})
    with open_store(served.store) as store:
        assert len(conversations.sessions(store, "train")) == 1
        assert conversations.sessions(store, *LEARNING) == []
