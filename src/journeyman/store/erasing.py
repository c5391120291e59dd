"""Erasing, in tables: rows and what nights derived from them go in one transaction, and a tombstone stays.

Always holds: an erasure happens whole, with the change of service that it asks for, or not at all; what has a tombstone
is not kept again, whoever brings it; an erasure names every row that it took, or it is not made.

Does not know what a night's phases hold, nor what a certificate says.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from journeyman.records import Erasure, Outcome, Related
from journeyman.store.database import Database
from journeyman.store.registered import Registered, dump, now

SCHEMA = """
CREATE TABLE erasures (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, created_at TEXT NOT NULL,
    finished_at TEXT NOT NULL DEFAULT '', body TEXT NOT NULL
) STRICT;
CREATE TABLE tombstones (
    kind TEXT NOT NULL, id TEXT NOT NULL, erasure TEXT NOT NULL, PRIMARY KEY (kind, id)
) STRICT;
"""


def erased(db: Database, kind: str, ids: Iterable[str]) -> set[str]:
    """Which of them have a tombstone."""
    chosen, value = db.among("id", list(ids))
    return {id for (id,) in db.rows(f"SELECT id FROM tombstones WHERE kind = ? AND {chosen}", kind, value)}


class Erasing(Registered):
    """This part of a Store."""

    def related(self, tenant: str, conversations: Collection[str], everything: bool = False) -> Related:
        named, value = self._db.among("session", conversations)
        query = f"SELECT receipt, key FROM exchanges WHERE tenant = ? AND {named} ORDER BY seq"
        found = self._db.rows(query, tenant, value)
        receipts = [receipt for receipt, _ in found]
        mine, value = self._db.among("receipt", receipts)
        feedback = [id for (id,) in self._db.rows(f"SELECT id FROM feedback WHERE {mine} ORDER BY seq", value)]
        keys = {key for _, key in found if key}
        used, value = self._db.among("key", keys)
        others = self._db.rows(
            f"SELECT receipt, key FROM exchanges WHERE tenant = ? AND key != '' AND {used}", tenant, value
        )
        keys -= {key for receipt, key in others if receipt not in set(receipts)}  # somebody else's matter as well
        rows = self._db.rows("SELECT id, body FROM outcomes WHERE tenant = ? ORDER BY seq", tenant)
        read = [(id, Outcome.from_json(json.loads(body))) for id, body in rows]
        outcomes = [
            id
            for id, each in read
            if everything or each.receipt in set(receipts) or (not each.receipt and each.key in keys)
        ]
        return Related(tuple(receipts), tuple(feedback), tuple(outcomes))

    def erase(self, erasure: Erasure, nights: Mapping[str, Mapping[str, Any]]) -> bool:
        at, tenant = erasure.begun_at, erasure.tenant
        with self._db.transaction():
            if not self._is_current(erasure):
                return False
            self._delete("feedback", "id", erasure.related.feedback)
            self._delete("outcomes", "id", erasure.related.outcomes, tenant)
            for table in ("pieces", "responses", "arms", "exchanges"):
                self._delete(table, "receipt", erasure.related.receipts)
            self._delete("sessions", "id", erasure.sessions, tenant)
            for kind, ids in (("session", erasure.sessions), ("receipt", erasure.related.receipts)):
                insert = "INSERT INTO tombstones (kind, id, erasure) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
                self._db.write(insert, ((kind, id, erasure.id) for id in ids))
            for key, result in nights.items():
                self._db.changes("UPDATE phases SET output = '{}' WHERE night = ?", key)
                ended = "finished_at = CASE WHEN finished_at = '' THEN ? ELSE finished_at END"
                self._db.changes(f"UPDATE nights SET result = ?, {ended} WHERE key = ?", dump(result), at, key)
            for hash in erasure.adapters:
                withdraw = "UPDATE adapters SET withdrawn_at = ? WHERE hash = ? AND tenant = ? AND withdrawn_at = ''"
                self._db.changes(withdraw, at, hash, tenant)
            for base, _, then in erasure.service:
                self._insert_champion(base, then or None, tenant, "erasure")
            for each in {each.base: each for each in self.service(tenant=tenant)}.values():
                if each.why == "try" and each.evidence["adapter"] in erasure.adapters:  # its trial ends with it
                    self._insert_champion(each.base, each.hash or None, tenant, "erasure")
            insert = "INSERT INTO erasures (id, tenant, created_at, body) VALUES (?, ?, ?, ?)"
            self._db.changes(insert, erasure.id, tenant, at, dump(erasure.to_json()))
        return True

    def erasures(self, tenant: str | None = None) -> list[Erasure]:
        query = "SELECT body, finished_at FROM erasures WHERE tenant = coalesce(?, tenant) ORDER BY seq"
        rows = self._db.rows(query, tenant)
        return [Erasure.from_json({**json.loads(body), "finished_at": ended}) for body, ended in rows]

    def count_erasures(self) -> dict[str, int]:
        return dict(self._db.rows("SELECT tenant, count(*) FROM erasures GROUP BY tenant"))

    def end_erasure(self, id: str) -> None:
        with self._db.transaction():
            self._db.changes("UPDATE erasures SET finished_at = ? WHERE id = ?", now(), id)

    def note_rebuild(self, id: str, rebuild: Mapping[str, Any]) -> None:
        with self._db.transaction():
            for (body,) in self._db.rows("SELECT body FROM erasures WHERE id = ?", id):
                changed = dump({**json.loads(body), "rebuild": dict(rebuild)})
                self._db.changes("UPDATE erasures SET body = ? WHERE id = ?", changed, id)

    def scrub(self) -> None:
        self._db.scrub()

    def _is_current(self, erasure: Erasure) -> bool:
        """Whether nothing has come, since the erasure was thought out, that would belong to it."""
        tenant = erasure.tenant
        if self.related(tenant, erasure.conversations, erasure.everything) != erasure.related:
            return False
        if erasure.everything:
            names = {name for (name,) in self._db.rows("SELECT session FROM exchanges WHERE tenant = ?", tenant)}
            ids = {id for (id,) in self._db.rows("SELECT id FROM sessions WHERE tenant = ?", tenant)}
            if names - set(erasure.conversations) or ids - set(erasure.sessions):
                return False
        was = {base: hash for base, hash, _ in erasure.service}
        serving = {each.base: each.hash for each in self.service(tenant=tenant)}  # the last entry for each base
        return was == {base: hash for base, hash in serving.items() if hash in erasure.adapters}

    def _delete(self, table: str, column: str, ids: Collection[str], tenant: str | None = None) -> None:
        chosen, value = self._db.among(column, ids)
        if tenant is None:
            self._db.changes(f"DELETE FROM {table} WHERE {chosen}", value)
        else:
            self._db.changes(f"DELETE FROM {table} WHERE tenant = ? AND {chosen}", tenant, value)
