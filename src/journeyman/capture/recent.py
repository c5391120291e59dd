"""What a serving process remembers, so that most requests need not ask the store.

Always holds: the store gives the same answers; what is remembered is bounded, in time or in number. It relies on there
being one server a store.

Knows hashes of conversations; not what they hold.
"""

from __future__ import annotations

import time
from collections import OrderedDict

from journeyman.store import Store

MOST_ENDS = 1 << 16


class Recent:
    """`seconds`: how long a beginning is remembered."""

    def __init__(self, store: Store, seconds: float) -> None:
        self.seconds = seconds
        now = time.monotonic()
        self._begun = dict.fromkeys(store.begun_since(time.time() - seconds), now)
        self._sessions: OrderedDict[tuple[str, str], str] = OrderedDict()

    def begin(self, tenant: str, begins: str) -> bool:
        """Remember that a request begins so; whether another did, not longer ago than `seconds`."""
        now = time.monotonic()
        before = self._begun.pop((tenant, begins), None)
        self._begun[tenant, begins] = now
        while now - next(iter(self._begun.values())) > self.seconds:
            del self._begun[next(iter(self._begun))]
        return before is not None and now - before <= self.seconds

    def end(self, tenant: str, ends: str, session: str) -> None:
        """Remember that the session's newest answer ends so."""
        self._sessions[tenant, ends] = session
        self._sessions.move_to_end((tenant, ends))
        if len(self._sessions) > MOST_ENDS:
            self._sessions.popitem(last=False)

    def session(self, tenant: str, ends: str) -> str:
        """ "" if it is not remembered: the store may know it."""
        return self._sessions.get((tenant, ends), "")
