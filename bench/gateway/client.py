"""Clients that ask one after the other over kept connections, as cheaply as Python can.

Always holds: an answer counts only if it came whole, with status 200, and with its last word; each request carries a
mark of its own, by which it can be found again where answers are kept; each client goes on from what it was answered.

Knows HTTP; not who answers.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import urlsplit

import httptools

LAST = b"word63"
_MARKS = count()
SYSTEM = "You are the assistant of a small hotel by the sea. " * 20
ANSWER = "".join(f" word{number}" for number in range(64))  # what the mock engine says
TURNS = 3  # of a conversation


@dataclass
class Found:
    """seconds: of each whole answer; marks: of those; failed: what came instead."""

    seconds: list[float] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    took: float = 0.0


async def load(url: str, key: str, clients: int, mode: str, seconds: float, most: int = 1 << 30) -> Found:
    """`clients` at once ask `url` (.../chat/completions) until the time is over or there are `most` answers."""
    found = Found()
    begun = time.perf_counter()
    await asyncio.gather(*(_client(url, key, mode, begun + seconds, most, found) for _ in range(clients)))
    found.took = time.perf_counter() - begun
    return found


async def _client(url: str, key: str, mode: str, end: float, most: int, found: Found) -> None:
    address = urlsplit(url)
    host, port = address.hostname or "", address.port or 80
    loop = asyncio.get_running_loop()
    connection: _Connection | None = None
    messages: list[dict[str, str]] = []
    while time.perf_counter() < end and len(found.seconds) + len(found.failed) < most:
        mark = f"mark-{next(_MARKS):07d}-"
        if len(messages) in (0, 1 + 2 * TURNS):
            messages = [{"role": "system", "content": SYSTEM}]
        messages.append({"role": "user", "content": f"{mark} And what does breakfast cost there?"})
        body = json.dumps({"model": mode, "messages": messages, "max_tokens": 64, "stream": mode != "plain"}).encode()
        messages.append({"role": "assistant", "content": ANSWER})
        lines = (
            f"POST {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            if connection is None or connection.lost:
                _, connection = await loop.create_connection(_Connection, host, port)
            begun = time.perf_counter()
            await connection.ask(lines.encode() + body)
            took = time.perf_counter() - begun
        except (OSError, httptools.HttpParserError) as error:
            found.failed.append(repr(error))
            return
        if connection.status == 200 and LAST in connection.body:
            found.seconds.append(took)
            found.marks.append(mark)
        else:
            found.failed.append(bytes(connection.body[-300:]).decode(errors="replace"))
    if connection is not None:
        connection.transport.close()


class _Connection(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self) -> None:
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # uvloop's are of no class of asyncio's

    async def ask(self, data: bytes) -> None:
        self.status, self.body = 0, bytearray()
        self._parser = httptools.HttpResponseParser(self)
        self._answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport.write(data)
        await self._answered

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if not self._answered.done():
                self._answered.set_exception(error)

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self.lost = not self._parser.should_keep_alive()
        if not self._answered.done():
            self._answered.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if not self._answered.done():
            self._answered.set_exception(exc or ConnectionResetError())
