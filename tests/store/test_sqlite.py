"""What is special to the SQLite store: the file, and what can be wrong with it."""

from __future__ import annotations

import multiprocessing
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest

from journeyman.errors import StoreError, UsageError
from journeyman.records import AdapterRecord, Session, Turn
from journeyman.store import open_store
from journeyman.store.sql import SCHEMAS, SqlStore

HELLO = Session((Turn("user", "hello"),))
LARGE = Session((Turn("user", "word " * 100_000),))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def query(path: Path, sql: str) -> list[Any]:
    connection = apsw.Connection(str(path))
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def refused(path: Path, match: str) -> StoreError:
    with pytest.raises(StoreError, match=match) as caught:
        open_store(path)
    assert caught.value.remedy
    return caught.value


# -- opening


@pytest.mark.parametrize("url", ["{}", "sqlite:///{}"])
def test_a_path_and_its_url_open_one_store(path: Path, url: str) -> None:
    with open_store(path) as store:
        store.add_sessions([HELLO])
    with open_store(url.format(path)) as store:
        assert store.sessions() == [HELLO]


def test_a_url_may_be_relative(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    open_store("sqlite:///store.db").close()
    assert path.exists()


@pytest.mark.parametrize("url", ["mysql://x", "sqlite://x.db", "sqlite:///", "", "://"])
def test_other_schemes_say_what_is_possible(url: str) -> None:
    with pytest.raises(UsageError, match="cannot open a store") as caught:
        open_store(url)
    assert "sqlite:///" in caught.value.remedy


def test_only_what_is_there_is_opened_where_nothing_is_to_be_made(path: Path) -> None:
    with pytest.raises(UsageError, match="there is no store at"):
        open_store(path, create=False)
    assert not path.exists()


def test_large_things_lie_where_the_store_lies(path: Path) -> None:
    with open_store(path) as store:
        assert (store.name, store.folder) == (str(path.resolve()), Path(f"{path.resolve()}.d"))


def test_a_new_store_is_durable_and_marked_as_ours(path: Path) -> None:
    with open_store(path) as store:
        assert query(path, "PRAGMA journal_mode") == [("wal",)]
        assert store._db.rows("PRAGMA synchronous") == [(2,)], "FULL"
    assert query(path, "PRAGMA user_version") == [(len(SCHEMAS),)]
    assert path.read_bytes()[68:72] == b"JMAN"


def made_at_once(folder: Path, together: Any, troubles: Any) -> None:
    for n in range(30):
        together.wait(60)
        try:
            open_store(f"{folder}/{n}.db").close()
        except StoreError as error:
            troubles.put(str(error))


def test_a_file_made_by_several_at_once_is_waited_for(tmp_path: Path) -> None:
    # SQLite's own waiting leaves out the change to a write-ahead log: the second of two was refused at once.
    spawning = multiprocessing.get_context("spawn")
    together, troubles = spawning.Barrier(6), spawning.Queue()
    racers = [spawning.Process(target=made_at_once, args=(tmp_path, together, troubles)) for _ in range(6)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(120)
        assert racer.exitcode == 0
    assert troubles.empty(), troubles.get()


def test_an_empty_file_becomes_a_store(path: Path) -> None:
    path.touch()
    with open_store(path) as store:
        assert store.count_sessions() == 0


@pytest.mark.parametrize("content", [b"notes, not a database\n" * 200, b"\x00" * 8192])
def test_a_file_that_is_no_database_is_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    refused(path, "it is not a database")
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_left_alone(path: Path) -> None:
    query(path, "CREATE TABLE sessions (id)")
    before = path.read_bytes()
    refused(path, "not a Journeyman store")
    assert path.read_bytes() == before


def test_a_damaged_store_says_so(path: Path) -> None:
    with open_store(path) as store:
        store.add_sessions([LARGE])
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 8 * 4096)
    with open_store(path) as store, pytest.raises(StoreError, match="damaged"):
        store.sessions()


def test_a_folder_or_a_missing_folder_says_so(tmp_path: Path) -> None:
    refused(tmp_path, "cannot be opened")
    refused(tmp_path / "missing" / "store.db", "cannot be opened")
    assert not (tmp_path / "missing").exists()


# -- writing


@contextmanager
def full_disk(store: SqlStore) -> Iterator[None]:
    pages = store._db.rows("PRAGMA page_count")[0][0]
    store._db.rows(f"PRAGMA max_page_count = {pages}")
    yield
    store._db.rows("PRAGMA max_page_count = 4294967294")


@contextmanager
def failing_disk(store: SqlStore) -> Iterator[None]:
    # The kernel refuses to let any file of this process grow past its present size.
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    wal = Path(f"{store.name}-wal")
    resource.setrlimit(resource.RLIMIT_FSIZE, (wal.stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def read_only(store: SqlStore) -> Iterator[None]:
    store._db.rows("PRAGMA query_only = 1")
    yield
    store._db.rows("PRAGMA query_only = 0")


@pytest.mark.parametrize(
    ("trouble", "match", "remedy"),
    [
        (full_disk, "the disk is full", "free some space"),
        (failing_disk, "the disk (is full|reported an error)", "space"),
        (read_only, "may be read, but not written", "write access"),
    ],
)
def test_what_cannot_be_written_is_an_error_and_costs_nothing_else(
    path: Path, trouble: Callable[[SqlStore], object], match: str, remedy: str
) -> None:
    with open_store(path) as store:
        store.add_sessions([HELLO])
        with trouble(store):  # type: ignore[attr-defined]
            with pytest.raises(StoreError, match=match) as caught:
                store.add_sessions([Session((Turn("user", "before"),)), LARGE])
            assert remedy in caught.value.remedy
            assert store.sessions() == [HELLO]
        assert store.add_sessions([LARGE]) == [True]
    assert query(path, "PRAGMA integrity_check") == [("ok",)]


def test_a_busy_store_is_waited_for_and_then_named(path: Path) -> None:
    with open_store(path) as store:
        store._db.rows("PRAGMA busy_timeout = 50")
        other = apsw.Connection(str(path))
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="busy"):
            store.add_sessions([HELLO])
        other.execute("ROLLBACK")
        other.close()
        assert store.add_sessions([HELLO]) == [True]


def test_a_defect_of_ours_is_not_dressed_up_as_the_users(path: Path) -> None:
    store = open_store(path)
    store.close()
    with pytest.raises(apsw.ConnectionClosedError):
        store.count_sessions()


def test_the_history_of_champions_is_never_rewritten(path: Path) -> None:
    with open_store(path) as store:
        for name in ("aa", "bb"):
            store.add_adapter(AdapterRecord(name, "base", "", "PROMOTE"))
        for choice in ("aa", "bb", "aa", None):
            store.set_champion("base", choice)
    history = query(path, "SELECT base, hash FROM champion_history ORDER BY seq")
    assert history == [("base", "aa"), ("base", "bb"), ("base", "aa"), ("base", None)]


def test_a_store_has_one_lock_by_all_its_names(path: Path) -> None:
    alias = path.with_name("alias.db")
    with open_store(path) as store, store.lock("night"):
        alias.symlink_to(path)
        with open_store(alias) as same, pytest.raises(StoreError, match="another night"), same.lock("night"):
            pytest.fail("two nights at once")


def test_a_forked_child_does_not_keep_a_lock_that_was_given_back(path: Path) -> None:
    read_end, write_end = os.pipe()
    with open_store(path) as store:
        with store.lock("night"):
            child = os.fork()
            if not child:
                os.close(write_end)
                os.read(read_end, 1)  # until the parent is done
                os._exit(0)
        with store.lock("night"):
            pass
    os.close(write_end)
    os.close(read_end)
    assert os.waitpid(child, 0)[1] == 0
