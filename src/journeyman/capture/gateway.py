"""The gateway: it answers as the model behind it does, and keeps what was said before the client has all of it.

    client -> gateway -> engine           the request, as it is
    client <- gateway <- engine           the answer as it comes, but for its end
              gateway -> store            request and answer, durable
    client <- gateway                     the end of the answer

Always holds: a client that received a whole answer finds it in the store, whatever happens next; what was cut is kept
as far as it came, and says who cut it; every answer names its receipt and its session; a client that asks the same
again because it got no answer adds no second sample.

Knows the OpenAI API's outside. Which engine answers is `upstream.Backend`'s to know, what a reply says is `replies`'.
"""

from __future__ import annotations

import json
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from journeyman.capture import recognition, remarks
from journeyman.capture.recorder import Recorder
from journeyman.capture.relay import SESSION_HEADER, Relay, headers, marked
from journeyman.capture.upstream import Backend
from journeyman.capture.wire import ClientGone, HTTPError, Receive, Reply, Request, Scope, Send, read
from journeyman.errors import JourneymanError
from journeyman.records import PURPOSES, Exchange, Purpose
from journeyman.store import Store

PURPOSES_HEADER = "x-journeyman-purposes"
KEY_HEADER = "x-journeyman-key"
RETRY_SECONDS = 600.0  # how long after an answer the same request may still be a retry of it
_OPTIONS = ("temperature", "top_p", "max_tokens", "max_completion_tokens", "n", "stop", "seed", "response_format")


@dataclass(frozen=True)
class Limits:
    """body_bytes: of a request; at_once: requests under way; beyond it a client is told to come back."""

    body_bytes: int = 16 << 20
    at_once: int = 256


