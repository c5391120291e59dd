"""Adapters in tables, and which of them is in service for whom, now and before.

Always holds: who is in service has the verdict PROMOTE, was made for its tenant and base, and is not withdrawn; the
history of service only grows, and its last entry says who is; a pinned champion is changed by nobody but who unpins it,
or by an erasure that it has to give way to.

Does not know where an adapter's weights lie.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from journeyman.errors import AdapterError, StoreError
from journeyman.records import AdapterRecord, ServiceRecord, Why
from journeyman.store.database import Database

# Of earlier versions nobody knows why an adapter came into service.
SERVICE = """
ALTER TABLE champion_history ADD COLUMN why TEXT NOT NULL DEFAULT '';
ALTER TABLE champion_history ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;
ALTER TABLE adapters ADD COLUMN withdrawn_at TEXT NOT NULL DEFAULT '';
"""
# Of what was rolled back by itself: what had been counted.
EVIDENCE = "ALTER TABLE champion_history ADD COLUMN evidence TEXT NOT NULL DEFAULT '{}'"


class Registered:
    """This part of a Store."""

    _db: Database
    name: str

    def add_adapter(self, adapter: AdapterRecord) -> None:
        with self._db.transaction():
            self._insert_adapter(adapter)

    def adapters(self, tenant: str | None = None) -> list[AdapterRecord]:
        query = "SELECT body, withdrawn_at FROM adapters WHERE tenant = coalesce(?, tenant) ORDER BY seq"
        return [_adapter(*row) for row in self._db.rows(query, tenant)]

    def adapter(self, hash_prefix: str, tenant: str = "") -> AdapterRecord:
        # substr, not LIKE: a prefix is text, with no wildcards in it. A whole hash comes before longer ones.
        matching = (
            "SELECT body, withdrawn_at FROM adapters"
            " WHERE tenant = ?2 AND substr(hash, 1, length(?1)) = ?1 ORDER BY hash != ?1, seq"
        )
        found = [_adapter(*row) for row in self._db.rows(matching, hash_prefix, tenant)] if hash_prefix else []
        if not found:
            known = ", ".join(each.hash for each in self.adapters(tenant)[-5:])
            remedy = f"the newest are {known}" if known else "none is registered yet: run a night first"
            owner = f" of {tenant}" if tenant else ""
            raise AdapterError(f"there is no adapter {hash_prefix!r}{owner} in {self.name}", remedy)
        if len(found) > 1 and found[0].hash != hash_prefix:
            some = ", ".join(each.hash for each in found[:5])
            raise AdapterError(f"{hash_prefix!r} begins {len(found)} adapters", f"give more of it: {some}")
        return found[0]

    def champion(self, base: str, tenant: str = "") -> AdapterRecord | None:
        latest = (
            "SELECT body, withdrawn_at FROM champion_history AS c LEFT JOIN adapters AS a ON a.hash = c.hash"
            " WHERE c.base = ? AND c.tenant = ? ORDER BY c.seq DESC LIMIT 1"
        )
        for body, withdrawn_at in self._db.rows(latest, base, tenant):
            return None if body is None else _adapter(body, withdrawn_at)
        return None

    def service(self, base: str | None = None, tenant: str | None = None) -> list[ServiceRecord]:
        query = (
            "SELECT seq, base, hash, created_at, tenant, why, pinned, evidence FROM champion_history"
            " WHERE base = coalesce(?, base) AND tenant = coalesce(?, tenant) ORDER BY seq"
        )
        return [
            ServiceRecord(number, of, hash or "", at, owner, why, bool(pinned), json.loads(evidence))
            for number, of, hash, at, owner, why, pinned, evidence in self._db.rows(query, base, tenant)
        ]

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
        with self._db.transaction():
            newest = self._db.rows("SELECT max(seq) FROM champion_history WHERE base = ? AND tenant = ?", base, tenant)[
                0
            ][0]
            if after is not None and (newest or 0) != after:
                raise StoreError(
                    f"another adapter came into service {f'for {tenant} ' if tenant else ''}meanwhile",
                    "look at journeyman adapters list, and give the command again if it is still meant",
                )
            if why not in ("pin", "unpin") and self._pinned(base, tenant):
                raise AdapterError(
                    "the adapter in service is pinned: nothing takes its place",
                    "journeyman adapters pin --off, and then again",
                )
            self._insert_champion(base, hash, tenant, why, pinned, evidence)

    def _pinned(self, base: str, tenant: str) -> bool:
        query = "SELECT pinned FROM champion_history WHERE base = ? AND tenant = ? ORDER BY seq DESC LIMIT 1"
        return any(pinned for (pinned,) in self._db.rows(query, base, tenant))

    def _insert_adapter(self, adapter: AdapterRecord) -> None:
        if adapter.parent:
            parent = self.adapter(adapter.parent, adapter.tenant)  # there first, and never another tenant's
            if (parent.hash, parent.base) != (adapter.parent, adapter.base):
                raise AdapterError(
                    f"adapter {adapter.hash} cannot come from {adapter.parent}: that is not one for {adapter.base}",
                    "train it from an adapter of its own base, or from the base",
                )
            if parent.withdrawn_at:
                raise AdapterError(
                    f"adapter {adapter.hash} comes from {parent.hash}, which was withdrawn",
                    "run a new night: it starts from the adapter that is in service",
                )
        adapter = replace(adapter, created_at=adapter.created_at or now())
        insert = "INSERT INTO adapters (hash, created_at, body, tenant) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
        if self._db.changes(insert, adapter.hash, adapter.created_at, _body(adapter), adapter.tenant):
            return
        ((body, withdrawn_at),) = self._db.rows("SELECT body, withdrawn_at FROM adapters WHERE hash = ?", adapter.hash)
        known = _adapter(body, withdrawn_at)
        if known.tenant != adapter.tenant:
            raise AdapterError(
                f"adapter {known.hash} is another tenant's", "train another one: adapters are not shared"
            )
        if (known.base, known.verdict) != (adapter.base, adapter.verdict):
            raise AdapterError(
                f"adapter {known.hash} is registered for {known.base} with the final verdict {known.verdict}",
                "train another one: the same weights are not judged twice",
            )
        if known.withdrawn_at and known.night_id != adapter.night_id:
            # The same weights, made without what was erased: nothing of it was in them.
            update = "UPDATE adapters SET body = ?, created_at = ?, withdrawn_at = '' WHERE hash = ?"
            self._db.changes(update, _body(adapter), adapter.created_at, adapter.hash)

    def _insert_champion(
        self,
        base: str,
        hash: str | None,
        tenant: str,
        why: Why = "promote",
        pinned: bool = False,
        evidence: Mapping[str, Any] | None = None,
    ) -> None:
        if hash is not None:
            adapter = self.adapter(hash, tenant)
            hash = adapter.hash
            if adapter.base != base:
                raise AdapterError(
                    f"adapter {hash} was made for {adapter.base}, not for {base}",
                    f"choose an adapter that was made for {base}",
                )
            if adapter.withdrawn_at:
                raise AdapterError(
                    f"adapter {hash} was withdrawn at {adapter.withdrawn_at}: it learned from what was erased",
                    "choose another one: journeyman adapters list",
                )
            if adapter.verdict != "PROMOTE":
                raise AdapterError(
                    f"adapter {hash} has the verdict {adapter.verdict}: it cannot go into service",
                    "choose an adapter with the verdict PROMOTE",
                )
        columns = "base, hash, created_at, tenant, why, pinned, evidence"
        insert = f"INSERT INTO champion_history ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)"
        self._db.changes(insert, base, hash, now(), tenant, why, int(pinned), dump(evidence or {}))


def dump(value: object) -> str:
    # NaN is not JSON, and other stores and browsers refuse it: better found here than there.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def whose(tenant: str) -> str:
    return f"{tenant}'s" if tenant else "the store's own"


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _body(adapter: AdapterRecord) -> str:
    return dump({name: value for name, value in adapter.to_json().items() if name != "withdrawn_at"})


def _adapter(body: str, withdrawn_at: str) -> AdapterRecord:
    read: dict[str, Any] = json.loads(body)
    return AdapterRecord.from_json({**read, "withdrawn_at": withdrawn_at})
