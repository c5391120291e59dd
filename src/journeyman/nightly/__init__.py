"""Night after night: whose nights are to be run, when, how long, and what is left of them to read.

`turns` here says who has something new; `hours` when a night begins, `budget` when it has to end, `book` what is
written of it, `webhook` who is told. `journeyman nightly` puts them together.

Always holds: a tenant has a turn if there are sessions that no night has read to its end; who was interrupted comes
first, then who had no night for longest, so that a round that is too short for all leaves nobody out for good.

Knows the store; nothing of how a night is run.
"""

from __future__ import annotations

from journeyman.capture import conversations
from journeyman.records import NightRecord
from journeyman.registry.adapters import LEARNING
from journeyman.store import Store


def turns(store: Store, base: str | None = None) -> list[str]:
    """The tenants who have a turn; `base`: the fingerprint of the model that is to learn (None: of any)."""
    found: list[tuple[bool, str, str]] = []
    for tenant in store.tenants():
        if waiting(store, tenant, base):
            ended = [night.finished_at for night in store.nights(tenant)]
            found.append((not begun(store, tenant, base), max(ended, default=""), tenant))
    return [tenant for *_, tenant in sorted(found)]


def waiting(store: Store, tenant: str, base: str | None = None) -> list[str]:
    """Ids of the sessions to learn from that no night over this base has read to its end."""
    nights = [night for night in store.nights(tenant) if base in (None, night.spec.get("base"))]
    read = {id for night in nights if _stands(night) for id in night.spec.get("sessions", ())}
    kept = conversations.sessions(store, *LEARNING, tenant=tenant)
    return [session.id for session in kept if session.id not in read]


def begun(store: Store, tenant: str, base: str | None = None) -> tuple[str, ...]:
    """Ids of the sessions of the tenant's last night, if that has not ended and some of them are waiting for its end:
    it can be gone on with."""
    nights = store.nights(tenant)
    read = tuple(nights[-1].spec.get("sessions", ())) if nights and nights[-1].result is None else ()
    if not read:
        return ()
    return () if set(read).isdisjoint(waiting(store, tenant, base)) else read


def _stands(night: NightRecord) -> bool:
    """Whether it has ended, and what it made has not been erased."""
    return night.result is not None and not night.result.get("erased")
