"""An OpenAI-compatible engine behind the gateway, over HTTP.

Always holds: what comes back is what the engine sent, byte for byte (connections ask for no compression); a failure to
reach it says so and what to do; nothing is asked twice.

Knows addresses and timeouts; nothing of sessions.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit, urlunsplit

from journeyman.capture.wire import Headers, HTTPError, Request

if TYPE_CHECKING:
    import aiohttp

# Of what a client sends, all goes on but what is between it and this server (RFC 9110, 7.6.1), and what is ours.
_STAYS_HERE = frozenset(
    "connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding upgrade"
    " host content-length accept-encoding expect cookie origin referer".split()
)
_OURS = "x-journeyman-"
CREDENTIALS = ("authorization", "api-key", "x-api-key", "x-goog-api-key")
_PASSED_BACK = tuple("retry-after x-should-retry x-request-id x-ratelimit- location content-encoding openai-".split())
CONNECT_SECONDS = 10.0
_NO_ENGINE = "look whether --upstream names an OpenAI-compatible engine"


class CutShort(Exception):  # an event that is recorded
    """The engine broke off in the middle of its answer."""


@dataclass(frozen=True)
class Answer:
    """How an engine answers: the pieces come as they are made; headers: those that a client may need; details: what
    it tells of the answer besides, which may grow as long as pieces come."""

    status: int
    content_type: str
    pieces: AsyncIterator[bytes]
    headers: Headers = field(default_factory=list)
    details: Mapping[str, Any] = field(default_factory=dict)


class Backend(Protocol):
    """What stands behind the gateway."""

    def ask(self, request: Request, tenant: str) -> Any:
        """An asynchronous context manager over the `Answer`; leaving it early stops the engine. HTTPError if there is
        none."""
        ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def metrics(self) -> Mapping[str, float]:
        """Counters and gauges of its own; those whose name ends in _total only grow."""
        ...


class Upstream:
    """See the module. `url` is what a client of OpenAI's would have for its base URL: where it has a path, what is
    asked stands below that; to a host alone /v1 is added. `key` is sent in the place of the client's, if given;
    `probed`: ask at the start what it returns, and say so on stderr."""

    def __init__(self, url: str, key: str = "", seconds: float = 600.0, *, probed: bool = False) -> None:
        parts = urlsplit(url)
        self.url = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") or "/v1", "", ""))
        self._query = parts.query
        self.key, self.seconds, self.probed = key, seconds, probed
        self._session: aiohttp.ClientSession | None = None
        self._probe: asyncio.Task[None] | None = None
        self._fidelity: dict[str, float] = {}

    async def start(self) -> None:
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=self.seconds)
        connector = aiohttp.TCPConnector(limit=0)
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=timeout,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),  # what the engine hands to one is not another's
        )
        if self.probed:  # meanwhile clients are served
            self._probe = asyncio.create_task(self._tell())
            self._probe.add_done_callback(self._forget)

    async def _tell(self) -> None:
        from journeyman.capture.fidelity import probe

        found = await probe(self)
        self._fidelity = found.metrics()
        print(found, file=sys.stderr, flush=True)

    def _forget(self, probe: asyncio.Task[None]) -> None:  # noqa: ARG002
        self._probe = None  # a defect that ended it is shown now: asyncio waits until nobody could ask for it

    async def stop(self) -> None:
        if self._probe:
            self._probe.cancel()
        if self._session:
            await self._session.close()

    def metrics(self) -> Mapping[str, float]:
        return self._fidelity

    @asynccontextmanager
    async def ask(self, request: Request, tenant: str) -> AsyncIterator[Answer]:  # noqa: ARG002
        import aiohttp

        if self._session is None:
            raise RuntimeError("start it first")
        query = "&".join(filter(None, [self._query, request.query.decode("latin-1")]))
        address = f"{self.url}{request.path.removeprefix('/v1')}{'?' if query else ''}{query}"
        headers = self._headers(request)
        try:
            response = await self._session.request(
                request.method, address, data=request.body or None, headers=headers, allow_redirects=False
            )
        except aiohttp.ServerTimeoutError as error:
            remedy = "look whether the engine is busy, or raise --timeout"
            raise HTTPError(504, f"the engine at {self.url} did not answer in time", remedy) from error
        except aiohttp.ClientResponseError as error:  # something answers there
            raise HTTPError(
                502, f"what the engine at {self.url} sent is not HTTP ({error.message})", _NO_ENGINE
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            what = str(error) or type(error).__name__
            raise HTTPError(
                502, f"the engine at {self.url} cannot be reached ({what})", "start it, or correct --upstream"
            ) from error
        try:
            if not 200 <= response.status < 600:
                raise HTTPError(502, f"the engine at {self.url} answered with the status {response.status}", _NO_ENGINE)
            given = [(name.decode("latin-1").lower(), value) for name, value in response.raw_headers]
            kind = next((value.decode("latin-1") for name, value in given if name == "content-type"), "")
            kept = [(name.encode(), value) for name, value in given if name.startswith(_PASSED_BACK)]
            yield Answer(response.status, kind or "application/json", _pieces(response), kept)
        finally:
            response.close()

    def _headers(self, request: Request) -> dict[str, str]:
        """Those that the engine gets: what is not ASCII has no meaning in HTTP, and stays here too."""
        named = {each.strip().lower() for each in request.headers.get("connection", "").split(",")}
        left_out = _STAYS_HERE | named | set(CREDENTIALS if self.key else ())
        headers = {
            name: value
            for name, value in request.headers.items()
            if name not in left_out and not name.startswith(_OURS) and value.isascii() and value.isprintable()
        }
        key = {"authorization": f"Bearer {self.key}"} if self.key else {}
        return {**headers, "accept-encoding": "identity", **key}


async def _pieces(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    import aiohttp
    from aiohttp.http import HttpProcessingError

    content = response.content
    protocol = response.connection.protocol if response.connection else None

    def tell(closed: object) -> None:  # noqa: ARG001
        # aiohttp's parser in C finds a broken chunk, closes, and tells nobody: the reader would wait for ever.
        broken = protocol is not None and isinstance(protocol.exception(), HttpProcessingError)
        if broken and not content.is_eof() and content.exception() is None:
            content.set_exception(aiohttp.ClientPayloadError("what it sent is not HTTP"))

    closed = protocol.closed if protocol is not None else None
    if closed is not None:
        closed.add_done_callback(tell)
    try:
        async for piece in content.iter_any():
            yield piece
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        # What had arrived when the connection broke, and was not read yet: aiohttp would not give it any more.
        for piece in tuple(getattr(content, "_buffer", ())):
            yield bytes(piece)
        raise CutShort(str(error) or type(error).__name__) from error
    finally:
        if closed is not None:
            closed.remove_done_callback(tell)  # the connection may serve many more
