"""A model over real HTTP that answers oddly: each oddity is an error with a remedy, and nothing goes on for ever."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from journeyman.dream import asking
from journeyman.dream.asking import Asked
from journeyman.errors import UsageError


def reply(content: Any, **more: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    whole = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], **more}
    return json.dumps(whole).encode()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    says: bytes = b""
    endless = 0.0  # seconds between parts of a body that has no end
    part = b" "


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server  # type: ignore[assignment]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        if self.server.says:
            self.send_header("Content-Length", str(len(self.server.says)))
            self.end_headers()
            self.wfile.write(self.server.says)
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(self.server.part), self.server.part))
                self.wfile.flush()
                time.sleep(self.server.endless)
        except OSError:  # nobody listens any more
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def said(server: Server, timeout: float = 60.0) -> str:
    asked = Asked(f"http://127.0.0.1:{server.server_address[1]}/v1", "m", role="imitator", timeout=timeout)
    return asked.say([{"role": "user", "content": "?"}], max_tokens=9, temperature=0.0)


def test_plain_words_are_said(server: Server) -> None:
    server.says = reply("Nine to five.")
    assert said(server) == "Nine to five."
    server.says = reply(None)
    assert said(server) == ""


@pytest.mark.parametrize(
    "says",
    [
        b"<html>",
        b'{"choices": [',
        b"[1, 2]",
        b'{"choices": "abc"}',
        reply(5),
        reply([{"type": "text", "text": "1"}]),
        reply("1", usage={"total_tokens": "many"}),
    ],
)
def test_what_is_no_answer_is_told_with_a_remedy(says: bytes, server: Server) -> None:
    server.says = says
    with pytest.raises(UsageError) as raised:
        said(server)
    assert "--imitator" in raised.value.remedy


def test_an_answer_that_trickles_has_an_end(server: Server) -> None:
    server.endless = 0.05
    begun = time.monotonic()
    with pytest.raises(UsageError, match="has not ended"):
        said(server, timeout=0.4)
    assert time.monotonic() - begun < 20


def test_an_answer_that_floods_has_an_end(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.part = b" " * 65536
    monkeypatch.setattr(asking, "_LONGEST", 1 << 20)
    with pytest.raises(UsageError, match="more than"):
        said(server)
