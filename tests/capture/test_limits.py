"""What would take all places or all memory is given up: bodies that do not come, answers that do not end."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import uvicorn
from asking import ask, kept, until, user
from engine import Engine
from raw import HANG, RawEngine, chunk, head
from served import serving

from journeyman.capture.gateway import Gateway, Limits
from journeyman.capture.recorder import Recorder
from journeyman.capture.upstream import Upstream
from journeyman.store import open_store

CHAT = "/v1/chat/completions"


class Here:
    """A gateway in this process, whose limits a test may choose."""

    def __init__(self, store: Path, port: int) -> None:
        self.store, self.port, self.url = store, port, f"http://127.0.0.1:{port}/v1"

    def begin(self, path: str) -> socket.socket:
        """A request of which the body does not come."""
        connection = socket.create_connection(("127.0.0.1", self.port), 20)
        connection.sendall(f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 1000\r\n\r\n{{".encode())
        return connection


@contextmanager
def here(path: Path, engine: Engine, limits: Limits) -> Iterator[Here]:
    with open_store(path) as store, open_store(path) as reader:
        gateway = Gateway(Upstream(engine.url), Recorder(store), reader, limits=limits)
        server = uvicorn.Server(uvicorn.Config(gateway, port=0, log_level="error", lifespan="on"))  # type: ignore[arg-type]
        thread = threading.Thread(target=server.run)
        thread.start()
        assert until(lambda: server.started)
        try:
            yield Here(path, server.servers[0].sockets[0].getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(30)


@pytest.mark.parametrize("path", [CHAT, "/v1/feedback", "/healthz"])
def test_a_body_that_does_not_come_is_not_waited_for(path: str, tmp_path: Path, engine: Engine) -> None:
    with here(tmp_path / "day.db", engine, Limits(at_once=1, body_seconds=0.5)) as served:
        begun = time.monotonic()
        connection = served.begin(path)
        if path == "/healthz":
            connection.close()
            connection = socket.create_connection(("127.0.0.1", served.port), 20)
            connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 1000\r\n\r\n{")
        said = b"".join(iter(lambda: connection.recv(65536), b""))  # to its end: the connection is closed
        connection.close()
        assert said.startswith(b"HTTP/1.1 408 ")
        assert b"within 0.5 seconds; send it again" in said
        assert time.monotonic() - begun < 5
        assert ask(served, CHAT, {"messages": user("say a")})[0] == 200, "its place is free again"  # type: ignore[arg-type]


def test_remarks_have_places_of_their_own(tmp_path: Path, engine: Engine) -> None:
    with here(tmp_path / "day.db", engine, Limits(at_once=2)) as served:
        slow = [served.begin("/v1/feedback"), served.begin("/v1/outcomes")]
        time.sleep(0.3)
        remark = {"receipt": "r_x", "rating": 1}
        status, said = ask(served, "/v1/feedback", remark)  # type: ignore[arg-type]
        assert (status, "too many" in said["error"]["message"]) == (503, True)
        assert ask(served, CHAT, {"messages": user("say a")})[0] == 200  # type: ignore[arg-type]
        for each in slow:
            each.close()
        assert until(lambda: ask(served, "/v1/feedback", remark)[0] == 404)  # type: ignore[arg-type]


def test_a_page_takes_no_body_to_speak_of(tmp_path: Path, engine: Engine) -> None:
    with serving(tmp_path / "day.db", engine.url) as served:
        connection = http.client.HTTPConnection(urlsplit(served.url).netloc, timeout=20)
        connection.request("GET", "/healthz", b"x" * 100_000)
        assert connection.getresponse().status == 413


@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_that_does_not_end_is_cut(streamed: bool, tmp_path: Path) -> None:
    said = b'data: {"choices":[{"index":0,"delta":{"content":"on and on "},"finish_reason":null}]}\n\n'
    pieces = [chunk(said if streamed else b'{"choices": "' + b"on and on " * 9)] * 200
    # In pieces even on a busy machine: the one that goes beyond is not kept, and should not be all there is.
    engine = RawEngine([[head("text/event-stream" if streamed else "application/json"), *pieces, HANG]], pause=0.01)
    with engine, serving(tmp_path / "day.db", engine.url, "--limit", "1000") as served:
        connection = http.client.HTTPConnection(urlsplit(served.url).netloc, timeout=20)
        connection.request("POST", CHAT, json.dumps({"messages": user("a"), "stream": streamed}))
        response = connection.getresponse()
        got = response.read()
        assert response.status == (200 if streamed else 502)
        assert b"larger than 8000 bytes; ask for less" in got
        (found,) = kept(served)
        assert found.ending == "cut by server"
        assert b"on and on" in found.response
        assert len(found.response) <= 8000
        assert (found.reply is not None) == streamed
        assert ask(served, "/healthz")[1]["under_way"] == 0


def test_a_list_of_models_that_does_not_end_is_none(tmp_path: Path) -> None:
    engine = RawEngine([[head(), *[chunk(b"x" * 100)] * 200, HANG]])
    with engine, serving(tmp_path / "day.db", engine.url, "--limit", "1000") as served:
        status, said = ask(served, "/v1/models")
        assert (status, "larger than 8000 bytes" in said["error"]["message"]) == (502, True)
