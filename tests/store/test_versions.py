"""A store of an earlier version gets what it lacks, and keeps what it has; one of a later version is left alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from journeyman.errors import AdapterError, StoreError
from journeyman.records import AdapterRecord, Exchange, Outcome, Session, Turn
from journeyman.store import open_store
from journeyman.store.address import POSTGRES
from journeyman.store.database import Database
from journeyman.store.sql import SCHEMAS
from journeyman.store.sqlite import SqliteDatabase

SAID = Session((Turn("user", "hello there"),))
OLD = {"hash": "aa11", "base": "b", "night_id": "n1", "verdict": "PROMOTE", "parent": "", "created_at": "2026"}


def opened(address: str, schemas: Sequence[str]) -> Database:
    if not address.startswith(POSTGRES):
        return SqliteDatabase(Path(address), schemas)
    from journeyman.store.postgres import PostgresDatabase

    return PostgresDatabase(address, schemas)


def kept_by(address: str, version: int) -> None:
    """A store as that version left it: a session, and a night whose adapter is in service."""
    old = opened(address, SCHEMAS[:version])
    for sql, *values in (
        (
            "INSERT INTO sessions (id, created_at, body) VALUES (?, ?, ?)",
            SAID.id,
            "2026",
            '{"turns": [{"role": "user", "content": "hello there"}]}',
        ),
        ("INSERT INTO nights (key, created_at, spec) VALUES (?, ?, ?)", "n1", "2026", "{}"),
        ("INSERT INTO adapters (hash, created_at, body) VALUES (?, ?, ?)", "aa11", "2026", json.dumps(OLD)),
        ("INSERT INTO champion_history (base, hash, created_at) VALUES (?, ?, ?)", "b", "aa11", "2026"),
    ):
        with old.transaction():
            old.changes(sql, *values)
    old.close()


@pytest.mark.parametrize("version", [1, 2, 3, 4, 5, 6, 7, 8])
def test_a_store_of_an_earlier_version_is_extended(address: str, version: int) -> None:
    kept_by(address, version)
    with open_store(address) as store:
        assert store.sessions() == [SAID]
        store.write_exchanges(closed=[Exchange("r", "s", b"{}", "2026", ending="complete")])
        assert len(store.exchanges()) == 1
        store.set_champion("b", None, why="harm", evidence={"bad": 9})
        assert [each.evidence for each in store.service("b")] == [{}, {"bad": 9}]
    with open_store(address) as store:
        assert (store.count_sessions(), len(store.exchanges())) == (1, 1)


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_what_was_kept_before_there_were_tenants_is_the_stores_own(address: str, version: int) -> None:
    kept_by(address, version)
    with open_store(address) as store:
        assert store.tenants() == [""]
        assert store.sessions(tenant="") == [SAID]
        assert [night.key for night in store.nights("")] == ["n1"]
        assert store.champion("b") == AdapterRecord(**OLD)
        assert store.champion("b", "ann") is None
        with pytest.raises(AdapterError, match="there is no adapter"):
            store.set_champion("b", "aa11", "ann")
        store.finish_night("n1", {}, AdapterRecord("aa22", "b", "n1", "PROMOTE", parent="aa11"), promote=True)
        assert store.champion("b") == store.adapter("aa22")


def test_a_store_of_a_newer_version_is_left_alone(address: str) -> None:
    opened(address, [*SCHEMAS, "CREATE TABLE news (seq INTEGER PRIMARY KEY)"]).close()
    for _ in range(2):
        with pytest.raises(StoreError, match=r"newer Journeyman \(schema \d+; this one knows \d+\)") as caught:
            open_store(address)
        assert "upgrade" in caught.value.remedy


def test_an_outcome_of_an_earlier_version_is_found_by_what_it_is_about(address: str) -> None:
    kept_by(address, 7)
    said = Outcome('"half a pair: \\ud800, and \\u0000"', key='order "7" \\ ü', happened_at="2026")
    old = opened(address, SCHEMAS[:7])
    with old.transaction():
        body = json.dumps(said.to_json(), separators=(",", ":"))
        old.changes("INSERT INTO outcomes (id, tenant, body) VALUES (?, ?, ?)", said.id, "", body)
    old.close()
    with open_store(address) as store:
        assert store.outcomes() == [said]
        assert not store.add_outcome(said)
        assert store.add_outcome(replace(said, value="1"))
