"""Which request a client asks again because it went without its answer.

A client may well send the same bytes several times at once: to sample a prompt. So that a request says of itself that
it is a retry tells only that some request got no answer, and not which. It takes the place of one whose client is known
to have gone without, each of them once, whichever it is of those that are alike; where none is known, it is a request
like any other. So nobody is given what another one was told.

Two requests that differ only in what is redacted are one in the store. So this process knows by itself what it was
asked: by marks made with a key that it makes when it begins, and that is nowhere kept. Of what an earlier process did
not answer, only what is kept is known: nothing is given out for it, the retry only takes its place.

Always holds: an answer is given again only if its own client went without it, and to one request alone; only to the
very bytes that it answered, with the same session, key and purposes named beside them.

Knows exchanges, and which clients have gone; not what is asked of them.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from journeyman.capture.openapi import KEY_HEADER, PURPOSES_HEADER
from journeyman.capture.reading import Reading
from journeyman.capture.recent import Recent
from journeyman.capture.relay import SESSION_HEADER
from journeyman.capture.wire import Reply, Request
from journeyman.records import Exchange
from journeyman.store import Store

RETRY_SECONDS = 600.0  # how long after it ended the same request may still be a retry of it
_NAMING = (SESSION_HEADER, KEY_HEADER, PURPOSES_HEADER)  # what the body would say as well


@dataclass(eq=False)
class Attempt:
    """One request while it is answered: the exchange that its client waits for (by its receipt), whether there is a
    whole answer to it, and whether that has gone out to its client."""

    receipt: str
    reply: Reply
    complete: bool = False
    answered: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True)
class _Missed:
    """An exchange whose client went without its answer, and since when."""

    receipt: str
    complete: bool
    at: float


class Retries:
    """`read` and `recent`: what the store and this process know of earlier requests."""

    def __init__(self, read: Reading, recent: Recent) -> None:
        self._read, self._recent = read, recent
        self._key = secrets.token_bytes(32)
        self._since = f"r_{time.time_ns() // 1_000_000:012x}"  # receipts begin with their time
        self._under_way: dict[bytes, list[Attempt]] = {}
        self._missed: dict[bytes, list[_Missed]] = {}  # those that were added to longest ago first
        self._taken: set[str] = set()  # of earlier processes: exchanges that have been asked again

    def mark(self, tenant: str, client: str, request: Request) -> bytes:
        """Stands for this request from this client, in this process and nowhere else."""
        named = (repr(request.headers.get(name)) for name in _NAMING)  # no purposes are not all of them
        said = "\0".join((tenant, client, request.path, *named)).encode(errors="surrogatepass")
        return hashlib.blake2b(said + b"\0" + request.body, key=self._key, digest_size=16).digest()

    @contextmanager
    def attempt(self, mark: bytes, receipt: str, reply: Reply) -> Iterator[Attempt]:
        """A request with this mark is answered within; if it is not, another may be a retry of it."""
        attempt = Attempt(receipt, reply)
        self._under_way.setdefault(mark, []).append(attempt)
        try:
            yield attempt
        finally:
            self._under_way[mark].remove(attempt)
            if not self._under_way[mark]:
                del self._under_way[mark]
            if not attempt.answered:
                self._miss(mark, attempt)
            attempt.ended.set()

    def _miss(self, mark: bytes, attempt: Attempt) -> None:
        now = time.monotonic()
        known = self._missed.pop(mark, [])
        self._missed[mark] = [*known, _Missed(attempt.receipt, attempt.complete, now)]
        while now - self._missed[oldest := next(iter(self._missed))][-1].at > RETRY_SECONDS:
            del self._missed[oldest]

    async def earlier(
        self, mark: bytes, exchange: Exchange, reply: Reply, *, says_so: bool, named: bool
    ) -> Exchange | None:
        """The exchange in whose place this one comes. One that has a whole answer only if the client says that this is
        a retry: else it may want another answer. `named`: it has said which session it belongs to."""
        while True:
            while (missed := self._take(mark, says_so)) is not None:
                found = await self._read(lambda it, each=missed: it.exchanges(receipts=[each.receipt]))
                if found:  # else it could not be kept, or has been erased
                    return found[0]
            gone = next((each for each in self._under_way.get(mark, ()) if each.reply.gone.done()), None)
            if gone is None:
                break
            with reply.unless_gone():  # what came of it is being kept
                await gone.ended.wait()
        if not self._recent.began(exchange.tenant, exchange.begins):
            return None
        return await self._read(lambda it: self._of_before(it, exchange, named))

    def _take(self, mark: bytes, says_so: bool) -> _Missed | None:
        """The newest that may be asked again: by one request."""
        known = self._missed.get(mark, [])
        since = time.monotonic() - RETRY_SECONDS
        found = next((each for each in reversed(known) if each.at >= since and (says_so or not each.complete)), None)
        if found is not None:
            known.remove(found)
            if not known:
                del self._missed[mark]
        return found

    def _of_before(self, store: Store, exchange: Exchange, named: bool) -> Exchange | None:
        """What an earlier process did not answer, as far as what is kept tells."""
        like = store.newest_exchange(exchange.tenant, begins=exchange.begins, request=exchange.request)
        if like is None or like.receipt >= self._since or like.receipt in self._taken:
            return None
        if like.key != exchange.key or (named and like.session != exchange.session):
            return None
        age = datetime.now(UTC) - datetime.fromisoformat(like.started_at)
        if like.ending in ("complete", "open") or age.total_seconds() > RETRY_SECONDS:
            return None
        self._taken.add(like.receipt)
        return like
