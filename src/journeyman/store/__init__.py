"""Keep what was recorded: exchanges and sessions, nights and their phases, adapters and which of them is in service.

Always holds: every method that writes is one transaction, durable when it returns; sessions and adapters
that are added twice are kept once; a champion carries the verdict PROMOTE, and it and all that it descends from
were made for its own tenant ("": the store's own) and base. `tests/contract/` holds every implementation to this.

Knows nothing of how a session is recorded, or of what a night's phases do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, Self

from journeyman.errors import UsageError
from journeyman.records import (
    AdapterRecord,
    Arm,
    Erasure,
    Exchange,
    Feedback,
    Key,
    NightRecord,
    Outcome,
    PhaseRecord,
    Related,
    ServiceRecord,
    Session,
    Why,
)
from journeyman.store.address import POSTGRES, without_secrets
from journeyman.store.sql import SCHEMAS, SqlStore
from journeyman.store.sqlite import SqliteDatabase

__all__ = ["Store", "open_store", "without_secrets"]


class Store(Protocol):
    """One seam between the program and where its records are kept.

    `name` is what people call it: a path, or a URL without its password. What is too large for a record (weights,
    pages) lies in `folder` on this machine.
    """

    name: str
    folder: Path

    def add_sessions(self, sessions: Iterable[Session]) -> list[bool]:
        """Keep all of them, or none; for each, whether it is new. One that is there already may from then on be used
        for no more purposes than what has come again."""
        ...

    def sessions(self, ids: Collection[str] | None = None, *, tenant: str | None = None) -> list[Session]:
        """All sessions, or those of `ids` that are kept, of all tenants or of one, in the order they arrived."""
        ...

    def session_ids(self, tenant: str | None = None) -> list[str]:
        """Of the same sessions, in the same order."""
        ...

    def count_sessions(self) -> int: ...

    def tenants(self) -> list[str]:
        """Whose sessions or exchanges are kept, in alphabetical order."""
        ...

    def add_key(self, key: Key) -> None: ...

    def all_keys(self) -> list[Key]:
        """Revoked ones too, newest last."""
        ...

    def revoke_key(self, hash: str, at: str) -> bool:
        """Whether it was in force."""
        ...

    def write_exchanges(
        self,
        opened: Sequence[Exchange] = (),
        pieces: Sequence[tuple[str, bytes]] = (),
        closed: Sequence[Exchange] = (),
    ) -> None:
        """Many clients' doings in one transaction: exchanges that begin, pieces of the responses of those that are
        open (by receipt), and exchanges as they ended, whether they were opened before or not."""
        ...

    def try_to_write(self) -> None:
        """Nothing is there afterwards; StoreError if nothing could be."""
        ...

    def cut_open_exchanges(self, reply: Callable[[bytes], dict[str, Any] | None]) -> int:
        """What a server that died has left open becomes "cut by server", with the pieces that were kept, and the reply
        that `reply` reads in them; how many.

        Call it only while holding the lock "serve"."""
        ...

    def exchanges(
        self,
        *,
        tenant: str | None = None,
        session: str | None = None,
        receipts: Collection[str] | None = None,
        key: str | None = None,
    ) -> list[Exchange]:
        """Those that match all that is given, in the order they began."""
        ...

    def captured_sessions(self, tenant: str | None = None) -> list[tuple[str, str]]:
        """Tenant and name of each session that has exchanges, in the order they began. No answer is read."""
        ...

    def newest_exchange(
        self,
        tenant: str,
        *,
        ends: Sequence[str] = (),
        begins: str = "",
        request: bytes | None = None,
        response: str = "",
    ) -> Exchange | None:
        """The newest of those whose details have this `response_id`; or that ends in the first of `ends` that any ends
        in; or that begins so with this very request."""
        ...

    def sampled(self, tenant: str, begins: Collection[str]) -> list[Exchange]:
        """The newest (some hundred) of those that begin so, were answered whole, and whose options name an `n` above
        1."""
        ...

    def begun_since(self, time: float) -> set[tuple[str, str]]:
        """Tenant and beginning of each exchange that began after this time (seconds since 1970)."""
        ...

    def add_feedback(self, feedback: Feedback, tenant: str = "") -> bool:
        """Keep it as it is; `journeyman.feedback` redacts it first. Whether it is new: not what the newest of its
        receipt says already or, if it says when, the newest of that time. UnknownError if the tenant has no such
        receipt."""
        ...

    def feedback(self, receipts: Collection[str] | None = None) -> list[Feedback]:
        """All, or that of these receipts, in the order they arrived."""
        ...

    def add_outcome(self, outcome: Outcome, tenant: str = "") -> bool:
        """Keep it as it is. Whether it is new: not what the newest of its receipt or key says already or, if it says
        when that happened, the newest of that time. UnknownError if it names a receipt that the tenant has not; a key
        may come before its exchange."""
        ...

    def outcomes(self, tenant: str = "") -> list[Outcome]:
        """In the order they arrived."""
        ...

    def arms(self, tenant: str, promotion: int) -> list[Arm]:
        """On which side each of the tenant's answers was under the promotion of this number, in the order of receipts;
        of ended exchanges only."""
        ...

    def remarks_by_arm(self, tenant: str, promotion: int) -> list[tuple[Arm, Feedback | Outcome]]:
        """What was said of these answers, by receipt or by key. No answer is read, nor what was said of others."""
        ...

    def begin_night(self, key: str, spec: Mapping[str, Any], tenant: str = "") -> None:
        """Open a night, or find it open; StoreError if `key` was begun with another spec or for another tenant."""
        ...

    def nights(self, tenant: str | None = None) -> list[NightRecord]:
        """Of all tenants or of one, newest last."""
        ...

    def phases(self, key: str) -> dict[str, PhaseRecord]:
        """The committed phases of a night by name, in the order they were committed."""
        ...

    def commit_phase(
        self, key: str, name: str, output: Mapping[str, Any], seconds: float, cpu_seconds: float, tokens: int
    ) -> None:
        """StoreError if the phase is committed already, or the night is unknown or finished."""
        ...

    def finish_night(
        self, key: str, result: Mapping[str, Any], adapter: AdapterRecord | None = None, promote: bool = False
    ) -> None:
        """End a night, register what it made and, unless the champion is pinned, put that in service for the night's
        tenant: all of it or nothing. AdapterError if the adapter is another tenant's."""
        ...

    def add_adapter(self, adapter: AdapterRecord) -> None:
        """Register an adapter; AdapterError if its hash is registered with another base, verdict or tenant, or if its
        parent is not one of its tenant's for its base, or is withdrawn. One that was withdrawn and that another night
        has made again is withdrawn no longer."""
        ...

    def adapters(self, tenant: str | None = None) -> list[AdapterRecord]:
        """Of all tenants or of one, newest last."""
        ...

    def adapter(self, hash_prefix: str, tenant: str = "") -> AdapterRecord:
        """The tenant's one adapter whose hash starts so; AdapterError if there is none, or more than one. Another
        tenant's is not there."""
        ...

    def champion(self, base: str, tenant: str = "") -> AdapterRecord | None:
        """The adapter in service for this base and tenant; None: the base serves it as it is."""
        ...

    def service(self, base: str | None = None, tenant: str | None = None) -> list[ServiceRecord]:
        """Who came into service when, of all bases and tenants or of one, newest last."""
        ...

    def set_champion(
        self,
        base: str,
        hash: str | None,
        tenant: str = "",
        *,
        why: Why = "promote",
        pinned: bool = False,
        after: int | None = None,
        evidence: Mapping[str, Any] | None = None,
    ) -> None:
        """Put one of the tenant's adapters in service (None: the bare base); AdapterError if its verdict is not
        PROMOTE, if it was withdrawn, or if the champion is pinned and `why` is neither "pin" nor "unpin". StoreError if
        `after` is given and is not the number of the newest entry of their service (0: there is none)."""
        ...

    def related(self, tenant: str, conversations: Collection[str], everything: bool = False) -> Related:
        """What hangs on the tenant's captured conversations of these names. An outcome that names a key hangs on them
        if no other conversation has that key; `everything`: all of the tenant's do."""
        ...

    def erase(self, erasure: Erasure, nights: Mapping[str, Mapping[str, Any]]) -> bool:
        """Delete the rows that it names, leave tombstones, empty the phases of these nights and put other results in
        the place of theirs, withdraw its adapters and put others in service: all of it or nothing. False, and nothing
        is done, if something has come or changed since it was thought out. What has a tombstone is not kept again."""
        ...

    def erasures(self, tenant: str | None = None) -> list[Erasure]:
        """Of all tenants or of one, newest last."""
        ...

    def count_erasures(self) -> dict[str, int]:
        """By tenant, how many there have been."""
        ...

    def end_erasure(self, id: str) -> None:
        """Its files are gone as well."""
        ...

    def note_rebuild(self, id: str, rebuild: Mapping[str, Any]) -> None:
        """What an erasure has to say of the rebuild after it, in the place of what it said before."""
        ...

    def scrub(self) -> None:
        """See that what was deleted is in no file of the store; StoreError if others keep it from that."""
        ...

    def lock(self, purpose: str) -> AbstractContextManager[None]:
        """Be the only one on this store with this purpose; StoreError, at once, if there is another."""
        ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


def open_store(url: str | Path, create: bool = True) -> Store:
    """Open a store by path or URL; one that does not exist is made, or refused with UsageError.

    What follows `sqlite:///` is the path: `sqlite:///a.db` is relative and `sqlite:////srv/a.db` absolute.
    `postgresql://` URLs are libpq's, and the database has to be there.
    """
    if isinstance(url, Path):
        return SqlStore(SqliteDatabase(url, SCHEMAS, create))
    if url.startswith(POSTGRES):
        from journeyman.store.postgres import PostgresDatabase  # only who has one needs psycopg

        return SqlStore(PostgresDatabase(url, SCHEMAS, create))
    path = url.removeprefix("sqlite:///")
    if not path or "://" in path:
        raise UsageError(
            f"cannot open a store at {without_secrets(url)!r}",
            "give the path of a file, such as journeyman.db or sqlite:///journeyman.db, or postgresql://HOST/DATABASE",
        )
    return SqlStore(SqliteDatabase(Path(path), SCHEMAS, create))
