"""What the day brought, in tables: exchanges, and what was said of them later.

Always holds: an exchange is kept once, by its receipt, however often it is written; pieces of a response are there as
long as it is open, and with its end become the response; request and response are kept as the bytes that they were.

Does not know what the bytes say.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from journeyman.errors import UnknownError
from journeyman.records import Exchange, Feedback, Key, Outcome
from journeyman.store.database import Database
from journeyman.store.erasing import erased

SCHEMA = """
CREATE TABLE exchanges (
    seq INTEGER PRIMARY KEY, receipt TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, session TEXT NOT NULL,
    begins TEXT NOT NULL, ends TEXT NOT NULL, key TEXT NOT NULL, ending TEXT NOT NULL, started_at TEXT NOT NULL,
    request BLOB NOT NULL, response BLOB NOT NULL, body TEXT NOT NULL
) STRICT;
CREATE INDEX exchanges_by_session ON exchanges (session);
CREATE INDEX exchanges_by_end ON exchanges (tenant, ends);
CREATE INDEX exchanges_by_beginning ON exchanges (tenant, begins);
CREATE INDEX exchanges_by_key ON exchanges (tenant, key) WHERE key != '';
CREATE INDEX open_exchanges ON exchanges (seq) WHERE ending = 'open';
CREATE TABLE pieces (seq INTEGER PRIMARY KEY, receipt TEXT NOT NULL, bytes BLOB NOT NULL) STRICT;
CREATE INDEX pieces_by_receipt ON pieces (receipt, seq);
CREATE TABLE feedback (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, receipt TEXT NOT NULL REFERENCES exchanges (receipt),
    body TEXT NOT NULL
) STRICT;
CREATE INDEX feedback_by_receipt ON feedback (receipt);
CREATE TABLE keys (
    seq INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, body TEXT NOT NULL, revoked_at TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE outcomes (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL, tenant TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (tenant, id)
) STRICT;
"""

# The names that engines gave to their responses, where later requests may go on from them.
RESPONSES = """
CREATE TABLE responses (
    tenant TEXT NOT NULL, id TEXT NOT NULL, receipt TEXT NOT NULL, PRIMARY KEY (tenant, id, receipt)
) STRICT;
"""

_NAMES = ("receipt", "tenant", "session", "begins", "ends", "key", "ending", "started_at", "request", "response")
_COLUMNS = ", ".join((*_NAMES, "body"))
_PLACES = ", ".join("?" * (len(_NAMES) + 1))
_BODY = ("user", "status", "stream", "reply", "purposes", "retry_of", "details")


class Captured:
    """This part of a Store."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def write_exchanges(
        self,
        opened: Sequence[Exchange] = (),
        pieces: Sequence[tuple[str, bytes]] = (),
        closed: Sequence[Exchange] = (),
    ) -> None:
        begin = f"INSERT INTO exchanges ({_COLUMNS}) VALUES ({_PLACES}) ON CONFLICT DO NOTHING"
        end = (
            f"INSERT INTO exchanges ({_COLUMNS}) VALUES ({_PLACES}) ON CONFLICT (receipt) DO UPDATE SET"
            " ends = excluded.ends, ending = excluded.ending, response = excluded.response, body = excluded.body"
            " WHERE exchanges.ending = 'open'"
        )
        named = "INSERT INTO responses (tenant, id, receipt) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
        names = [(each.tenant, each.details.get("response_id"), each.receipt) for each in closed]
        with self._db.transaction():
            met = {each.receipt for each in (*opened, *closed)} | {receipt for receipt, _ in pieces}
            if gone := erased(self._db, "receipt", met):  # meanwhile: what was under way is not kept again
                opened = [each for each in opened if each.receipt not in gone]
                pieces = [each for each in pieces if each[0] not in gone]
                closed = [each for each in closed if each.receipt not in gone]
                names = [each for each in names if each[2] not in gone]
            self._db.write(begin, map(_row, opened))
            self._db.write("INSERT INTO pieces (receipt, bytes) VALUES (?, ?)", pieces)
            self._db.write(end, map(_row, closed))
            ended, receipts = self._db.among("receipt", [each.receipt for each in closed])
            self._db.changes(f"DELETE FROM pieces WHERE {ended}", receipts)
            self._db.write(named, (each for each in names if each[1]))

    def cut_open_exchanges(self, reply: Callable[[bytes], dict[str, Any] | None]) -> int:
        with self._db.transaction():
            rows = self._db.rows(f"SELECT {_COLUMNS} FROM exchanges WHERE ending = 'open'")
            for exchange in map(_exchange, rows):
                kept = self._db.rows("SELECT bytes FROM pieces WHERE receipt = ? ORDER BY seq", exchange.receipt)
                response = b"".join(piece for (piece,) in kept)
                body = _body(replace(exchange, reply=reply(response)))
                update = "UPDATE exchanges SET ending = 'cut by server', response = ?, body = ? WHERE receipt = ?"
                self._db.changes(update, response, body, exchange.receipt)
                self._db.changes("DELETE FROM pieces WHERE receipt = ?", exchange.receipt)
        return len(rows)

    def exchanges(
        self,
        *,
        tenant: str | None = None,
        session: str | None = None,
        receipts: Collection[str] | None = None,
        key: str | None = None,
    ) -> list[Exchange]:
        chosen, values = self._where("receipt", receipts, tenant=tenant, session=session, key=key)
        rows = self._db.rows(f"SELECT {_COLUMNS} FROM exchanges WHERE {chosen} ORDER BY seq", *values)
        return [_exchange(row) for row in rows]

    def newest_exchange(
        self,
        tenant: str,
        *,
        ends: Sequence[str] = (),
        begins: str = "",
        request: bytes | None = None,
        response: str = "",
    ) -> Exchange | None:
        query = f"SELECT {_COLUMNS} FROM exchanges WHERE tenant = ? AND {{}} ORDER BY seq DESC LIMIT 1"
        named = "SELECT max(receipt) FROM responses WHERE tenant = ? AND id = ?"
        found = [] if not response else self._db.rows(named, tenant, response)
        wanted: list[tuple[str, tuple[Any, ...]]] = [("receipt = ?", (receipt,)) for (receipt,) in found]
        wanted += [("ends = ?", (end,)) for end in ends if end]
        wanted += [("request = ? AND begins = ?", (request, begins))] if begins else []
        for term, values in wanted:
            for row in self._db.rows(query.format(term), tenant, *values):
                return _exchange(row)
        return None

    def begun_since(self, time: float) -> set[tuple[str, str]]:
        # A receipt begins with the time, and has an index.
        query = "SELECT tenant, begins FROM exchanges WHERE receipt >= ?"
        return set(self._db.rows(query, f"r_{int(time * 1000):012x}"))

    def add_feedback(self, feedback: Feedback, tenant: str = "") -> bool:
        insert = "INSERT INTO feedback (id, receipt, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
        with self._db.transaction():
            self._require(feedback.receipt, tenant)
            return self._db.changes(insert, feedback.id, feedback.receipt, _dump(feedback.to_json())) == 1

    def feedback(self, receipts: Collection[str] | None = None) -> list[Feedback]:
        chosen, values = self._where("receipt", receipts)
        rows = self._db.rows(f"SELECT body FROM feedback WHERE {chosen} ORDER BY seq", *values)
        return [Feedback.from_json(json.loads(body)) for (body,) in rows]

    def add_outcome(self, outcome: Outcome, tenant: str = "") -> bool:
        insert = "INSERT INTO outcomes (id, tenant, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
        with self._db.transaction():
            if outcome.receipt:
                self._require(outcome.receipt, tenant)
            return self._db.changes(insert, outcome.id, tenant, _dump(outcome.to_json())) == 1

    def outcomes(self, tenant: str = "") -> list[Outcome]:
        rows = self._db.rows("SELECT body FROM outcomes WHERE tenant = ? ORDER BY seq", tenant)
        return [Outcome.from_json(json.loads(body)) for (body,) in rows]

    def add_key(self, key: Key) -> None:
        insert = "INSERT INTO keys (hash, body, revoked_at) VALUES (?, ?, ?)"
        with self._db.transaction():
            self._db.changes(insert, key.hash, _dump(key.to_json()), key.revoked_at)

    def all_keys(self) -> list[Key]:
        rows = self._db.rows("SELECT body, revoked_at FROM keys ORDER BY seq")
        return [replace(Key.from_json(json.loads(body)), revoked_at=revoked) for body, revoked in rows]

    def revoke_key(self, hash: str, at: str) -> bool:
        with self._db.transaction():
            return self._db.changes("UPDATE keys SET revoked_at = ? WHERE hash = ? AND revoked_at = ''", at, hash) == 1

    def _where(self, column: str, texts: Collection[str] | None, **equal: str | None) -> tuple[str, list[Any]]:
        """The condition that `column` is one of `texts` and each of the others what is given, None standing for
        whatever it is; and the values to bind in it."""
        terms: dict[str, Any] = {f"{name} = ?": value for name, value in equal.items() if value is not None}
        if texts is not None:
            term, value = self._db.among(column, texts)
            terms[term] = value
        return " AND ".join(terms) or "1 = 1", list(terms.values())

    def _require(self, receipt: str, tenant: str) -> None:
        # Another tenant's is not there either.
        if not self._db.rows("SELECT 1 FROM exchanges WHERE receipt = ? AND tenant = ?", receipt, tenant):
            raise UnknownError(
                f"there is no answer with the receipt {receipt!r}", "give a receipt as the server gave it"
            )


def _body(exchange: Exchange) -> str:
    return _dump({name: getattr(exchange, name) for name in _BODY})


def _row(exchange: Exchange) -> tuple[Any, ...]:
    return (*(getattr(exchange, name) for name in _NAMES), _body(exchange))


def _exchange(row: Iterable[Any]) -> Exchange:
    *columns, body = row
    rest = json.loads(body)
    rest["purposes"] = tuple(rest["purposes"])
    return Exchange(**dict(zip(_NAMES, columns, strict=True)), **rest)


_dump = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode  # ASCII: a lone surrogate is no UTF-8
