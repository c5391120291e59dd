"""What a serving process remembers, so that most requests need not ask the store.

Always holds: the store gives the same answers, within a second of an erasure too; what is remembered is bounded, in
time or in number. It relies on there being one server a store.

Knows hashes of conversations; not what they hold.
"""

from __future__ import annotations

import time
from collections import OrderedDict

from journeyman.store import Store

MOST_ENDS = 1 << 16


class Recent:
    """`seconds`: how long it matters what began before this process did."""

    def __init__(self, store: Store, seconds: float) -> None:
        self._begun = store.begun_since(time.time() - seconds)
        self._until = time.monotonic() + seconds
        self._sessions: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._erasures = store.count_erasures()

    def began(self, tenant: str, begins: str) -> bool:
        """Whether a request began so before this process did, and so late that it matters still."""
        if self._begun and time.monotonic() > self._until:
            self._begun = set()
        return (tenant, begins) in self._begun

    def end(self, tenant: str, ends: str, session: str) -> None:
        """Remember that the session's newest answer ends so."""
        self._sessions[tenant, ends] = session
        self._sessions.move_to_end((tenant, ends))
        if len(self._sessions) > MOST_ENDS:
            self._sessions.popitem(last=False)

    def forget(self, erasures: dict[str, int]) -> None:
        """Which sessions' answers end how, of tenants for whom there has been an erasure since; by tenant, how many."""
        gone = {tenant for tenant, count in erasures.items() if count != self._erasures.get(tenant)}
        for each in [each for each in self._sessions if each[0] in gone]:
            del self._sessions[each]
        self._erasures = erasures

    def session(self, tenant: str, ends: str) -> str:
        """ "" if it is not remembered: the store may know it."""
        return self._sessions.get((tenant, ends), "")
