"""A store of an earlier version gets what it lacks, and keeps what it has."""

from __future__ import annotations

from pathlib import Path

from journeyman.records import Exchange, Session, Turn
from journeyman.store.database import Database
from journeyman.store.sqlite import SCHEMAS, SqliteStore


def test_a_store_of_the_first_version_is_extended(tmp_path: Path) -> None:
    path, said = tmp_path / "store.db", Session((Turn("user", "hello there"),))
    old = Database(path, SCHEMAS[:1])
    with old.transaction():
        old.changes(
            "INSERT INTO sessions (id, created_at, body) VALUES (?, ?, ?)",
            said.id,
            "2026",
            '{"turns": [{"role": "user", "content": "hello there"}]}',
        )
    old.close()
    with SqliteStore(path) as store:
        assert store.sessions() == [said]
        store.write_exchanges(closed=[Exchange("r", "s", b"{}", "2026", ending="complete")])
        assert len(store.exchanges()) == 1
    with SqliteStore(path) as store:
        assert (store.count_sessions(), len(store.exchanges())) == (1, 1)
