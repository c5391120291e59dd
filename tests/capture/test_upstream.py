"""Engines that break, refuse, hang, or speak in their own way: the client is told, and what came is kept."""

from __future__ import annotations

import http.client
import json
import time
from pathlib import Path
from urllib.parse import urlsplit

import openai
import pytest
from asking import Serve, ask, client, kept, user
from raw import END, HANG, RESET, RawEngine, chunk, head, whole
from served import serving

from journeyman.capture import conversations
from journeyman.cli import main
from journeyman.records import Exchange
from journeyman.store import open_store


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
    assert passed["x-should-retry"] == "false", "which OpenAI's SDKs obey"
    (found,) = kept(served)
    assert passed["x-journeyman-receipt"] == found.receipt
    assert (found.ending, found.status, found.reply) == ("refused", status, None)
    with open_store(served.store) as store:
        assert conversations.sessions(store, "serve") == []


def test_an_engine_that_is_not_there_says_so(tmp_path: Path) -> None:
    with serving(tmp_path / "day.db", "http://127.0.0.1:1/v1") as served:
        status, said = ask(served, "/v1/chat/completions", {"messages": user("say a")})
        assert status == 502
        assert "cannot be reached" in said["error"]["message"]
        assert [each.ending for each in kept(served)] == ["refused"]


def test_an_engine_that_hangs_is_given_up(serve: Serve) -> None:
    served = serve("--timeout", "0.5")
    status, said = ask(served, "/v1/chat/completions", {"messages": user("hang")})
    assert status == 504
    assert "did not answer in time" in said["error"]["message"]


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
    assert wish[:4] != "crlf" or times[-1] - times[0] > 0.15, "as it is made"
    (found,) = kept(served)
    assert found.ending == "complete"
    assert found.reply
    with open_store(served.store) as store:
        (session,) = conversations.sessions(store, "train")
        assert session.id
    assert main(["sessions", "export", "--store", str(served.store)]) == 0


ANSWER = b'{"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"a b"},"finish_reason":"stop"}]}'


def event(delta: str, reason: str = "null") -> bytes:
    return b'data: {"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":%s}]}\n\n' % (
        delta.encode(),
        reason.encode(),
    )


STREAM = event("a") + event(" b") + event("", '"stop"')
SSE = "text/event-stream"


def asked(engine: RawEngine, tmp_path: Path, streamed: bool, *options: str) -> tuple[int, bytes, Exchange]:
    """One request: the status and the bytes that came for it, and what is kept."""
    # What is looked at here is whether bytes are kept as they came.
    with engine, serving(tmp_path / "day.db", engine.url, "--redact", "none", *options) as served:
        body = json.dumps({"messages": user("hello"), "stream": streamed}).encode()
        connection = http.client.HTTPConnection(urlsplit(served.url).netloc, timeout=20)
        connection.request("POST", "/v1/chat/completions", body)
        response = connection.getresponse()
        status, got = response.status, response.read()
        (found,) = kept(served)
        code, said = served.end()
        assert (code, "Traceback" in said) == (0, False), said
        assert found.ending != "open"
        return status, got, found


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ([RESET], "cannot be reached"),
        ([b""], "cannot be reached"),
        ([b"SSH-2.0-OpenSSH_9.2\r\n"], "is not HTTP"),
        ([whole(ANSWER, "application/json", "200 OK", f"x-long: {'a' * 100_000}")], "is not HTTP"),
        ([whole(ANSWER, "application/json", "200 OK", *(f"x-{n}: {'a' * 1000}" for n in range(1000)))], "is not HTTP"),
        ([whole(b"", "text/plain", "999 Strange")], "the status 999"),
        ([b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"], "the status 101"),
        ([HANG], "did not answer in time"),
        ([head()[:30], HANG], "did not answer in time"),
    ],
    ids="reset closed ssh long-header many-headers 999 101 hang half-a-head".split(),
)
def test_what_is_no_answer_is_told_as_the_engines_fault(answer: list[bytes], said: str, tmp_path: Path) -> None:
    status, got, found = asked(RawEngine([answer]), tmp_path, False, "--timeout", "1")
    assert status in (502, 504)
    assert said in json.loads(got)["error"]["message"]
    assert (found.ending, found.response) == ("refused", b"")


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "rest", [[b"zz\r\nx\r\n"], [b"ff\r\nshort"], [RESET], [HANG]], ids="no-chunk short-chunk reset hang".split()
)
def test_an_answer_that_stops_half_way_is_kept_as_far_as_it_came(
    rest: list[bytes], streamed: bool, tmp_path: Path
) -> None:
    begun = event("a") if streamed else ANSWER[:30]
    engine = RawEngine([[head(SSE if streamed else "application/json"), chunk(begun), *rest]], pause=0.2)
    status, got, found = asked(engine, tmp_path, streamed, "--timeout", "1")
    assert b"broke off" in got
    assert status == (200 if streamed else 502)
    assert found.ending == "cut by upstream"
    assert found.response.startswith(begun)
    assert found.reply == ({"role": "assistant", "content": "a"} if streamed else None)


