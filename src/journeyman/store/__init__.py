"""Keep what was recorded: exchanges and sessions, nights and their phases, adapters and which of them is in service.

Always holds: every method that writes is one transaction, durable when it returns; sessions and adapters
that are added twice are kept once; a champion carries the verdict PROMOTE. `tests/contract/test_store.py`
holds every implementation to this.

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
    Exchange,
    Feedback,
    Key,
    NightRecord,
    Outcome,
    PhaseRecord,
    Session,
)
from journeyman.store.sqlite import SqliteStore

__all__ = ["Store", "beside", "open_store"]


class Store(Protocol):
    """One seam between the program and where its records are kept.

    `path` names the store on this machine; what is too large for a record (weights, pages) lies `beside` it.
    """

    path: Path

    def add_sessions(self, sessions: Iterable[Session]) -> list[bool]:
        """Keep all of them, or none; for each, whether it is new."""
        ...

    def sessions(self, ids: Collection[str] | None = None) -> list[Session]:
        """All sessions, or those of `ids` that are kept, in the order they arrived."""
        ...

    def count_sessions(self) -> int: ...

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

    def newest_exchange(
        self, tenant: str, *, ends: Sequence[str] = (), begins: str = "", request: bytes | None = None
    ) -> Exchange | None:
        """The newest that ends in the first of `ends` that any ends in; or the newest that begins so with this very
        request."""
        ...

    def begun_since(self, time: float) -> set[tuple[str, str]]:
        """Tenant and beginning of each exchange that began after this time (seconds since 1970)."""
        ...

    def add_feedback(self, feedback: Feedback, tenant: str = "") -> bool:
        """Whether it is new. UnknownError if the tenant has no such receipt."""
        ...

    def feedback(self, receipts: Collection[str] | None = None) -> list[Feedback]:
        """All, or that of these receipts, in the order they arrived."""
        ...

    def add_outcome(self, outcome: Outcome, tenant: str = "") -> bool:
        """Whether it is new. UnknownError if it names a receipt that the tenant has not; a key may come before its
        exchange."""
        ...

    def outcomes(self, tenant: str = "") -> list[Outcome]:
        """In the order they arrived."""
        ...

    def begin_night(self, key: str, spec: Mapping[str, Any]) -> None:
        """Open a night, or find it open; StoreError if `key` was begun with another spec."""
        ...

    def nights(self) -> list[NightRecord]:
        """Newest last."""
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
        """End a night, register what it made and put that in service: all of it or nothing."""
        ...

    def add_adapter(self, adapter: AdapterRecord) -> None:
        """Register an adapter; AdapterError if its hash is registered with another base or verdict."""
        ...

    def adapters(self) -> list[AdapterRecord]:
        """Newest last."""
        ...

    def adapter(self, hash_prefix: str) -> AdapterRecord:
        """The one adapter whose hash starts so; AdapterError if there is none, or more than one."""
        ...

    def champion(self, base: str) -> AdapterRecord | None:
        """The adapter in service for this base; None: the base serves as it is."""
        ...

    def set_champion(self, base: str, hash: str | None) -> None:
        """Put an adapter in service (None: the bare base); AdapterError if its verdict is not PROMOTE."""
        ...

    def lock(self, purpose: str) -> AbstractContextManager[None]:
        """Be the only one on this store with this purpose; StoreError, at once, if there is another."""
        ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


def open_store(url: str | Path) -> Store:
    """Open a store by path or URL; a file that does not exist is created.

    What follows `sqlite:///` is the path: `sqlite:///a.db` is relative and `sqlite:////srv/a.db` absolute.
    """
    if isinstance(url, Path):
        return SqliteStore(url)
    path = url.removeprefix("sqlite:///")
    if not path or "://" in path:
        raise UsageError(
            f"cannot open a store at {url!r}",
            "give the path of a file, such as journeyman.db or sqlite:///journeyman.db",
        )
    return SqliteStore(Path(path))


def beside(store: Store) -> Path:
    """Where what is too large for a record lies: it is found from the store's path, so that the two move together."""
    return Path(f"{store.path}.d")
