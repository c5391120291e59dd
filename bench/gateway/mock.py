"""An engine that costs next to nothing: it answers at once, always the same, whatever it is asked.

    python bench/gateway/mock.py        prints its address

The model's name says how a stream comes: "paced", a token every PACE seconds; any other, all tokens in one piece.

Always holds: an answer is TOKENS tokens, streamed or not; each has an id of its own.
"""

from __future__ import annotations

import asyncio
import json
from itertools import count

import uvloop

TOKENS, PACE = 64, 0.005
WORDS = [f" word{number}" for number in range(TOKENS)]
_NUMBERS = count()


def main() -> None:
    uvloop.run(_serve())


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


class _Connection(asyncio.Protocol):
    """One connection: requests one after the other."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._data = b""
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's are of no class of asyncio's

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, found, body = self._data.partition(b"\r\n\r\n")
        if not found:
            return
        at = head.lower().find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(body) < length:
            return
        self._data = b""
        if not head.startswith(b"POST"):
            self._transport.write(_whole({"object": "list", "data": []}))
            return
        asked = json.loads(body)
        if not asked.get("stream"):
            self._transport.write(_ANSWER.replace(b"NUMBER", b"%06d" % next(_NUMBERS)))
        elif asked["model"] != "paced":
            events = b"".join(_EVENTS).replace(b"NUMBER", b"%06d" % next(_NUMBERS))
            self._transport.write(_HEAD + _chunk(events) + _LAST)
        else:
            task = asyncio.get_running_loop().create_task(self._drip())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _drip(self) -> None:
        number = b"%06d" % next(_NUMBERS)
        self._transport.write(_HEAD)
        for event in _EVENTS:
            if self._transport.is_closing():
                return
            self._transport.write(_chunk(event.replace(b"NUMBER", number)))
            await asyncio.sleep(PACE)
        if not self._transport.is_closing():
            self._transport.write(_LAST)


def _whole(value: object) -> bytes:
    body = json.dumps(value).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _event(delta: dict[str, str], reason: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    value = {"id": "chatcmpl-NUMBER", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return b"data: " + json.dumps({**value, "choices": [choice]}).encode() + b"\n\n"


_MESSAGE = {"role": "assistant", "content": "".join(WORDS)}
_ANSWER = _whole(
    {
        "id": "chatcmpl-NUMBER",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": _MESSAGE, "finish_reason": "stop", "logprobs": None}],
        "usage": {"prompt_tokens": 300, "completion_tokens": TOKENS, "total_tokens": 300 + TOKENS},
    }
)
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_EVENTS = [
    _event({"role": "assistant", "content": ""}, None),
    *(_event({"content": word}, None) for word in WORDS),
    _event({}, "stop"),
    b"data: [DONE]\n\n",
]
_LAST = b"0\r\n\r\n"

if __name__ == "__main__":
    main()