@pytest.mark.parametrize(
    ("kind", "body", "says"),
    [
        ("application/json", b'{"choices": [', None),
        ("application/json", b"", None),
        ("application/json", b'{"choices":[{"message":{"role":"assistant","content":"\xff\xfe"}}]}', None),
        ("application/json", b'{"choices":[{"message":' + b'{"a":' * 500 + b"1" + b"}" * 500 + b"}]}", None),
        ("text/html", b"<html>busy</html>", None),
        ("text/html", ANSWER, "a b"),
        ("text/plain", STREAM, "a b"),
        ("TEXT/Event-Stream; charset=utf-8", STREAM, "a b"),
        (SSE, STREAM, "a b"),  # without [DONE]
        (SSE, b"data: \xff\n\ndata: {\n\n" + STREAM, "a b"),
        (SSE, ANSWER, "a b"),
    ],
    ids="json nothing utf-8 deep html json-as-html stream-as-text other-case no-done bad-events json-as-stream".split(),
)
def test_an_answer_of_any_form_is_passed_on_and_kept_as_it_came(
    kind: str, body: bytes, says: str | None, tmp_path: Path
) -> None:
    streamed = body.startswith(b"data:")
    status, got, found = asked(RawEngine([[whole(body, kind)]]), tmp_path, streamed)
    assert (status, found.ending, found.response) == (200, "complete", body)
    assert (found.reply or {}).get("content") == says
    mark = b'"journeyman":' + json.dumps({"receipt": found.receipt, "session": found.session}).encode()
    assert b"".join(got.replace(b"," + mark, b"", 1).split(mark + b",")) == body


FAILED = b'data: {"error": {"message": "out of memory"}}\n\n'


@pytest.mark.parametrize("end", [b"", FAILED, FAILED + b"data: [DONE]\n\n"])
def test_a_stream_that_says_no_end_is_cut(end: bytes, tmp_path: Path) -> None:
    status, got, found = asked(RawEngine([[whole(event("a") + end, SSE)]]), tmp_path, True)
    assert (status, found.ending, found.ends) == (200, "cut by upstream", "")
    assert found.reply == {"role": "assistant", "content": "a"}
    assert got.endswith(end)


@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_that_drips_is_the_same(streamed: bool, tmp_path: Path) -> None:
    body = (STREAM + b"data: [DONE]\n\n") if streamed else ANSWER
    text = head(SSE if streamed else "application/json") + b"".join(chunk(bytes([byte])) for byte in body) + END
    drops = [text[place : place + 3] for place in range(0, len(text), 3)]
    _, got, found = asked(RawEngine([drops], pause=0.0005), tmp_path, streamed, "--timeout", "1")
    assert (found.ending, found.response) == ("complete", body)
    assert found.reply
    assert found.reply["content"] == "a b"
    assert found.receipt.encode() in got


@pytest.mark.parametrize(
    ("status", "more"),
    [("204 No Content", []), ("304 Not Modified", []), ("302 Found", ["location: http://127.0.0.1:1/"])],
)
def test_a_status_without_an_answer_is_passed_on(status: str, more: list[str], tmp_path: Path) -> None:
    engine = RawEngine([["\r\n".join([f"HTTP/1.1 {status}", *more, "content-length: 0", "", ""]).encode()]])
    got, _, found = asked(engine, tmp_path, False)
    assert (got, found.status) == (int(status[:3]), int(status[:3]))


def test_what_an_engine_sends_too_much_answers_nobody_else(tmp_path: Path) -> None:
    evil = whole(ANSWER.replace(b"a b", b"evil"))
    with (
        RawEngine([[whole(ANSWER) + evil], [whole(ANSWER)]], stay=True) as engine,
        serving(tmp_path / "day.db", engine.url) as served,
    ):
        said = [
            ask(served, "/v1/chat/completions", {"messages": user(str(n))})[1]["choices"][0]["message"]["content"]
            for n in range(3)
        ]
        assert said == ["a b"] * 3


