"""What is special to the Postgres store: the connection, and what can be wrong with it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from journeyman.cli import main
from journeyman.errors import StoreError, UsageError
from journeyman.records import Session, Turn
from journeyman.store import open_store

psycopg = pytest.importorskip("psycopg")

if TYPE_CHECKING:
    from postgres_server import PostgresServer

HELLO, AGAIN = Session((Turn("user", "hello"),)), Session((Turn("user", "hello again"),))


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[str]:
    """Of the test's own: it may change its settings."""
    made = postgres.database()
    yield made
    postgres.drop(made)


@pytest.fixture
def url(postgres: PostgresServer, database: str) -> str:
    return postgres.url(database)


@pytest.fixture
def cut(postgres: PostgresServer, database: str) -> Callable[[], None]:
    """End all connections to the database."""
    ending = f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{database}'"
    return lambda: postgres.admin(ending) and None


def refused(url: str, match: str, kind: type[Exception] = StoreError) -> Any:
    with pytest.raises(kind, match=match) as caught:
        open_store(url)
    error: Any = caught.value
    assert error.remedy
    for text in (error.message, error.remedy):
        assert "\n" not in text
        assert "sesame" not in text
    return error


# -- opening


def test_both_schemes_name_one_store(postgres: PostgresServer, database: str) -> None:
    with open_store(postgres.url(database)) as store:
        store.add_sessions([HELLO])
    with open_store(postgres.tcp(database).replace("postgresql:", "postgres:")) as store:
        assert store.sessions() == [HELLO]
        assert store.name == f"postgres://journeyman@127.0.0.1:{postgres.port}/{database}"


def test_all_that_is_ours_is_in_one_schema(postgres: PostgresServer, database: str, url: str) -> None:
    postgres.admin("CREATE TABLE sessions (other TEXT)", database=database)
    with open_store(url) as store:
        store.add_sessions([HELLO])
    made = postgres.admin(
        "SELECT DISTINCT schemaname FROM pg_tables WHERE tableowner = 'journeyman'", database=database
    )
    assert made == [("journeyman",)]
    assert postgres.admin("SELECT * FROM public.sessions", database=database) == []


def test_a_commit_is_waited_for_whatever_the_server_does_by_default(
    postgres: PostgresServer, database: str, url: str
) -> None:
    postgres.admin(f"ALTER DATABASE {database} SET synchronous_commit = off")
    with open_store(url) as store:
        assert store._db.rows("SHOW synchronous_commit") == [("on",)]


def test_large_things_lie_in_one_folder_by_whatever_address(
    postgres: PostgresServer, database: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOURNEYMAN_DATA", str(tmp_path))
    with open_store(url) as one, open_store(postgres.tcp(database)) as same:
        assert one.folder == same.folder
        assert one.folder.parent == tmp_path
        assert one.folder.name.startswith(f"{database}-")
    with open_store(postgres.empty()) as other:
        assert other.folder != one.folder
    monkeypatch.delenv("JOURNEYMAN_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", "/srv/data")
    with open_store(url) as moved:
        assert moved.folder == Path("/srv/data/journeyman") / one.folder.name


def test_a_server_that_lets_nobody_in_says_why(postgres: PostgresServer, database: str) -> None:
    right = postgres.tcp(database)
    assert "PGPASSWORD" in refused(right.replace("sesame", "wrong"), "password authentication failed").remedy
    assert "createdb" in refused(postgres.tcp("nowhere"), 'database "nowhere" does not exist').remedy
    assert "server runs" in refused(right.replace(f":{postgres.port}", ":1"), "refused").remedy
    assert "server runs" in refused(right.replace("127.0.0.1", "nobody.invalid"), "nobody.invalid").remedy
    assert "server runs" in refused("postgresql:///day?host=/nowhere", "No such file").remedy
    assert "user" in refused(postgres.url(database, "stranger"), 'role "stranger" does not exist').remedy


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:open@sesame@host/day",
        "postgresql://ann:open/sesame@host/day",
        "postgresql://ann:open%zzsesame@host/day",
        "postgresql://[::1",
        "postgresql://host/day?sesame=1",
    ],
)
def test_what_is_no_url_is_not_repeated(url: str) -> None:
    assert "%40" in refused(url, "is no address of a database", UsageError).remedy


def test_a_failure_shows_no_password(postgres: PostgresServer, capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = postgres.tcp("nowhere")
    for command in (["sessions", "list"], ["keys", "list", "--json"], ["import", __file__]):
        assert main([*command, "--store", nowhere]) == 1
        said = "".join(capsys.readouterr())
        assert "does not exist" in said
        assert "sesame" not in said


def test_an_import_shows_no_password(
    postgres: PostgresServer, database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]}\n')
    for more in ([], ["--json"]):
        assert main(["import", str(log), "--store", postgres.tcp(database), *more]) == 0
        said = "".join(capsys.readouterr())
        assert f"postgresql://journeyman@127.0.0.1:{postgres.port}/{database}" in said
        assert "sesame" not in said


def test_a_database_in_another_encoding_is_refused(postgres: PostgresServer) -> None:
    other = postgres.database("TEMPLATE template0 ENCODING 'LATIN1'")
    assert "UTF8" in refused(postgres.url(other), "keeps text as LATIN1").remedy
    postgres.drop(other)


