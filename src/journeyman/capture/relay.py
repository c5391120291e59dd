"""One request on its way to the engine, and its answer on the way back.

Always holds: a stream begins only after it is durable that it was asked for, and any answer's end leaves only after
the whole exchange is durable; what the client gets is what the engine sent, with the receipt added; what is kept is
what the engine sent, without it and redacted; an exchange is kept exactly once.

Knows plain and streamed answers; not which requests there are, nor whose.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import quote, unquote

from journeyman.capture import recognition, replies
from journeyman.capture.leaves import TOKEN_DETAILS
from journeyman.capture.names import is_name
from journeyman.capture.outgoing import Outgoing
from journeyman.capture.recorder import Recorder
from journeyman.capture.redacted_stream import RedactedStream
from journeyman.capture.redaction import Kept, Redaction, aside, is_as_the_engine_gave_it
from journeyman.capture.upstream import Backend, CutShort
from journeyman.capture.wire import ClientGone, Headers, HTTPError, Reply, Request
from journeyman.errors import RedactionError, StoreError
from journeyman.records import Ending, Exchange

SESSION_HEADER = "x-journeyman-session"
RECEIPT_HEADER = "x-journeyman-receipt"
_LARGE = 1 << 20  # bytes; a response beyond it is read in a thread, so that others need not wait
_JUDGED_SECONDS = 0.5  # how often what came of an open stream is judged, and what may be kept of it goes to the disk

_EVENTS = (b"data:", b"event:", b"id:", b"retry:", b":")  # how a stream of them may begin


class _TooLong(Exception):  # an event that is recorded
    """An engine that does not end would take all memory."""


class Relay:
    """Use it once: `run`. Afterwards `ending` says how it went."""

    def __init__(
        self,
        backend: Backend,
        recorder: Recorder,
        exchange: Exchange,
        reply: Reply,
        redaction: Redaction | None = None,
        *,
        tokens: bool = True,
        most: int = 128 << 20,
    ) -> None:
        """tokens: whether details of tokens may be kept; they would tell what was taken out of a request. most: bytes
        of an answer, of which several copies are held until it is kept; one that is longer is cut."""
        self.backend, self.recorder, self.exchange, self.reply = backend, recorder, exchange, reply
        self._redaction = redaction
        self._redacted: dict[str, Any] = dict(exchange.details.get("redacted", {}))
        self._tokens, self._most = tokens, most
        self._redacting = RedactedStream(redaction, tokens=tokens) if redaction else None
        self._judged = 0.0
        self.ending: Ending = "open"
        self._received = bytearray()
        self._status = 0
        self._told: Mapping[str, Any] = {}
        self._streamed = False
        self._begun, self._first = time.perf_counter(), 0.0

    async def run(self, request: Request) -> int:
        """The status that was answered. HTTPError if nothing has been."""
        try:
            async with AsyncExitStack() as stack:
                with self.reply.unless_gone():
                    answer = await stack.enter_async_context(self.backend.ask(request, self.exchange.tenant))
                self._status = answer.status
                self._told = answer.details
                if any(name == b"content-encoding" and value != b"identity" for name, value in answer.headers):
                    self._give_up("an encoded body")
                said = [
                    (b"content-type", answer.content_type.encode("latin-1")),
                    *answer.headers,
                    *names(self.exchange),
                ]
                self._streamed = "text/event-stream" in answer.content_type.lower() and answer.status == 200
                await (self._stream if self._streamed else self._plain)(answer.pieces, said)
        except ClientGone:
            await self._keep("cut by client")
            raise
        except _TooLong:
            await self._keep("cut by server")
            problem = too_long(self._most)
            await self._tell(problem.status, problem.message, problem.remedy)
        except CutShort as error:
            await self._keep("cut by upstream")
            await self._tell(502, f"the engine broke off its answer ({error})", "ask again")
        except StoreError as error:  # what cannot be kept is not answered whole
            await self._tell(503, f"the answer cannot be kept: {error.message}", error.remedy)
        except HTTPError as error:
            self._status = error.status
            await self._keep("refused")
            error.headers += names(self.exchange)
            raise
        except asyncio.CancelledError:  # this server is ending
            await asyncio.shield(self._keep("cut by server"))
            await self._tell(503, "this server is ending", "ask again soon")
        return self._status

    async def _plain(self, pieces: AsyncIterator[bytes], said: Headers) -> None:
        with self.reply.unless_gone():
            async for piece in pieces:
                self._take(piece)
        body = bytes(self._received)
        await self._keep("complete" if 200 <= self._status < 300 else "refused")
        await self.reply.whole(self._status, marked(body, self.exchange), said)

    async def _stream(self, pieces: AsyncIterator[bytes], said: Headers) -> None:
        await self.recorder.open(self.exchange)
        await self.reply.begin(self._status, said)
        with self.reply.unless_gone():
            end = await self._pass_on(pieces)
        await self._keep()
        await self.reply.piece(end, last=True)

    async def _pass_on(self, pieces: AsyncIterator[bytes]) -> bytes:
        """Hand on whole events as they come, but for the ends of its replies, which come back."""
        outgoing = Outgoing(_mark(self.exchange))
        async for piece in pieces:
            self._first = self._first or time.perf_counter()
            self._take(piece)
            await self._keep_piece(piece)
            if ready := outgoing.passed(piece):
                await self.reply.piece(ready)
            if outgoing.done:  # some engines leave the connection open
                break
        return outgoing.rest

    def _take(self, piece: bytes) -> None:
        if len(self._received) + len(piece) > self._most:
            raise _TooLong
        self._received += piece

    async def _keep_piece(self, piece: bytes) -> None:
        """On the disk soon: now, or, where it has to be judged, as far as it is."""
        if self._redacting is None:
            self.recorder.piece(self.exchange.receipt, piece)
            return
        if not self._is_events:  # it is judged as a whole
            return
        self._redacting.add(piece)
        now = time.perf_counter()
        if "failed" in self._redacted or now - self._judged < _JUDGED_SECONDS:
            return
        self._judged = now
        try:
            if ready := await aside(self._redacting.size, self._redacting.ready):
                self.recorder.piece(self.exchange.receipt, ready)
        except RedactionError as error:
            self._give_up(error.kind)

    @property
    def _is_events(self) -> bool:
        """Whether it comes in events, by how it begins: some engines name another content type than they send."""
        begins = self._received[:100].lstrip()
        return begins.startswith(_EVENTS) or (self._streamed and not begins.startswith((b"{", b"[")))

    def _give_up(self, why: str) -> None:
        if self._redaction is not None:
            self._redacted["failed"] = why

    async def _as_kept(self, body: bytes, whole: bool) -> bytes:
        """The response as it may be kept; nothing of it if it cannot be judged."""
        if self._redaction is None:
            return body
        if self._is_events and self._redacting is not None:
            if not self._streamed:  # it came as a whole
                self._redacting.add(body)
            work = partial(self._redacting.end, whole=whole)
        else:
            work = partial(self._redaction.response, body, whole=whole, tokens=self._tokens)
        try:
            kept = Kept(b"") if "failed" in self._redacted else await aside(len(body), work)
        except RedactionError as error:
            self._give_up(error.kind)
            kept = Kept(b"")
        self._redacted |= kept.noted("response")
        return kept.body

    async def _tell(self, status: int, message: str, remedy: str) -> None:
        """Say what went wrong in the way that is still open."""
        problem = HTTPError(status, message, remedy, names(self.exchange))
        if not self.reply.begun:
            raise problem
        with suppress(ClientGone):
            await self.reply.piece(b"data: " + problem.body() + b"\n\n", last=True)

    async def _keep(self, ending: Ending | None = None) -> None:
        """Make the exchange durable as it ended, once. None: a stream came to its end, and what it says decides."""
        if self.ending != "open":
            return
        body = bytes(self._received)
        found = await self._read(body)
        ending = ending or ("complete" if found.whole else "cut by upstream")
        if ending == "complete" and found.failed:
            ending = "refused"
        kept = await self._as_kept(body, ending in ("complete", "refused"))
        if kept != body:
            found = await self._read(kept)
        timings = {"seconds": round(time.perf_counter() - self._begun, 6)}
        if self._first:
            timings["first_piece_seconds"] = round(self._first - self._begun, 6)
        ends = ""
        if ending == "complete" and found.message is not None and self.exchange.begins:
            ends = recognition.extended(self.exchange.begins, found.message)
        self.exchange = replace(
            self.exchange,
            ending=ending,
            ends=ends,
            response=kept,
            status=self._status,
            reply=found.message,
            details=self._details(found, timings),
        )
        await self.recorder.close(self.exchange)
        self.ending = ending

    async def _read(self, body: bytes) -> replies.Reply:
        try:
            return await aside(len(body), partial(replies.of, body), _LARGE)
        except Exception:  # whatever an engine may send: the bytes are kept
            return replies.Reply()

    def _details(self, found: replies.Reply, timings: dict[str, float]) -> dict[str, Any]:
        details = {**self.exchange.details, **found.details, **self._told, "timings": timings}
        stay = self._tokens and is_as_the_engine_gave_it(self._redacted)
        if gone := [] if stay else sorted(TOKEN_DETAILS & details.keys()):  # what an engine gave beside its body
            self._redacted["left_out"] = sorted({*gone, *self._redacted.get("left_out", ())})
        details = {name: each for name, each in details.items() if name not in gone}
        return details | ({"redacted": self._redacted} if self._redacted else {})


def too_long(most: int) -> HTTPError:
    return HTTPError(502, f"the engine's answer is larger than {most} bytes", "ask for less, or raise --limit")


def names(exchange: Exchange) -> Headers:
    """The headers that name an answer; what is not ASCII in a session's name is percent-encoded."""
    session = _quoted(exchange.session)
    return [(RECEIPT_HEADER.encode(), exchange.receipt.encode()), (SESSION_HEADER.encode(), session.encode())]


def session_in(headers: Mapping[str, str]) -> str:
    """The session that a request names: as it stands, or as `names` has written it."""
    given = headers.get(SESSION_HEADER, "")
    meant = unquote(given)
    return meant if is_name(meant) and _quoted(meant) == given else given


def _quoted(session: str) -> str:
    return quote(session, safe=" !#$&'()*+,/:;=?@[]~")


def marked(body: bytes, exchange: Exchange) -> bytes:
    """The response with the field `journeyman` as its last, if it is an object; the rest is not touched."""
    end = body.rstrip()
    if not end.startswith(b"{") or not end.endswith(b"}"):
        return body
    comma = b"" if end[1:-1].strip() == b"" else b","
    return end[:-1] + comma + _mark(exchange) + b"}"


def _mark(exchange: Exchange) -> bytes:
    return b'"journeyman":' + json.dumps({"receipt": exchange.receipt, "session": exchange.session}).encode()