def test_an_engines_cookie_reaches_nobody(tmp_path: Path) -> None:
    with (
        RawEngine([[whole(ANSWER, "application/json", "200 OK", "set-cookie: who=ann")]], stay=True) as engine,
        serving(tmp_path / "day.db", engine.url.replace("127.0.0.1", "localhost")) as served,
    ):
        for n in range(2):
            assert ask(served, "/v1/chat/completions", {"messages": user(str(n))})[0] == 200
        assert not any(b"cookie" in each.lower() for each in engine.heads)


def test_a_text_that_speaks_of_an_end_is_no_end(tmp_path: Path) -> None:
    said = event("data: [DONE] is").replace(b"\n\n", b"") + b"\n\n"
    engine = RawEngine([[head(SSE), chunk(said), HANG]])
    with engine, serving(tmp_path / "day.db", engine.url) as served:
        connection = http.client.HTTPConnection(urlsplit(served.url).netloc, timeout=20)
        connection.request("POST", "/v1/chat/completions", json.dumps({"messages": user("a"), "stream": True}))
        assert b"[DONE] is" in connection.getresponse().readline(), "it is not held back"
        connection.close()


@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_that_ends_with_its_connection_is_whole(streamed: bool, tmp_path: Path) -> None:
    long = event("a" * 1000) * 5000
    body = long + event("", '"stop"') if streamed else ANSWER.replace(b"a b", b"a" * 5_000_000)
    first = f"HTTP/1.1 200 OK\r\ncontent-type: {SSE if streamed else 'application/json'}\r\n\r\n".encode()
    status, got, found = asked(RawEngine([[first + body]]), tmp_path, streamed)
    assert (status, found.ending, found.response == body) == (200, "complete", True)
    assert found.reply
    assert len(found.reply["content"]) == 5_000_000
    assert len(got) > len(body)


@pytest.mark.parametrize(
    ("base", "asked"),
    [
        ("", "/v1/chat/completions"),
        ("/", "/v1/chat/completions"),
        ("/v1", "/v1/chat/completions"),
        ("/v1/", "/v1/chat/completions"),
        ("/v1beta/openai/", "/v1beta/openai/chat/completions"),
        ("/api/paas/v4", "/api/paas/v4/chat/completions"),
        ("/openai/deployments/d?api-version=7", "/openai/deployments/d/chat/completions?api-version=7"),
    ],
)
def test_a_base_url_is_what_a_client_would_have_for_it(base: str, asked: str, tmp_path: Path) -> None:
    with RawEngine([[whole(ANSWER)]]) as engine, serving(tmp_path / "day.db", engine.url + base) as served:
        assert ask(served, "/v1/chat/completions", {"messages": user("a")})[0] == 200
        assert engine.heads[0].split(b" ")[:2] == [b"POST", asked.encode()]


def test_what_a_client_says_in_headers_goes_on_but_for_what_is_ours(tmp_path: Path) -> None:
    given = {"api-key": "of the engine", "traceparent": "00-ab-cd-01", "openai-beta": "x", "x-umlaut": "\xfc"}
    ours = {"x-journeyman-session": "s1", "connection": "x-hop", "x-hop": "1", "cookie": "a=b", "te": "trailers"}
    with RawEngine([[whole(ANSWER)]]) as engine, serving(tmp_path / "day.db", engine.url) as served:
        connection = http.client.HTTPConnection(urlsplit(served.url).netloc, timeout=20)
        connection.request("POST", "/v1/chat/completions", json.dumps({"messages": user("a")}), {**given, **ours})
        assert connection.getresponse().status == 200
    sent = dict(line.lower().split(": ", 1) for line in engine.heads[0].decode().split("\r\n")[1:])
    assert {name: sent.get(name) for name in given} == {**given, "x-umlaut": None}
    assert not {"x-journeyman-session", "x-hop", "cookie", "te"} & sent.keys()
    assert sent["accept-encoding"] == "identity"


def test_with_a_key_for_the_engine_no_client_gives_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEYMAN_UPSTREAM_KEY", "the engine's")
    given = {"api-key": "mine", "x-api-key": "mine", "authorization": "Bearer mine"}
    with RawEngine([[whole(ANSWER)]]) as engine, serving(tmp_path / "day.db", engine.url) as served:
        assert ask(served, "/v1/chat/completions", {"messages": user("a")}, **given)[0] == 200
    assert b"mine" not in engine.heads[0]
    assert b"Bearer the engine's" in engine.heads[0]