def test_a_schema_of_another_program_is_left_alone(postgres: PostgresServer, database: str, url: str) -> None:
    postgres.admin(
        "CREATE SCHEMA journeyman AUTHORIZATION journeyman", "CREATE TABLE journeyman.nights ()", database=database
    )
    refused(url, "another program's")
    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'journeyman'"
    assert postgres.admin(tables, database=database) == [("nights",)]


def test_who_may_only_read_can_read(postgres: PostgresServer, database: str, url: str) -> None:
    postgres.admin(
        "DROP ROLE IF EXISTS reader", "CREATE ROLE reader LOGIN", f"GRANT CONNECT ON DATABASE {database} TO reader"
    )
    by_reader = postgres.url(database, "reader")
    assert "own the database" in refused(by_reader, "access was denied").remedy
    with open_store(url) as store:
        store.add_sessions([HELLO])
    grants = "GRANT USAGE ON SCHEMA journeyman TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA journeyman TO reader"
    postgres.admin(grants, database=database)
    with open_store(by_reader) as store:
        assert store.sessions() == [HELLO]
        with pytest.raises(StoreError, match="access was denied"):
            store.add_sessions([AGAIN])


def test_a_replica_may_be_read(postgres: PostgresServer, database: str, url: str) -> None:
    open_store(url).close()
    postgres.admin(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    with open_store(url) as store:
        assert store.sessions() == []
        with pytest.raises(StoreError, match="may be read, but not written") as caught:
            store.add_sessions([HELLO])
        assert "primary" in caught.value.remedy


# -- the connection


def test_a_lost_connection_is_made_anew_where_nothing_was_under_way(url: str, cut: Callable[[], None]) -> None:
    with open_store(url) as store:
        store.add_sessions([HELLO])
        cut()
        assert store.sessions() == [HELLO]
        cut()
        assert store.add_sessions([AGAIN]) == [True]
        assert store.sessions() == [HELLO, AGAIN]


def test_what_was_under_way_when_it_was_lost_is_not_kept(url: str, cut: Callable[[], None]) -> None:
    insert = "INSERT INTO sessions (id, created_at, body) VALUES (?, ?, ?)"

    def written_half(store: Any) -> None:
        with store._db.transaction():
            store._db.changes(insert, HELLO.id, "2026", "never read")
            cut()
            store._db.changes(insert, AGAIN.id, "2026", "never read")

    with open_store(url) as store:
        with pytest.raises(StoreError, match="the connection was lost") as caught:
            written_half(store)
        assert "run the same command again" in caught.value.remedy
        assert store.sessions() == []
        with pytest.raises(StoreError, match="the connection was lost"), store._db.transaction():
            cut()
        assert store.add_sessions([HELLO]) == [True]


def test_a_server_that_comes_back_is_found_again(postgres: PostgresServer, url: str) -> None:
    with open_store(url) as store, store.lock("serve"):
        store.add_sessions([HELLO])
        postgres.stop()
        for work in (store.sessions, lambda: store.add_sessions([AGAIN])):
            with pytest.raises(StoreError, match="cannot connect"):
                work()
        postgres.start()
        assert store.add_sessions([HELLO, AGAIN]) == [False, True]
        with open_store(url) as other, pytest.raises(StoreError, match="another serve"), other.lock("serve"):
            pytest.fail("two servers at once")


def test_who_has_lost_its_lock_to_another_writes_nothing(url: str, cut: Callable[[], None]) -> None:
    with open_store(url) as store, open_store(url) as other:
        with store.lock("night"):
            cut()
            with other.lock("night"):
                with pytest.raises(StoreError, match="the lock of this night"):
                    store.add_sessions([HELLO])
                other.add_sessions([AGAIN])
            assert store.add_sessions([HELLO]) == [True], "it has it again"
            with pytest.raises(StoreError, match="another night"), other.lock("night"):
                pytest.fail("two nights at once")
        assert other.sessions() == [AGAIN, HELLO]


def test_a_lock_of_another_machine_names_it(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
    far = open_store(url)
    monkeypatch.undo()
    with (
        far,
        far.lock("night"),
        open_store(url) as store,
        pytest.raises(StoreError, match=r"pid \d+ on elsewhere"),
        store.lock("night"),
    ):
        pytest.fail("two nights at once")


def test_others_are_waited_for_and_then_named(url: str) -> None:
    with open_store(url) as store, open_store(url) as other:
        store._db.rows("SELECT set_config('lock_timeout', '50ms', false)")
        with other._db.transaction(), pytest.raises(StoreError, match="others kept it busy"):
            store.add_sessions([HELLO])
        with other._db.transaction():
            store._db.rows("SELECT set_config('lock_timeout', '10s', false)")
            waiting = threading.Thread(target=store.add_sessions, args=([HELLO],))
            waiting.start()
            waiting.join(0.2)
            assert waiting.is_alive()
        waiting.join(10)
        assert store.sessions() == [HELLO]


def test_a_defect_of_ours_is_not_dressed_up_as_the_users(url: str) -> None:
    with open_store(url) as store, pytest.raises(psycopg.ProgrammingError):
        store._db.rows("SELECT nothing FROM nowhere")
    with pytest.raises(psycopg.OperationalError, match="closed"):
        store.count_sessions()
