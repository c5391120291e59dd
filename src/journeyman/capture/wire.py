"""HTTP as the gateway speaks it: requests read whole, responses in pieces, errors as OpenAI's clients expect them.

Always holds: a body larger than the limit is refused before it is read to its end, and one that does not come is not
waited for; an error says what to do.

Knows ASGI; nothing of models or stores.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from journeyman.capture.depth import MOST, too_deep
from journeyman.capture.leaves import loaded

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


class HTTPError(Exception):
    """An answer that is an error: OpenAI's shape, and a remedy."""

    def __init__(self, status: int, message: str, remedy: str, headers: Headers | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.remedy, self.headers = status, message, remedy, headers or []

    def body(self) -> bytes:
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        said = {"message": f"{self.message}; {self.remedy}", "type": kind, "param": None, "code": None}
        return json.dumps({"error": said}).encode()


class ClientGone(Exception):  # it is no error of anyone's
    """The client closed the connection."""


@dataclass(frozen=True)
class Request:
    """method, path and headers (names in lower case), and the body."""

    method: str
    path: str
    query: bytes
    headers: Mapping[str, str]
    body: bytes

    def json(self, lost: list[Any] | None = None) -> dict[str, Any]:
        """The body's object; what it does not hold of the body's text goes to `lost`."""
        lost = [] if lost is None else lost
        try:
            value = loaded(self.body, lost, parse_constant=_refused, parse_float=_finite)
        except (ValueError, RecursionError) as error:
            raise HTTPError(400, f"the body is not JSON ({error})", "send a JSON object") from error
        if not isinstance(value, dict):
            raise HTTPError(400, "the body is JSON, but no object", "send a JSON object")
        if too_deep(self.body, value):
            raise HTTPError(
                400, "the body is nested too deeply", f"send at most {MOST} lists and objects in each other"
            )
        return value


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refused(text)


def headers_of(scope: Scope) -> dict[str, str]:
    """Names in lower case; of a name that is given twice the last counts."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


async def read(
    scope: Scope, headers: Mapping[str, str], receive: Receive, limit: int, seconds: float | None = None
) -> Request:
    """The whole of it: at most so many bytes of a body, which has so long to come."""
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length) > limit:
        raise _too_large(limit)
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                body += message.get("body", b"")
                if len(body) > limit:
                    raise _too_large(limit)
                if not message.get("more_body"):
                    break
    except TimeoutError as error:
        what = f"the request did not come to its end within {seconds:g} seconds"
        raise HTTPError(408, what, "send it again, faster or smaller", [(b"connection", b"close")]) from error
    return Request(scope["method"], scope["path"], scope.get("query_string", b""), headers, bytes(body))


def _too_large(limit: int) -> HTTPError:
    return HTTPError(413, f"the request is larger than {limit} bytes", "send less, or raise the server's --limit")


class Reply:
    """The response of one request; tells when the client has gone."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self.begun = False
        self.gone = asyncio.get_running_loop().create_task(self._wait())

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def begin(self, status: int, headers: Headers) -> None:
        self.begun = True
        await self._try({"type": "http.response.start", "status": status, "headers": headers})

    async def piece(self, data: bytes, *, last: bool = False) -> None:
        await self._try({"type": "http.response.body", "body": data, "more_body": not last})

    async def whole(self, status: int, body: bytes, headers: Headers | None = None) -> None:
        length = (b"content-length", str(len(body)).encode())
        await self.begin(status, [length, *(headers or [(b"content-type", b"application/json")])])
        await self.piece(body, last=True)

    async def _try(self, message: dict[str, Any]) -> None:
        if self.gone.done():
            raise ClientGone
        try:
            await self._send(message)
        except OSError as error:  # it was closed meanwhile
            raise ClientGone from error

    @contextmanager
    def unless_gone(self) -> Iterator[None]:
        """What is awaited within is cancelled, and ClientGone raised, if the client goes meanwhile."""
        if self.gone.done():
            raise ClientGone
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only within a task")
        cancelled_before, within, fired = task.cancelling(), True, False

        def leave(gone: object) -> None:  # noqa: ARG001
            nonlocal fired
            if within:  # a callback that is on its way can not be taken back
                fired = True
                task.cancel()

        self.gone.add_done_callback(leave)
        try:
            yield
        except asyncio.CancelledError:
            if fired and task.uncancel() <= cancelled_before:  # by us alone, not by a server that is ending
                raise ClientGone from None
            raise
        finally:
            within = False
            self.gone.remove_done_callback(leave)

    def end(self) -> None:
        self.gone.cancel()
