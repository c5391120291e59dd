"""Which request a client asks again, although what is kept of it may not be what it asked.

Two requests that differ only in what is redacted are one in the store. So this process remembers by itself what it was
asked: marks made with a key that it makes when it begins, and that is nowhere kept. After a restart only a request that
got no answer is still known, by what is kept of it: nothing is given out for it, it only takes the other's place.

Always holds: an answer is given again only to the very bytes that it answered, and only if it is kept as it was.

Knows exchanges; nothing of HTTP.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass, field

from journeyman.records import Exchange
from journeyman.store import Store

RETRY_SECONDS = 600.0  # how long after an answer the same request may still be a retry of it


@dataclass
class Asked:
    """The redacted requests of the last minutes: by the mark of what was really asked, the receipt."""

    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    _receipts: dict[str, tuple[str, float]] = field(default_factory=dict)

    def note(self, exchange: Exchange, body: bytes) -> None:
        """This exchange begins with `body`."""
        if exchange.request == body:
            return
        now = time.monotonic()
        while self._receipts and now - (oldest := next(iter(self._receipts.items())))[1][1] > RETRY_SECONDS:
            del self._receipts[oldest[0]]
        mark = self._mark(exchange, body)
        self._receipts.pop(mark, None)
        self._receipts[mark] = exchange.receipt, now

    def earlier(self, store: Store, exchange: Exchange, body: bytes) -> Exchange | None:
        """The newest exchange that the same client began with the same bytes."""
        if exchange.request == body:
            return store.newest_exchange(exchange.tenant, begins=exchange.begins, request=body)
        if known := self._receipts.get(self._mark(exchange, body)):
            return next(iter(store.exchanges(tenant=exchange.tenant, receipts=[known[0]])), None)
        like = store.newest_exchange(exchange.tenant, begins=exchange.begins, request=exchange.request)
        others = {receipt for receipt, _ in self._receipts.values()}
        return like if like and like.receipt not in others and like.ending != "complete" else None

    def _mark(self, exchange: Exchange, body: bytes) -> str:
        said = "\0".join((exchange.tenant, exchange.begins)).encode(errors="surrogatepass")
        return hashlib.blake2b(said + b"\0" + body, key=self._key, digest_size=16).hexdigest()
