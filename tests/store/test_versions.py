"""A store of an earlier version gets what it lacks, and keeps what it has; one of a later version is left alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from journeyman.errors import StoreError
from journeyman.records import Exchange, Session, Turn
from journeyman.store import open_store
from journeyman.store.address import POSTGRES
from journeyman.store.database import Database
from journeyman.store.sql import SCHEMAS
from journeyman.store.sqlite import SqliteDatabase

SAID = Session((Turn("user", "hello there"),))


def opened(address: str, schemas: Sequence[str]) -> Database:
    if not address.startswith(POSTGRES):
        return SqliteDatabase(Path(address), schemas)
    from journeyman.store.postgres import PostgresDatabase

    return PostgresDatabase(address, schemas)


def test_a_store_of_the_first_version_is_extended(address: str) -> None:
    old = opened(address, SCHEMAS[:1])
    with old.transaction():
        old.changes(
            "INSERT INTO sessions (id, created_at, body) VALUES (?, ?, ?)",
            SAID.id,
            "2026",
            '{"turns": [{"role": "user", "content": "hello there"}]}',
        )
    old.close()
    with open_store(address, create=False) as store:
        assert store.sessions() == [SAID]
        store.write_exchanges(closed=[Exchange("r", "s", b"{}", "2026", ending="complete")])
        assert len(store.exchanges()) == 1
    with open_store(address) as store:
        assert (store.count_sessions(), len(store.exchanges())) == (1, 1)


def test_a_store_of_a_newer_version_is_left_alone(address: str) -> None:
    opened(address, [*SCHEMAS, "CREATE TABLE news (seq INTEGER PRIMARY KEY)"]).close()
    for _ in range(2):
        with pytest.raises(StoreError, match=r"newer Journeyman \(schema \d; this one knows \d\)") as caught:
            open_store(address)
        assert "upgrade" in caught.value.remedy
