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
import json
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from journeyman.capture import openapi, remarks, responses
from journeyman.capture.beginning import Beginnings, named_session
from journeyman.capture.clients import Clients
from journeyman.capture.exposition import CONTENT_TYPE, exposition
from journeyman.capture.keys import Doorkeeper, Holder
from journeyman.capture.openapi import RETRY_HEADER
from journeyman.capture.reading import Reading
from journeyman.capture.recent import Recent
from journeyman.capture.recorder import Recorder
from journeyman.capture.redaction import Redaction, as_kept, aside, is_as_the_engine_gave_it
from journeyman.capture.relay import SESSION_HEADER, Relay, marked, names, too_long
from journeyman.capture.retries import RETRY_SECONDS, Retries
from journeyman.capture.upstream import CREDENTIALS, Backend, CutShort
from journeyman.capture.wire import ClientGone, HTTPError, Receive, Reply, Request, Scope, Send, headers_of, read
from journeyman.errors import JourneymanError, UnknownError, UsageError
from journeyman.records import PURPOSES, Exchange, KeyRole, Purpose
from journeyman.store import Store

# After a remark, in a thread, with the reader and the tenant: what comes back is done with the store that is written.
AfterRemark = Callable[[Store, str], Callable[[Store], Any] | None]
LOOPBACK = ("127.0.0.1", "localhost", "::1")
ANSWER = 8
_LAST_SECONDS = 5.0  # for what was broken off when the server ended to be kept


