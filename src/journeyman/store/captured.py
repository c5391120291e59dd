"""What the day brought, in tables: exchanges, and what was said of them later.

Always holds: an exchange is kept once, by its receipt, however often it is written; pieces of a response are there as
long as it is open, and with its end become the response; request and response are kept as the bytes that they were; a
remark that says what the newest one of its answer or key says is kept once.

Does not know what the bytes say.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from journeyman.errors import UnknownError
from journeyman.records import Arm, Exchange, Feedback, Key, Outcome
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

# What an outcome is about, to be found by it.
SUBJECTS = """
ALTER TABLE outcomes ADD COLUMN receipt TEXT NOT NULL DEFAULT '';
ALTER TABLE outcomes ADD COLUMN key TEXT NOT NULL DEFAULT '';
UPDATE outcomes SET
    receipt = CAST(body AS JSON TEXT) ->> 'receipt', key = CAST(body AS JSON TEXT) ->> 'key';
CREATE INDEX outcomes_by_subject ON outcomes (tenant, receipt, key);
"""

# Which side of a promotion an answer was on: what a watch counts, without reading answers. Those of earlier versions
# are not there: a watch that was under way then begins anew.
ARMS = """
CREATE TABLE arms (
    tenant TEXT NOT NULL, promotion INTEGER NOT NULL, receipt TEXT NOT NULL, session TEXT NOT NULL, key TEXT NOT NULL,
    held_out INTEGER NOT NULL, share REAL NOT NULL, PRIMARY KEY (tenant, promotion, receipt)
) STRICT;
CREATE INDEX arms_by_key ON arms (tenant, promotion) WHERE key != '';
"""

_NAMES = ("receipt", "tenant", "session", "begins", "ends", "key", "ending", "started_at", "request", "response")
_COLUMNS = ", ".join((*_NAMES, "body"))
_PLACES = ", ".join("?" * (len(_NAMES) + 1))
_TRIED = 1 << 16  # bytes, to find out whether there is room for any
_SAMPLED = 128  # exchanges that are read at most to find out which has a certain choice
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
        sided = (
            "INSERT INTO arms (tenant, promotion, receipt, session, key, held_out, share)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
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
            self._db.write(sided, (_side(each) for each in closed if each.details.get("arm")))

    def try_to_write(self) -> None:
        with self._db.transaction():
            self._db.write("INSERT INTO pieces (receipt, bytes) VALUES ('', ?)", [(os.urandom(_TRIED),)])
            self._db.changes("DELETE FROM pieces WHERE receipt = ''")

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

    def captured_sessions(self, tenant: str | None = None) -> list[tuple[str, str]]:
        chosen, values = self._where("receipt", None, tenant=tenant)
        query = f"SELECT tenant, session FROM exchanges WHERE {chosen} GROUP BY tenant, session ORDER BY min(seq)"
        return [(owner, session) for owner, session in self._db.rows(query, *values)]

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

    def sampled(self, tenant: str, begins: Collection[str]) -> list[Exchange]:
        begun, value = self._db.among("begins", begins)
        # The pattern leaves out most of those that name no n, before they are read.
        chosen = f"tenant = ? AND {begun} AND ending = 'complete' AND body LIKE ?"
        query = f"SELECT {_COLUMNS} FROM exchanges WHERE {chosen} ORDER BY seq DESC LIMIT {_SAMPLED}"
        found = map(_exchange, self._db.rows(query, tenant, value, '%"options":{%"n":%'))
        return [each for each in found if _n(each) > 1]

    def begun_since(self, time: float) -> set[tuple[str, str]]:
        # A receipt begins with the time, and has an index.
        query = "SELECT tenant, begins FROM exchanges WHERE receipt >= ?"
        return set(self._db.rows(query, f"r_{int(time * 1000):012x}"))

    def add_feedback(self, feedback: Feedback, tenant: str = "") -> bool:
        insert = "INSERT INTO feedback (id, receipt, body) VALUES (?, ?, ?)"
        with self._db.transaction():
            self._require(feedback.receipt, tenant)
            earlier = self.feedback([feedback.receipt])
            if _again(feedback, earlier):
                return False
            self._db.changes(insert, _row_id(feedback, earlier), feedback.receipt, _dump(feedback.to_json()))
            return True

    def feedback(self, receipts: Collection[str] | None = None) -> list[Feedback]:
        chosen, values = self._where("receipt", receipts)
        rows = self._db.rows(f"SELECT body FROM feedback WHERE {chosen} ORDER BY seq", *values)
        return [Feedback.from_json(json.loads(body)) for (body,) in rows]

    def add_outcome(self, outcome: Outcome, tenant: str = "") -> bool:
        about = "tenant = ? AND receipt = ? AND key = ?"
        insert = "INSERT INTO outcomes (id, tenant, receipt, key, body) VALUES (?, ?, ?, ?, ?)"
        subject = (tenant, outcome.receipt, outcome.key)
        with self._db.transaction():
            if outcome.receipt:
                self._require(outcome.receipt, tenant)
            rows = self._db.rows(f"SELECT body FROM outcomes WHERE {about} ORDER BY seq", *subject)
            earlier = [Outcome.from_json(json.loads(body)) for (body,) in rows]
            if _again(outcome, earlier):
                return False
            self._db.changes(insert, _row_id(outcome, earlier), *subject, _dump(outcome.to_json()))
            return True

    def outcomes(self, tenant: str = "") -> list[Outcome]:
        rows = self._db.rows("SELECT body FROM outcomes WHERE tenant = ? ORDER BY seq", tenant)
        return [Outcome.from_json(json.loads(body)) for (body,) in rows]

    def arms(self, tenant: str, promotion: int) -> list[Arm]:
        query = "SELECT session, held_out, share FROM arms WHERE tenant = ? AND promotion = ? ORDER BY receipt"
        return [_arm(*row) for row in self._db.rows(query, tenant, promotion)]

    def remarks_by_arm(self, tenant: str, promotion: int) -> list[tuple[Arm, Feedback | Outcome]]:
        mine = "a.tenant = ?1 AND a.promotion = ?2"
        # Receipts begin with the time: of what was said of earlier answers nothing has to be looked at.
        since = "(SELECT min(receipt) FROM arms WHERE tenant = ?1 AND promotion = ?2)"
        # CROSS JOIN: SQLite then begins with the table on the left.
        rated = (
            "SELECT a.session, a.held_out, a.share, f.body FROM feedback AS f CROSS JOIN arms AS a"
            f" WHERE f.receipt >= {since} AND {mine} AND a.receipt = f.receipt ORDER BY f.receipt, f.seq"
        )
        ended = (
            "SELECT a.session, a.held_out, a.share, o.body FROM outcomes AS o CROSS JOIN arms AS a"
            f" WHERE o.tenant = ?1 AND o.receipt >= {since} AND {mine} AND a.receipt = o.receipt"
            " ORDER BY o.receipt, o.seq"
        )
        ended_by_key = (
            "SELECT a.session, a.held_out, a.share, o.body FROM arms AS a CROSS JOIN outcomes AS o"
            f" WHERE {mine} AND a.key != '' AND o.tenant = ?1 AND o.receipt = '' AND o.key = a.key"
            " ORDER BY a.receipt, o.seq"
        )
        queries: tuple[tuple[str, type[Feedback | Outcome]], ...] = (
            *((rated, Feedback), (ended, Outcome), (ended_by_key, Outcome)),
        )
        return [
            (_arm(*side), kind.from_json(json.loads(body)))
            for query, kind in queries
            for *side, body in self._db.rows(query, tenant, promotion)
        ]

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


def _again(remark: Feedback | Outcome, earlier: Sequence[Feedback | Outcome]) -> bool:
    """Whether it says what the newest of the `earlier` ones says: somebody who changes his mind back says it anew. If
    it says when, the newest of that time counts, so that what is delivered again weeks later changes nothing."""
    when = _when(remark)
    alike = [each for each in earlier if _when(each) == when] if any(when) else earlier
    return bool(alike) and alike[-1] == remark


def _when(remark: Feedback | Outcome) -> tuple[str, str]:
    return remark.at, remark.happened_at if isinstance(remark, Outcome) else ""


def _row_id(remark: Feedback | Outcome, earlier: Sequence[Feedback | Outcome]) -> str:
    """Its own id; if it was said before, with how many there were."""
    return f"{remark.id}.{len(earlier)}" if remark in earlier else remark.id


def _body(exchange: Exchange) -> str:
    return _dump({name: getattr(exchange, name) for name in _BODY})


def _row(exchange: Exchange) -> tuple[Any, ...]:
    return (*(getattr(exchange, name) for name in _NAMES), _body(exchange))


def _side(exchange: Exchange) -> tuple[Any, ...]:
    arm = exchange.details["arm"]
    side = exchange.session, exchange.key, int(arm["held_out"]), float(arm["share"])
    return (exchange.tenant, arm["of"], exchange.receipt, *side)


def _arm(session: str, held_out: int, share: float) -> Arm:
    return Arm(session, bool(held_out), share)


def _n(exchange: Exchange) -> int:
    """How many choices were asked for."""
    n = (exchange.details.get("options") or {}).get("n")
    return n if isinstance(n, int) else 1


def _exchange(row: Iterable[Any]) -> Exchange:
    *columns, body = row
    rest = json.loads(body)
    rest["purposes"] = tuple(rest["purposes"])
    return Exchange(**dict(zip(_NAMES, columns, strict=True)), **rest)


_dump = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode  # ASCII: a lone surrogate is no UTF-8