class Gateway:
    """An ASGI application. `reader` is a second connection to the store that `recorder` writes: reading then waits for
    no commit."""

    def __init__(
        self,
        backend: Backend,
        recorder: Recorder,
        reader: Store,
        *,
        purposes: tuple[Purpose, ...] = PURPOSES,
        limits: Limits | None = None,
    ) -> None:
        self.backend, self.recorder, self.reader = backend, recorder, reader
        self.purposes, self.limits = purposes, limits or Limits()
        self.under_way = 0
        self.seen: Counter[tuple[str, int]] = Counter()  # (path, status)
        self.endings: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)
        else:
            raise RuntimeError(f"cannot speak {scope['type']}")

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        self.recorder.start()
        await self.backend.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.backend.stop()
        await self.recorder.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, status = scope["path"], 499
        reply: Reply | None = None
        try:
            request = await read(scope, receive, self.limits.body_bytes)
            reply = Reply(receive, send)
            handler = self._handler(request)
            if self.under_way >= self.limits.at_once:
                raise HTTPError(503, "too many requests are under way", "try again soon", [(b"retry-after", b"1")])
            self.under_way += 1
            try:
                status = await handler(request, reply)
            finally:
                self.under_way -= 1
        except ClientGone:
            pass
        except (HTTPError, JourneymanError) as error:
            known = error if isinstance(error, HTTPError) else HTTPError(503, error.message, error.remedy)
            status, reply = known.status, reply or Reply(receive, send)
            with suppress(ClientGone):
                if not reply.begun:
                    kind = (b"content-type", b"application/json")
                    await reply.whole(known.status, known.body(), [kind, *known.headers])
        finally:
            if reply is not None:
                reply.end()
            self.seen[path if path in _ROUTES else "other", status] += 1

    def _handler(self, request: Request) -> Callable[[Request, Reply], Awaitable[int]]:
        route = _ROUTES.get(request.path)
        if route is None:
            raise HTTPError(404, f"there is nothing at {request.path}", f"known are {', '.join(_ROUTES)}")
        method, name = route
        if request.method != method:
            raise HTTPError(405, f"{request.path} takes {method}", "change the method", [(b"allow", method.encode())])
        return getattr(self, name)

    # What passes through

    async def _pass_on(self, request: Request, reply: Reply) -> int:
        async with self.backend.ask(request, "") as answer:
            pieces = [piece async for piece in answer.pieces]
            body = b"".join(pieces)
            await reply.whole(answer.status, body, [(b"content-type", answer.content_type.encode("latin-1"))])
            return answer.status

    async def _chat(self, request: Request, reply: Reply) -> int:
        value = request.json()
        if request.path == "/v1/chat/completions" and not isinstance(value.get("messages"), list):
            raise HTTPError(400, "there are no messages", 'send {"model": ..., "messages": [...]}')
        exchange, earlier = self._recognised(request, value)
        if earlier is not None:
            await reply.whole(earlier.status, marked(earlier.response, earlier), headers(earlier))
            return earlier.status
        relay = Relay(self.backend, self.recorder, exchange, reply)
        try:
            return await relay.run(request)
        finally:
            self.endings[relay.ending] += 1

    def _recognised(self, request: Request, value: dict[str, Any]) -> tuple[Exchange, Exchange | None]:
        """The exchange that this request begins; and the one whose answer it should get, if it is a retry of that."""
        metadata = value.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        tenant, user = "", str(value.get("user") or "")
        messages = value.get("messages") if request.path == "/v1/chat/completions" else [value.get("input")]
        hashes = recognition.chain(messages or [], tenant, user)
        begins = hashes[-1] if hashes else ""
        repeated = self._repeated(request, tenant, begins)
        session = str(request.headers.get(SESSION_HEADER) or metadata.get("session_id") or "")
        if not session and repeated:
            session = repeated.session
        if not session:
            ends = [
                each
                for message, each in zip(messages or [], hashes, strict=True)
                if isinstance(message, dict) and message.get("role") == "assistant"
            ]
            before = self.reader.newest_exchange(tenant, ends=ends[::-1])
            session = before.session if before else f"s_{secrets.token_hex(8)}"
        exchange = Exchange(
            receipt=f"r_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(6)}",
            session=session,
            request=request.body,
            started_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            tenant=tenant,
            user=user,
            begins=begins,
            key=str(request.headers.get(KEY_HEADER) or metadata.get("key") or ""),
            stream=value.get("stream") is True,
            purposes=self._purposes(request),
            retry_of=repeated.receipt if repeated else "",
            details={"path": request.path, "options": {name: value[name] for name in _OPTIONS if name in value}},
        )
        whole = repeated is not None and repeated.ending == "complete" and not exchange.stream
        return exchange, repeated if whole else None

    def _repeated(self, request: Request, tenant: str, begins: str) -> Exchange | None:
        """The exchange that a client without an answer asks for again, in the same bytes and soon after."""
        earlier = self.reader.newest_exchange(tenant, begins=begins)
        if earlier is None or earlier.request != request.body:
            return None
        age = datetime.now(UTC) - datetime.fromisoformat(earlier.started_at)
        says_so = request.headers.get("x-stainless-retry-count", "0") not in ("", "0")
        unanswered = earlier.ending not in ("complete", "open")
        return earlier if age.total_seconds() <= RETRY_SECONDS and (says_so or unanswered) else None

    def _purposes(self, request: Request) -> tuple[Purpose, ...]:
        given = request.headers.get(PURPOSES_HEADER)
        if given is None:
            return self.purposes
        wanted = {word.strip() for word in given.split(",") if word.strip()}
        if unknown := wanted - set(PURPOSES):
            raise HTTPError(
                400, f"{PURPOSES_HEADER} names {', '.join(sorted(unknown))}", f"choose from {', '.join(PURPOSES)}"
            )
        return tuple(purpose for purpose in self.purposes if purpose in wanted)

    # What was said of it later

    async def _feedback(self, request: Request, reply: Reply) -> int:
        return await self._remark(remarks.feedback(request.json()), reply)

    async def _outcome(self, request: Request, reply: Reply) -> int:
        return await self._remark(remarks.outcome(request.json()), reply)

    async def _remark(self, work: Callable[[Store], dict[str, Any]], reply: Reply) -> int:
        try:
            found = await self.recorder.do(work)
        except JourneymanError as error:
            raise HTTPError(404, error.message, error.remedy) from error
        await reply.whole(200, json.dumps(found).encode())
        return 200

    # How it is

    async def _health(self, request: Request, reply: Reply) -> int:  # noqa: ARG002
        failed = self.recorder.counts.failed
        status = 503 if failed else 200
        said = {"status": "failing to write" if failed else "ok", "under_way": self.under_way - 1}
        await reply.whole(status, json.dumps(said).encode())
        return status

    async def _metrics(self, request: Request, reply: Reply) -> int:  # noqa: ARG002
        counts = self.recorder.counts
        lines = ["# TYPE journeyman_requests_total counter"]
        lines += [
            f'journeyman_requests_total{{path="{path}",status="{status}"}} {count}'
            for (path, status), count in sorted(self.seen.items())
        ]
        lines.append("# TYPE journeyman_exchanges_total counter")
        lines += [
            f'journeyman_exchanges_total{{ending="{ending}"}} {count}' for ending, count in sorted(self.endings.items())
        ]
        for name, kind, value in (
            ("requests_under_way", "gauge", self.under_way),
            ("commits_total", "counter", counts.commits),
            ("exchanges_durable_total", "counter", counts.closed),
            ("writes_failed_total", "counter", counts.failed),
        ):
            lines += [f"# TYPE journeyman_{name} {kind}", f"journeyman_{name} {value}"]
        body = ("\n".join(lines) + "\n").encode()
        await reply.whole(200, body, [(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")])
        return 200


_ROUTES = {
    "/v1/chat/completions": ("POST", "_chat"),
    "/v1/responses": ("POST", "_chat"),
    "/v1/models": ("GET", "_pass_on"),
    "/v1/feedback": ("POST", "_feedback"),
    "/v1/outcomes": ("POST", "_outcome"),
    "/healthz": ("GET", "_health"),
    "/metrics": ("GET", "_metrics"),
}