@dataclass(frozen=True)
class Limits:
    """body_bytes: of a request, of a page's `page_bytes`; an answer may have ANSWER times as many; body_seconds: for
    the body to come; at_once: questions under way, and as many remarks; beyond it a client is told to come back."""

    body_bytes: int = 16 << 20
    at_once: int = 256
    body_seconds: float = 120.0
    page_bytes: int = 1 << 16

    @property
    def answer_bytes(self) -> int:
        return ANSWER * self.body_bytes


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
        after_remark: AfterRemark | None = None,
    ) -> None:
        self.backend, self.recorder, self.hosts = backend, recorder, hosts
        self.after_remark = after_remark
        self._read = Reading(reader)
        self.limits = limits or Limits()
        self.doorkeeper = Doorkeeper(reader)
        self.redaction, self.unredacted = redaction, 0
        self.recent = Recent(reader, RETRY_SECONDS)
        self.retries = Retries(self._read, self.recent)
        self.beginnings = Beginnings(self._read, self.recent, Clients(recorder.store.folder), purposes)
        self.under_way = self.remarking = 0
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
        with suppress(asyncio.CancelledError):  # by a second Ctrl-C, which waits for nobody: but all is still kept
            await receive()
        await self.backend.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SECONDS):  # what was cancelled just now still hands over what it had
                while self.under_way:
                    await asyncio.sleep(0.01)
        await self.recorder.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, status = scope["path"], 499
        reply: Reply | None = None
        try:
            headers = headers_of(scope)
            handler = self._handler(scope["method"], path, headers)
            with self._place(handler):
                holder = await self._holder(path, headers)
                most = self.limits.body_bytes if scope["method"] == "POST" else self.limits.page_bytes
                request = await read(scope, headers, receive, most, self.limits.body_seconds)
                reply = Reply(receive, send)
                status = await handler(request, reply, holder)
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

    @contextmanager
    def _place(self, handler: Callable[..., Any]) -> Iterator[None]:
        """One of those that there are for questions, or for remarks; whether it is well can be asked of a busy server
        too."""
        asks, says = handler in (self._chat, self._pass_on), handler in (self._feedback, self._outcome)
        if (asks and self.under_way >= self.limits.at_once) or (says and self.remarking >= self.limits.at_once):
            raise HTTPError(503, "too many requests are under way", "try again soon", [(b"retry-after", b"1")])
        self.under_way += asks
        self.remarking += says
        try:
            yield
        finally:
            self.under_way -= asks
            self.remarking -= says

    async def _holder(self, path: str, headers: Mapping[str, str]) -> Holder:
        """Who asks, if he may ask for this."""
        if path not in _FOR_ALL and await self.doorkeeper.renew(self._read):
            self.recent.forget(await self._read(lambda it: it.count_erasures()))
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
                body = bytearray()
                async for piece in answer.pieces:
                    body += piece
                    if len(body) > self.limits.answer_bytes:
                        raise too_long(self.limits.answer_bytes)
        except CutShort as error:
            raise HTTPError(502, f"the engine broke off its answer ({error})", "ask again") from error
        kind = (b"content-type", answer.content_type.encode("latin-1"))
        await reply.whole(answer.status, bytes(body), [kind, *answer.headers])
        return answer.status

    def _forwarded(self, request: Request, session: str = "") -> Request:
        """As the engine gets it: our keys are not its business, and the session is the one that it is kept in."""
        ours = CREDENTIALS if self.doorkeeper.keyed else ()
        headers = {name: each for name, each in request.headers.items() if name not in ours}
        return replace(request, headers={**headers, SESSION_HEADER: session})

    async def _chat(self, request: Request, reply: Reply, holder: Holder) -> int:
        lost: list[Any] = []
        value, redaction = await aside(len(request.body), partial(request.json, lost)), self._redaction(holder)
        if request.path == "/v1/chat/completions" and not isinstance(value.get("messages"), list):
            raise HTTPError(400, "there are no messages", 'send {"model": ..., "messages": [...]}')
        if self.doorkeeper.keyed:
            await self.beginnings.refuse_others(request, value, lost, holder.tenant)
        kept = await as_kept(redaction, request.body, (value, lost))
        exchange = await self.beginnings.begun(request, value, kept, holder, redaction)
        marking = partial(self.retries.mark, exchange.tenant, exchange.details["client"], request)
        mark = await aside(len(request.body), marking)
        says_so = request.headers.get(RETRY_HEADER, "0") not in ("", "0")
        named = bool(named_session(request, value))
        earlier = await self.retries.earlier(mark, exchange, reply, says_so=says_so, named=named)
        if earlier is not None:
            exchange = replace(exchange, session=earlier.session, retry_of=earlier.receipt)
        with self.retries.attempt(mark, exchange.receipt, reply) as attempt:
            if earlier is not None and _can_be_given(earlier, exchange):
                attempt.receipt, attempt.complete = earlier.receipt, True
                kind = (b"content-type", b"application/json")
                await reply.whole(earlier.status, marked(earlier.response, earlier), [kind, *names(earlier)])
                attempt.answered = True
                return earlier.status
            stays, most = kept.prompt_stays(value), self.limits.answer_bytes
            relay = Relay(self.backend, self.recorder, exchange, reply, redaction, tokens=stays, most=most)
            try:
                status = await relay.run(self._forwarded(request, exchange.session))
                attempt.answered = relay.ending == "complete"
                return status
            finally:
                attempt.complete = relay.ending == "complete"
                self._note(relay)

    def _note(self, relay: Relay) -> None:
        """How it went, and with which words its session ends now."""
        self.endings[relay.ending] += 1
        if why := relay.exchange.details.get("redacted", {}).get("failed"):
            self._tell_unredacted(why)
        if relay.ending == "complete" and relay.exchange.ends:
            self.recent.end(relay.exchange.tenant, relay.exchange.ends, relay.exchange.session)

    def _tell_unredacted(self, why: str) -> None:
        """The first time on stderr: whoever runs a server whose hook fails finds out before its sessions are missed."""
        if not self.unredacted:
            said = f"an answer could not be redacted ({why}) and is kept without its words; /metrics counts such ones"
            print(said, file=sys.stderr, flush=True)
        self.unredacted += 1

    def _redaction(self, holder: Holder) -> Redaction | None:
        return self.redaction.of(holder.tenant) if self.redaction else None

    # What was said of it later

    async def _feedback(self, request: Request, reply: Reply, holder: Holder) -> int:
        return await self._remark(remarks.feedback, request, reply, holder)

    async def _outcome(self, request: Request, reply: Reply, holder: Holder) -> int:
        return await self._remark(remarks.outcome, request, reply, holder)

    async def _remark(self, said: Callable[..., remarks.Work], request: Request, reply: Reply, holder: Holder) -> int:
        redaction = self._redaction(holder)
        work = await aside(len(request.body), lambda: said(request.json(), holder.tenant, redaction))
        found = await self.recorder.do(work)
        if (after := self.after_remark) and (then := await self._read(lambda store: after(store, holder.tenant))):
            await self.recorder.do(then)
        await reply.whole(200, json.dumps(found).encode())
        return 200

    # How it is

    async def _health(self, request: Request, reply: Reply, holder: Holder) -> int:  # noqa: ARG002
        writable = await self.recorder.writable()
        status = 200 if writable else 503
        said = {"status": "ok" if writable else "the store cannot be written", "under_way": self.under_way}
        await reply.whole(status, json.dumps(said).encode())
        return status

    async def _description(self, request: Request, reply: Reply, holder: Holder) -> int:  # noqa: ARG002
        await reply.whole(200, openapi.body())
        return 200

    async def _metrics(self, request: Request, reply: Reply, holder: Holder) -> int:  # noqa: ARG002
        counts = self.recorder.counts
        single = {
            "requests_under_way": self.under_way,
            "commits_total": counts.commits,
            "exchanges_durable_total": counts.closed,
            "writes_failed_total": counts.failed,
            "redactions_failed_total": self.unredacted,
            **self.backend.metrics(),
        }
        asked = [({"path": path, "status": status}, n) for (path, status), n in sorted(self.seen.items())]
        ended = [({"ending": ending}, n) for ending, n in sorted(self.endings.items())]
        body = exposition(single, {"requests_total": asked, "exchanges_total": ended})
        await reply.whole(200, body, [(b"content-type", CONTENT_TYPE)])
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


def _can_be_given(earlier: Exchange, exchange: Exchange) -> bool:
    """Whether the answer of one, as it is kept, is an answer to the other."""
    given = earlier.ending == "complete" and is_as_the_engine_gave_it(earlier.details.get("redacted", {}))
    return given and earlier.purposes == exchange.purposes and not exchange.stream and not earlier.stream


def _as_answer(error: JourneymanError) -> HTTPError:
    """An error of a user's, or of the store's, as HTTP says it."""
    status = 400 if isinstance(error, UsageError) else 404 if isinstance(error, UnknownError) else 503
    return HTTPError(status, error.message, error.remedy)
