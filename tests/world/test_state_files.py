"""States on disk: whole, checked, and readable by others."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import lending
import pytest
from hypothesis import given, settings
from lending import TABLES
from test_state import DOINGS, content, done

from journeyman.errors import WorldError
from journeyman.world import State, load, load_sqlite, load_text, save_sqlite, save_text
from journeyman.world import files as state_files

WAYS = [(save_text, load_text), (save_sqlite, load_sqlite)]


@settings(max_examples=25, deadline=None)
@given(DOINGS)
def test_what_comes_back_is_what_went_out(tmp_path_factory: pytest.TempPathFactory, history: list[Any]) -> None:
    state = lending.start()
    for doing in history:
        state = done(state, doing)
    path = tmp_path_factory.mktemp("state") / "state"
    for save, load_again in WAYS:
        save(state, path)
        again = load_again(path, TABLES)
        assert (again.digest, content(again)) == (state.digest, content(state))
        assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("name", ["office", "shop"])
@pytest.mark.parametrize(("save", "load_again"), WAYS)
def test_worlds_survive_the_disk(tmp_path: Path, name: str, save: Any, load_again: Any) -> None:
    start = next(iter(load(name).tasks.values())).start
    save(start, tmp_path / "x")
    assert load_again(tmp_path / "x", load(name).rules.tables.values()).digest == start.digest


def test_equal_states_have_equal_files() -> None:
    state = lending.start()
    rows = {name: list(state.rows(name))[::-1] for name in state.tables}
    other = State.build(TABLES, rows, clock=state.clock, counters=state.counters)
    assert list(state_files.text(other)) == list(state_files.text(state))


def test_other_programs_can_read_the_database(tmp_path: Path) -> None:
    save_sqlite(lending.start(), tmp_path / "x.db")
    with sqlite3.connect(tmp_path / "x.db") as connection:
        found = connection.execute("SELECT title FROM books JOIN loans ON loans.book = books.id").fetchall()
    connection.close()
    assert found == [("Maps",)]


def test_damage_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "state"
    save_text(lending.start(), path)
    text = path.read_text()
    for spoilt in (
        text.replace("Dunes", "Dune"),
        "".join(text.splitlines(keepends=True)[:-1]),
        text + text.splitlines()[-1] + "\n",
        text.replace('"clock": 1', '"clock": 2'),
        text.replace('{"L": 1}', "5"),
        text.replace('"seed": 0', '"seed": NaN'),
        text[:-20],
        text.replace('"books"', '"shoes"'),
        "",
        "[]",
        '{"format": "another"}',
        text + "{}\n",
        text + '{"0": 1}\n',
        text + "[" * 100_000 + "\n",
        "[" * 100_000,
    ):
        path.write_text(spoilt)
        with pytest.raises(WorldError) as caught:
            load_text(path, TABLES)
        assert caught.value.remedy


def test_a_changed_database_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    save_sqlite(lending.start(), path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE books SET pages = pages + 1")
    connection.close()
    with pytest.raises(WorldError, match="digest"):
        load_sqlite(path, TABLES)
    with pytest.raises(WorldError):
        load_sqlite(tmp_path / "nothing", TABLES)
    save_sqlite(lending.start(), path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE _world SET value = ? WHERE name = 'clock'", ["[" * 100_000])
    connection.close()
    with pytest.raises(WorldError):
        load_sqlite(path, TABLES)
    with pytest.raises(WorldError, match="read"):
        load_text(tmp_path / "nothing", TABLES)


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    for save, _ in WAYS:
        with pytest.raises(WorldError, match="cannot be written"):
            save(lending.start(), tmp_path / "none" / "x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(WorldError, match="cannot be written"):
        save_text(lending.start(), tmp_path / "folder")
    for save, _ in WAYS:
        with pytest.raises(WorldError, match="cannot be written"):
            save(lending.start(), Path())
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]
