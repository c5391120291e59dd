"""A Store in tables: sessions and nights; what the day brought is in `captured`, adapters are in `registered`,
and how either is erased in `erasing`.

Always holds: a record is kept as the JSON it converts itself to, and only what is searched for has a column;
rows are added, never changed, except that a night and an exchange are given their end, once, that a session that comes
again for fewer purposes is kept for these alone, and that what is to be forgotten is erased.

Does not know what the JSON of a night holds, nor which database keeps the tables (see `database`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Self

from journeyman.errors import AdapterError, StoreError
from journeyman.records import PURPOSES, AdapterRecord, NightRecord, PhaseRecord, Session
from journeyman.store import captured, erasing, registered
from journeyman.store.database import Database
from journeyman.store.registered import dump, now, whose

# One a version, never changed once it is released: a store of an earlier version gets what it lacks.
# STRICT: a value of the wrong type is refused, not converted. seq is the order of arrival.
_NIGHTS = """
CREATE TABLE sessions (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, created_at TEXT NOT NULL, body TEXT NOT NULL
) STRICT;
CREATE TABLE nights (
    seq INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, created_at TEXT NOT NULL, spec TEXT NOT NULL,
    finished_at TEXT NOT NULL DEFAULT '', result TEXT
) STRICT;
CREATE TABLE phases (
    seq INTEGER PRIMARY KEY, night TEXT NOT NULL REFERENCES nights (key), name TEXT NOT NULL,
    created_at TEXT NOT NULL, output TEXT NOT NULL, seconds REAL NOT NULL, cpu_seconds REAL NOT NULL,
    tokens INTEGER NOT NULL, UNIQUE (night, name)
) STRICT;
CREATE TABLE adapters (
    seq INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, created_at TEXT NOT NULL, body TEXT NOT NULL
) STRICT;
CREATE TABLE champion_history (
    seq INTEGER PRIMARY KEY, base TEXT NOT NULL, hash TEXT REFERENCES adapters (hash),
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX champion_by_base ON champion_history (base, seq);
"""
# Sessions, nights and adapters of earlier versions are the store's own: its tenant is "".
_TENANTS = """
ALTER TABLE sessions ADD COLUMN tenant TEXT NOT NULL DEFAULT '';
ALTER TABLE nights ADD COLUMN tenant TEXT NOT NULL DEFAULT '';
ALTER TABLE adapters ADD COLUMN tenant TEXT NOT NULL DEFAULT '';
ALTER TABLE champion_history ADD COLUMN tenant TEXT NOT NULL DEFAULT '';
DROP INDEX champion_by_base;
CREATE INDEX champion_by_tenant ON champion_history (base, tenant, seq);
CREATE INDEX sessions_by_tenant ON sessions (tenant, seq);
"""
SCHEMAS = (
    *(_NIGHTS, captured.SCHEMA, captured.RESPONSES, _TENANTS),
    *(registered.SERVICE, erasing.SCHEMA, registered.EVIDENCE, captured.SUBJECTS, captured.ARMS),
)


class SqlStore(captured.Captured, erasing.Erasing):
    """A Store, whatever database its tables are in."""

    def __init__(self, db: Database) -> None:
        super().__init__(db)
        self.name, self.folder = db.name, db.folder

    # -- sessions

    def add_sessions(self, sessions: Iterable[Session]) -> list[bool]:
        at = now()
        given = list(sessions)
        rows = [(session.id, at, dump(session.to_json()), session.tenant) for session in given]
        insert = "INSERT INTO sessions (id, created_at, body, tenant) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
        with self._db.transaction():
            gone = erasing.erased(self._db, "session", (row[0] for row in rows))
            added = [row[0] not in gone and self._db.changes(insert, *row) == 1 for row in rows]
            for again in (each for each, new in zip(given, added, strict=True) if not new):
                self._narrow(again)
            return added

    def _narrow(self, again: Session) -> None:
        """What is there already may be used for no more than what has come again."""
        for known in self.sessions([again.id]) if again.purposes != PURPOSES else ():
            purposes = tuple(each for each in known.purposes if each in again.purposes)
            narrower = dump(replace(known, purposes=purposes).to_json())
            self._db.changes("UPDATE sessions SET body = ? WHERE id = ?", narrower, known.id)

    def sessions(self, ids: Collection[str] | None = None, *, tenant: str | None = None) -> list[Session]:
        chosen, values = self._where("id", ids, tenant=tenant)
        rows = self._db.rows(f"SELECT body FROM sessions WHERE {chosen} ORDER BY seq", *values)
        return [Session.from_json(json.loads(body)) for (body,) in rows]

    def session_ids(self, tenant: str | None = None) -> list[str]:
        chosen, values = self._where("id", None, tenant=tenant)
        return [id for (id,) in self._db.rows(f"SELECT id FROM sessions WHERE {chosen} ORDER BY seq", *values)]

    def count_sessions(self) -> int:
        return self._db.rows("SELECT count(*) FROM sessions")[0][0]

    def tenants(self) -> list[str]:
        rows = self._db.rows("SELECT tenant FROM sessions UNION SELECT tenant FROM exchanges")
        return sorted(tenant for (tenant,) in rows)

    # -- nights

    def begin_night(self, key: str, spec: Mapping[str, Any], tenant: str = "") -> None:
        text = dump(spec)
        insert = "INSERT INTO nights (key, created_at, spec, tenant) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
        with self._db.transaction():
            if self._db.changes(insert, key, now(), text, tenant):
                return
            ((begun, owner),) = self._db.rows("SELECT spec, tenant FROM nights WHERE key = ?", key)
            if (json.loads(begun), owner) != (json.loads(text), tenant):
                raise StoreError(
                    f"night {key} was begun with other settings",
                    "finish it with the settings it was begun with, or begin a new one",
                )

    def nights(self, tenant: str | None = None) -> list[NightRecord]:
        query = (
            "SELECT key, spec, created_at, finished_at, result, tenant FROM nights"
            " WHERE tenant = coalesce(?, tenant) ORDER BY seq"
        )
        return [
            NightRecord(key, json.loads(spec), started, finished, json.loads(result) if result else None, owner)
            for key, spec, started, finished, result, owner in self._db.rows(query, tenant)
        ]

    def phases(self, key: str) -> dict[str, PhaseRecord]:
        columns = "night, name, output, seconds, cpu_seconds, tokens, created_at"
        rows = self._db.rows(f"SELECT {columns} FROM phases WHERE night = ? ORDER BY seq", key)
        return {name: PhaseRecord(night, name, json.loads(out), *rest) for night, name, out, *rest in rows}

    def commit_phase(
        self, key: str, name: str, output: Mapping[str, Any], seconds: float, cpu_seconds: float, tokens: int
    ) -> None:
        insert = (
            "INSERT INTO phases (night, name, created_at, output, seconds, cpu_seconds, tokens)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
        )
        values = (key, name, now(), dump(output), seconds, cpu_seconds, tokens)
        with self._db.transaction():
            self._open_night(key)
            if not self._db.changes(insert, *values):
                raise StoreError(
                    f"phase {name} of night {key} is committed already",
                    "run the night again: it goes on after its last committed phase",
                )

    def finish_night(
        self, key: str, result: Mapping[str, Any], adapter: AdapterRecord | None = None, promote: bool = False
    ) -> None:
        if promote and adapter is None:
            raise ValueError("nothing to promote: no adapter was given")
        update = "UPDATE nights SET finished_at = ?, result = ? WHERE key = ?"
        values = (now(), dump(result), key)
        with self._db.transaction():
            tenant = self._open_night(key)
            if adapter is not None:
                if adapter.tenant != tenant:
                    raise AdapterError(
                        f"night {key} is {whose(tenant)}, and adapter {adapter.hash} {whose(adapter.tenant)}",
                        "register it with a night of its own tenant",
                    )
                self._insert_adapter(adapter)
                if promote and not self._pinned(adapter.base, tenant):
                    self._insert_champion(adapter.base, adapter.hash, tenant, "night")
            self._db.changes(update, *values)

    def _open_night(self, key: str) -> str:
        """The tenant of a night that has not ended; StoreError if there is no such night."""
        rows = self._db.rows("SELECT finished_at, tenant FROM nights WHERE key = ?", key)
        if not rows:
            raise StoreError(f"no night {key} in {self.name}", "begin it first, or give another store")
        ((ended, tenant),) = rows
        if ended:
            raise StoreError(f"night {key} ended at {ended}", "begin a new night")
        return tenant

    # -- the database

    def lock(self, purpose: str) -> AbstractContextManager[None]:
        return self._db.lock(purpose)

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
