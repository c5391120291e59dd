"""What is refused is told what to do, and reaches neither the engine nor the store."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from asking import Serve, ask, client, kept, user
from engine import Engine


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
        ("/v1/feedback", {"receipt": "r_x", "rating": 1, "tags": False}, 400, "tags must be a list"),
        ("/v1/feedback", {"receipt": "r_x", "tags": ["\ud800"]}, 400, "tags must be a list"),
        ("/v1/outcomes", {"value": 1}, 400, "a receipt or a key"),
        ("/v1/outcomes", {"key": "a\nb", "value": 1}, 400, "the key is no name"),
        ("/v1/outcomes", b'{"key": "a", "value": ' + b"[" * 900 + b"]" * 900 + b"}", 400, "nested too deeply"),
        ("/v1/chat/completions", b'{"messages": ' + b"[" * 900 + b"]" * 900 + b"}", 400, "nested too deeply"),
        ("/v1/outcomes", {"key": "a", "value": 1, "happened_at": "soon"}, 400, "no time"),
        ("/v1/chat/completions", {"model": "m"}, 400, "no messages"),
        ("/v1/chat/completions", b"{", 400, "not JSON"),
        ("/v1/chat/completions", [1], 400, "no object"),
        ("/v1/nothing", {}, 404, "nothing at"),
        ("/v1/models", {}, 405, "takes GET"),
    ],
)
def test_bad_requests_are_told_what_to_send(serve: Serve, path: str, value: Any, status: int, said: str) -> None:
    found, answer = ask(serve(), path, value)
    assert found == status
    assert said in answer["error"]["message"]


@pytest.mark.parametrize("header", [{"origin": "http://evil.example"}, {"host": "evil.example"}, {"origin": "null"}])
def test_a_page_in_a_browser_cannot_ask(serve: Serve, header: dict[str, str]) -> None:
    served = serve()
    assert ask(served, "/v1/chat/completions", {"messages": user("say a")}, **header)[0] == 403
    assert ask(served, "/v1/chat/completions", {"messages": user("say a")}, origin="http://localhost:3000")[0] == 200


@pytest.mark.parametrize(
    "value",
    [
        b'{"messages": [], "temperature": NaN}',
        b'{"messages": [], "seed": 1e999}',
        {"messages": [], "metadata": {"session_id": "a\r\nx: 1"}},
        {"messages": [], "metadata": {"key": "\ud800"}},
        {"messages": [], "metadata": {"key": "a\u202eb"}},
        {"messages": [], "user": ["ann"]},
        {"messages": [], "user": 0},
        {"messages": [], "user": "\ud800"},
    ],
)
def test_what_cannot_be_kept_is_refused_before_the_engine_is_asked(serve: Serve, engine: Engine, value: Any) -> None:
    served, asked = serve(), engine.asked
    assert ask(served, "/v1/chat/completions", value)[0] == 400
    assert (engine.asked, kept(served)) == (asked, [])


def test_what_is_too_large_is_refused(serve: Serve) -> None:
    status, said = ask(serve("--limit", "1000"), "/v1/chat/completions", {"messages": user("x" * 2000)})
    assert (status, "larger than 1000" in said["error"]["message"]) == (413, True)


def test_a_busy_server_says_that_it_is_well(serve: Serve) -> None:
    served = serve("--at-once", "1")
    stream = client(served).chat.completions.create(model="m", messages=user("wait 300 a b c d e"), stream=True)
    next(iter(stream))
    status, said = ask(served, "/v1/chat/completions", {"messages": user("say a")})
    assert (status, "too many" in said["error"]["message"]) == (503, True)
    with urllib.request.urlopen(f"{served.url.removesuffix('/v1')}/healthz") as response:
        assert json.loads(response.read()) == {"status": "ok", "under_way": 1}
