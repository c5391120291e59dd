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

import asyncio
import hashlib
import json
import secrets
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from journeyman.capture import openapi, recognition, remarks, responses
from journeyman.capture.keys import Doorkeeper, Holder
from journeyman.capture.names import name, purposes
from journeyman.capture.openapi import KEY_HEADER, PURPOSES_HEADER, RETRY_HEADER
from journeyman.capture.recent import Recent
from journeyman.capture.recorder import Recorder
from journeyman.capture.redaction import Kept, Redaction, aside, is_as_the_engine_gave_it
from journeyman.capture.relay import SESSION_HEADER, Relay, marked, names
from journeyman.capture.retries import RETRY_SECONDS, Asked
from journeyman.capture.upstream import Backend, CutShort
from journeyman.capture.wire import ClientGone, HTTPError, Receive, Reply, Request, Scope, Send, headers_of, read
from journeyman.errors import JourneymanError, RedactionError, UnknownError, UsageError
from journeyman.records import PURPOSES, Exchange, KeyRole, Purpose
from journeyman.store import Store

_OPTIONS = (
    *("temperature", "top_p", "max_tokens", "max_completion_tokens", "max_output_tokens"),
    *("n", "stop", "seed", "response_format"),
)
LOOPBACK = ("127.0.0.1", "localhost", "::1")


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
        hosts: Collection[str] = LOOPBACK,
        redaction: Redaction | None = None,
    ) -> None:
        self.backend, self.recorder, self.reader, self.hosts = backend, recorder, reader, hosts
        self._running: dict[tuple[str, str, str], asyncio.Future[Exchange]] = {}
        self.purposes, self.limits = purposes, limits or Limits()
        self.doorkeeper = Doorkeeper(reader)
        self.redaction, self._asked, self.unredacted = redaction, Asked(), 0
        self.recent = Recent(reader, RETRY_SECONDS)
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
            headers = headers_of(scope)
            handler = self._handler(scope["method"], path, headers)
            heavy = handler in (self._chat, self._pass_on)  # whether it is well can be asked of a busy server too
            if heavy and self.under_way >= self.limits.at_once:
                raise HTTPError(503, "too many requests are under way", "try again soon", [(b"retry-after", b"1")])
            self.under_way += heavy
            try:
                holder = self._holder(path, headers)
                request = await read(scope, headers, receive, self.limits.body_bytes)
                reply = Reply(receive, send)
                status = await handler(request, reply, holder)
            finally:
                self.under_way -= heavy
        except ClientGone:
            pass
        except (HTTPError, JourneymanError) as error:
            known = error if isinstance(error, HTTPError) else _as_answer(error)
            status, reply = known.status, reply or Reply(receive, send)
            with suppress(ClientGone):
                if not reply.begun:
                    kind = (b"content-type", b"application/json")
                    await reply.whole(known.status, known.body(), [kind, *known.headers])
        except Exception:  # a defect of ours: the server's log shows it, the client is told as of any other error
            status, reply = 500, reply or Reply(receive, send)
            with suppress(ClientGone):
                if not reply.begun:
                    await reply.whole(500, HTTPError(500, "this server has a defect", "see what it printed").body())
            raise
        finally:
            if reply is not None:
                reply.end()
            self.seen[path if path in _ROUTES else "other", status] += 1

    def _holder(self, path: str, headers: Mapping[str, str]) -> Holder:
        """Who asks, if he may ask for this."""
        holder = self.doorkeeper.holder(headers.get("authorization", ""))
        if path in _FOR_ALL:
            return holder or Holder("", (), ())
        if holder is None:
            raise HTTPError(
                401, "this server answers only those who have a key", "send it as: Authorization: Bearer KEY"
            )
        role = _ROLE_FOR.get(path, "serve")
        if role not in holder.roles:
            raise HTTPError(403, f"this key may not {role}", f"use a key with the role {role}")
        return holder

    def _handler(
        self, given_method: str, path: str, headers: Mapping[str, str]
    ) -> Callable[[Request, Reply, Holder], Awaitable[int]]:
        # A page in somebody's browser may send requests here, and under a name that it has made to point here.
        for header in ("origin", "host"):
            given = headers.get(header)
            if given is not None and not self.doorkeeper.keyed and not _is_here(given, self.hosts):
                raise HTTPError(
                    403, f"the {header} {given!r} is not this machine's", "ask from a program, or by 127.0.0.1"
                )
        route = _ROUTES.get(path)
        if route is None:
            raise HTTPError(404, f"there is nothing at {path}", f"known are {', '.join(_ROUTES)}")
        method, handler = route
        if given_method != method:
            raise HTTPError(405, f"{path} takes {method}", "change the method", [(b"allow", method.encode())])
        return getattr(self, handler)

    # What passes through

    async def _pass_on(self, request: Request, reply: Reply, holder: Holder) -> int:
        try:
            async with self.backend.ask(self._forwarded(request), holder.tenant) as answer:
                body = b"".join([piece async for piece in answer.pieces])
        except CutShort as error:
            raise HTTPError(502, f"the engine broke off its answer ({error})", "ask again") from error
        kind = (b"content-type", answer.content_type.encode("latin-1"))
        await reply.whole(answer.status, body, [kind, *answer.headers])
        return answer.status

    def _forwarded(self, request: Request) -> Request:
        """As the engine gets it: our keys are not its business."""
        if not self.doorkeeper.keyed:
            return request
        return replace(
            request, headers={name: each for name, each in request.headers.items() if name != "authorization"}
        )

    async def _chat(self, request: Request, reply: Reply, holder: Holder) -> int:
        value = request.json()
        if request.path == "/v1/chat/completions" and not isinstance(value.get("messages"), list):
            raise HTTPError(400, "there are no messages", 'send {"model": ..., "messages": [...]}')
        client = hashlib.sha256(request.headers.get("authorization", "").encode()).hexdigest()[:16]
        kept = await self._as_kept(request.body)
        exchange = self._begun(request, value, kept, client, holder)
        mine = (exchange.tenant, f"{client}{request.path}", hashlib.sha256(request.body).hexdigest())
        earlier = await self._repeated(request, exchange, mine, reply)
        self._asked.note(exchange, request.body)
        if earlier is not None:
            exchange = replace(exchange, session=earlier.session, retry_of=earlier.receipt)
            given = earlier.ending == "complete" and is_as_the_engine_gave_it(earlier.details.get("redacted", {}))
            if given and earlier.purposes == exchange.purposes and not exchange.stream and not earlier.stream:
                kind = (b"content-type", b"application/json")
                await reply.whole(earlier.status, marked(earlier.response, earlier), [kind, *names(earlier)])
                return earlier.status
        relay = Relay(self.backend, self.recorder, exchange, reply, self.redaction, tokens=kept.prompt_stays(value))
        ended: asyncio.Future[Exchange] = asyncio.get_running_loop().create_future()
        self._running[mine] = ended
        try:
            return await relay.run(self._forwarded(request))
        finally:
            self.endings[relay.ending] += 1
            if why := relay.exchange.details.get("redacted", {}).get("failed"):
                self._tell_unredacted(why)
            if relay.ending == "complete" and relay.exchange.ends:
                self.recent.end(relay.exchange.tenant, relay.exchange.ends, relay.exchange.session)
            ended.set_result(relay.exchange)
            if self._running.get(mine) is ended:
                del self._running[mine]

    def _tell_unredacted(self, why: str) -> None:
        """The first time on stderr: whoever runs a server whose hook fails finds out before its sessions are missed."""
        if not self.unredacted:
            said = f"an answer could not be redacted ({why}) and is kept without its words; /metrics counts such ones"
            print(said, file=sys.stderr, flush=True)
        self.unredacted += 1

    async def _as_kept(self, body: bytes) -> Kept:
        """A request as it may be kept; without a hook that works, nothing of it."""
        if self.redaction is None:
            return Kept(body)
        try:
            return await aside(len(body), partial(self.redaction.request, body))
        except RedactionError as error:
            return Kept(b"{}", failed=error.kind)

    def _begun(self, request: Request, value: dict[str, Any], kept: Kept, client: str, holder: Holder) -> Exchange:
        """The exchange that this request begins, in the session that it goes on with: told from what is kept, so that
        its hashes tell no more than that."""
        given = value.get("metadata")
        given = given if isinstance(given, dict) else {}
        user = name("user", value.get("user"))
        session, key = name("session", given.get("session_id")), name("key", given.get("key"))
        session = name("session", request.headers.get(SESSION_HEADER)) or session
        key = name("key", request.headers.get(KEY_HEADER)) or key
        redacted = kept.noted("request")
        if kept.failed:
            user = session = key = ""
        elif self.redaction is not None:
            names: Counter[str] = Counter()
            user, session, key = (self.redaction.name(each, names) for each in (user, session, key))
            redacted |= {"names": dict(names)} if names else {}
        value = value if kept.body is request.body else kept.value
        tenant = holder.tenant
        messages, follows = value.get("messages") or [], ""
        if request.path == responses.PATH:
            follows = responses.follows(value)
            messages = [*filter(None, [follows]), *(responses.said(value) or [value.get("input")])]
        hashes = recognition.chain(messages, tenant, f"{client}:{user}")
        if not session:
            ends = [
                each
                for message, each in zip(messages, hashes, strict=True)
                if isinstance(message, dict) and message.get("role") == "assistant"
            ]
            known = self.recent.session(tenant, ends[-1]) if ends and not follows else ""
            before = None if known else self.reader.newest_exchange(tenant, ends=ends[::-1], response=follows)
            session = known or (before.session if before else f"s_{secrets.token_hex(8)}")
        return Exchange(
            receipt=f"r_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(6)}",
            session=session,
            request=kept.body,
            started_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            tenant=tenant,
            user=user,
            begins=hashes[-1] if hashes else "",
            key=key,
            stream=value.get("stream") is True,
            purposes=self._purposes(request, holder),
            details={
                "path": request.path,
                "client": client,
                "options": {option: value[option] for option in _OPTIONS if option in value},
                **({"redacted": redacted} if redacted else {}),
            },
        )

    async def _repeated(
        self, request: Request, exchange: Exchange, mine: tuple[str, str, str], reply: Reply
    ) -> Exchange | None:
        """The exchange that a client without an answer asks for again: the same bytes by the same client, soon after.

        One that is still under way, its client's going unnoticed, is waited for.
        """
        says_so = request.headers.get(RETRY_HEADER, "0") not in ("", "0")
        if says_so and mine in self._running:
            with reply.unless_gone():
                return await asyncio.shield(self._running[mine])
        if not self.recent.begin(exchange.tenant, exchange.begins):
            return None
        earlier = self._asked.earlier(self.reader, exchange, request.body)
        if earlier is None:
            return None
        age = datetime.now(UTC) - datetime.fromisoformat(earlier.started_at)
        unanswered = earlier.ending not in ("complete", "open")
        return earlier if age.total_seconds() <= RETRY_SECONDS and (says_so or unanswered) else None

    def _purposes(self, request: Request, holder: Holder) -> tuple[Purpose, ...]:
        given = request.headers.get(PURPOSES_HEADER)
        wanted = PURPOSES if given is None else purposes(given)
        return tuple(each for each in wanted if each in self.purposes and each in holder.purposes)

    # What was said of it later

    async def _feedback(self, request: Request, reply: Reply, holder: Holder) -> int:
        return await self._remark(remarks.feedback, request, reply, holder)

    async def _outcome(self, request: Request, reply: Reply, holder: Holder) -> int:
        return await self._remark(remarks.outcome, request, reply, holder)

    async def _remark(self, said: Callable[..., remarks.Work], request: Request, reply: Reply, holder: Holder) -> int:
        work = await aside(len(request.body), partial(said, request.json(), holder.tenant, self.redaction))
        found = await self.recorder.do(work)
        await reply.whole(200, json.dumps(found).encode())
        return 200

    # How it is

    async def _health(self, request: Request, reply: Reply, holder: Holder) -> int:  # noqa: ARG002
        writable = self.recorder.counts.writable
        status = 200 if writable else 503
        said = {"status": "ok" if writable else "the store cannot be written", "under_way": self.under_way}
        await reply.whole(status, json.dumps(said).encode())
        return status

    async def _description(self, request: Request, reply: Reply, holder: Holder) -> int:  # noqa: ARG002
        await reply.whole(200, openapi.body())
        return 200

    async def _metrics(self, request: Request, reply: Reply, holder: Holder) -> int:  # noqa: ARG002
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
        for what, kind, value in (
            ("requests_under_way", "gauge", self.under_way),
            ("commits_total", "counter", counts.commits),
            ("exchanges_durable_total", "counter", counts.closed),
            ("writes_failed_total", "counter", counts.failed),
            ("redactions_failed_total", "counter", self.unredacted),
        ):
            lines += [f"# TYPE journeyman_{what} {kind}", f"journeyman_{what} {value}"]
        for what, value in self.backend.metrics().items():
            kind = "counter" if what.endswith("_total") else "gauge"
            lines += [f"# TYPE journeyman_{what} {kind}", f"journeyman_{what} {value}"]
        body = ("\n".join(lines) + "\n").encode()
        await reply.whole(200, body, [(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")])
        return 200


_ROUTES = {
    "/v1/chat/completions": ("POST", "_chat"),
    responses.PATH: ("POST", "_chat"),
    "/v1/models": ("GET", "_pass_on"),
    "/v1/feedback": ("POST", "_feedback"),
    "/v1/outcomes": ("POST", "_outcome"),
    "/healthz": ("GET", "_health"),
    "/metrics": ("GET", "_metrics"),
    "/openapi.json": ("GET", "_description"),
}
_FOR_ALL = ("/healthz", "/openapi.json")  # they tell nothing of anybody
_ROLE_FOR: dict[str, KeyRole] = {"/v1/feedback": "feedback", "/v1/outcomes": "feedback", "/metrics": "admin"}


def _is_here(address: str, hosts: Collection[str]) -> bool:
    """Whether an Origin or a Host names one of these; a program may send none."""
    with suppress(ValueError):
        return urlsplit(address if "//" in address else f"//{address}").hostname in hosts
    return False


def _as_answer(error: JourneymanError) -> HTTPError:
    """An error of a user's, or of the store's, as HTTP says it."""
    status = 400 if isinstance(error, UsageError) else 404 if isinstance(error, UnknownError) else 503
    return HTTPError(status, error.message, error.remedy)
