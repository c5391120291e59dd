"""A webhook: a real HTTP server on this machine that keeps what it is sent and answers as it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Listener:
    url: str
    heard: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def listening(statuses: Sequence[int] = (), location: str = "", drip: bool = False) -> Iterator[Listener]:
    """Answers with these, one after the other, and then with 204; `drip`: with a byte now and then, and no end."""
    left, ending = list(statuses), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            found.headers.append(dict(self.headers))
            while drip and not ending.wait(0.02):
                self.wfile.write(b"H")
            if not drip:
                self.send_response(left.pop(0) if left else 204)
                if location:
                    self.send_header("Location", location)
                self.end_headers()

        def do_GET(self) -> None:
            found.heard.append({"method": "GET"})
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Listener(f"http://127.0.0.1:{server.server_port}/hooks/s3cret")
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield found
    finally:
        ending.set()
        server.shutdown()
        server.server_close()
