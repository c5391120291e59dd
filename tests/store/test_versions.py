"""A store of an earlier version gets what it lacks, and keeps what it has."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from journeyman.errors import AdapterError
from journeyman.records import AdapterRecord, Exchange, Session, Turn
from journeyman.store.database import Database
from journeyman.store.sqlite import SCHEMAS, SqliteStore

SAID = Session((Turn("user", "hello there"),))
OLD = {"hash": "aa11", "base": "b", "night_id": "n1", "verdict": "PROMOTE", "parent": "", "created_at": "2026"}


def kept_by(path: Path, version: int) -> None:
    """A store as that version left it: a session, and a night whose adapter is in service."""
    old = Database(path, SCHEMAS[:version])
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


@pytest.mark.parametrize("version", [1, 2])
def test_a_store_of_an_earlier_version_is_extended(tmp_path: Path, version: int) -> None:
    path = tmp_path / "store.db"
    kept_by(path, version)
    with SqliteStore(path) as store:
        assert store.sessions() == [SAID]
        store.write_exchanges(closed=[Exchange("r", "s", b"{}", "2026", ending="complete")])
        assert len(store.exchanges()) == 1
    with SqliteStore(path) as store:
        assert (store.count_sessions(), len(store.exchanges())) == (1, 1)


@pytest.mark.parametrize("version", [1, 2])
def test_what_was_kept_before_there_were_tenants_is_the_stores_own(tmp_path: Path, version: int) -> None:
    path = tmp_path / "store.db"
    kept_by(path, version)
    with SqliteStore(path) as store:
        assert store.tenants() == [""]
        assert store.sessions(tenant="") == [SAID]
        assert [night.key for night in store.nights("")] == ["n1"]
        assert store.champion("b") == AdapterRecord(**OLD)
        assert store.champion("b", "ann") is None
        with pytest.raises(AdapterError, match="there is no adapter"):
            store.set_champion("b", "aa11", "ann")
        store.finish_night("n1", {}, AdapterRecord("aa22", "b", "n1", "PROMOTE", parent="aa11"), promote=True)
        assert store.champion("b") == store.adapter("aa22")
