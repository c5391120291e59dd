"""The writer, over real HTTP: what it is shown, what of its words is kept, and what answers at a wrong address."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from journeyman.dream.spans import find
from journeyman.dream.writer import Writer
from journeyman.errors import UsageError
from journeyman.records import Lesson

SPAN = next(span for span in find(Lesson("I bought a red kayak for $450.", "s", 0)) if span.text == "$450")
WRITTEN = (
    "1. How much did my kayak cost?\n- Did I pay $450?\nkayak?\nHow much did my kayak cost?\nWhat did I pay for it?"
)


class Server(ThreadingHTTPServer):
    """Answers as an OpenAI-compatible API does, or as any web page; keeps what it was asked."""

    daemon_threads = True

    def __init__(self, api: bool) -> None:
        self.api = api
        self.asked: list[dict[str, Any]] = []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    server: Server  # type: ignore[assignment]

    def do_GET(self) -> None:
        self.reply({"object": "list", "data": [{"id": "words-1", "object": "model", "created": 0, "owned_by": "x"}]})

    def do_POST(self) -> None:
        self.server.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        message = {"role": "assistant", "content": WRITTEN}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        self.reply({"id": "1", "object": "chat.completion", "created": 0, "model": "words-1", "choices": [choice]})

    def reply(self, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode() if self.server.api else b"<html>hello</html>"
        self.send_response(200)
        self.send_header("Content-Type", "application/json" if self.server.api else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    served = Server(api=request.param)
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    yield served
    served.shutdown()
    served.server_close()
    thread.join()


def url(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/v1"


@pytest.mark.parametrize("server", [True], indirect=True)
def test_questions_without_the_answer_in_them_are_kept_once(server: Server) -> None:
    found = Writer(url(server)).questions(SPAN, 4)
    assert [each.prompt for each in found] == ["How much did my kayak cost?", "What did I pay for it?"]
    assert {(each.evidence, each.origin, each.lesson_id) for each in found} == {("$450", "writer", SPAN.lesson.id)}
    [request] = server.asked
    assert request["model"] == "words-1"
    assert SPAN.lesson.text in request["messages"][0]["content"]


@pytest.mark.parametrize("server", [False], indirect=True)
def test_a_page_that_is_no_api_is_a_sentence(server: Server) -> None:
    with pytest.raises(UsageError, match="gave no answer"):
        Writer(url(server))
    with pytest.raises(UsageError, match="gave no answer"):
        Writer(url(server), model="words-1").questions(SPAN, 4)


@pytest.mark.parametrize("address", ["localhost:1234", "http://[::bad/v1", "http://127.0.0.1:9/v1"])
def test_a_wrong_address_is_a_sentence(address: str) -> None:
    with pytest.raises(UsageError, match="writer"):
        Writer(address)
