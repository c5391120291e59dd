"""A PostgreSQL database in which the schema `journeyman` is ours: connected, checked, written in transactions.

Always holds, besides what `database` promises: a lock belongs to the connection that writes, so that a store that has
lost its lock can write nothing more until it has it again; a connection that was lost is made anew where nothing was
under way, and else the loss is said.

Knows nothing of what the tables hold. Needs a connection of its own for as long as it is open: a pooler that hands it
to others between transactions would hand them its locks.
"""

from __future__ import annotations

import os
import re
import socket
import threading
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from secrets import token_hex
from typing import Any, TypeVar

import psycopg
from psycopg import conninfo, errors, sql

from journeyman.errors import StoreError, UsageError
from journeyman.store.address import without_secrets
from journeyman.store.database import AGAIN, BUSY_SECONDS, MARK, missing, newer, taken

T = TypeVar("T")
WRITING = 0  # the number of the lock of whoever is in a transaction
# A machine that has gone without a word is given up after a minute, here and on the server, with all that it held.
_SETTINGS = f"""
SET search_path TO journeyman;
SET synchronous_commit TO on;
SET lock_timeout TO '{BUSY_SECONDS}s';
SET idle_in_transaction_session_timeout TO '60s';
SET tcp_keepalives_idle TO 30;
SET tcp_keepalives_interval TO 10;
SET tcp_keepalives_count TO 3;
SET client_min_messages TO warning
"""
_CONNECTING = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
_BEGIN = f"BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({MARK}, {WRITING})"
_OURS = "CREATE SCHEMA IF NOT EXISTS journeyman; CREATE TABLE store (id TEXT NOT NULL, version BIGINT NOT NULL)"
_HOLDER = """
SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND classid = $1 AND objid = $2 AND objsubid = 2 AND granted
    AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class PostgresDatabase:
    """A connection to a database, and the store in it.

    Large things lie on this machine, in a folder of $JOURNEYMAN_DATA (else of the user's data directory) that has the
    database's name and the store's own id: by whatever address it is reached, it is one folder.
    """

    def __init__(self, url: str, schemas: Sequence[str], create: bool = True) -> None:
        self.name = without_secrets(url)
        self._parameters = _parameters(url, self.name)
        self._mutex = threading.RLock()
        self._held: set[str] = set()
        self._writing = self._closed = False
        self._connection = self._connect()
        try:
            with self._explained():
                id = self._prepare(schemas, create)
        except BaseException:
            self._connection.close()
            raise
        self.folder = _data() / re.sub(r"[^\w.-]", "_", f"{self._connection.info.dbname}-{id}")

    def _connect(self) -> psycopg.Connection[Any]:
        """A connection with all locks that are held here; StoreError if there is none."""
        with ExitStack() as stack:
            try:
                connection = psycopg.connect(**self._parameters, autocommit=True, cursor_factory=psycopg.RawCursor)
                stack.callback(connection.close)
                connection.execute(_SETTINGS.encode())
                lost = [purpose for purpose in self._held if not _take(connection, purpose)]
            except psycopg.Error as error:
                raise _unreachable(self.name, str(error)) from error
            if lost:
                raise StoreError(
                    f"{self.name}: the connection was lost, and with it the lock of this {lost[0]}",
                    "try again in a minute; if it is still so, another one has taken over",
                )
            if (encoding := connection.info.parameter_status("server_encoding")) != "UTF8":
                raise StoreError(
                    f"{self.name} keeps text as {encoding}", "give a database that was made with the encoding UTF8"
                )
            stack.pop_all()
        return connection

    def _prepare(self, schemas: Sequence[str], create: bool) -> str:
        """Make or extend the tables; the store's id."""
        found = self._store()
        if not found and not create:
            raise missing(self.name)
        if not found or found[1] < len(schemas):
            with self.transaction():
                found = self._store()  # still: another process may have been first
                if not found:
                    found = (token_hex(4), 0)
                    self._connection.execute(_OURS.encode())
                    self.changes("INSERT INTO store (id, version) VALUES (?, ?)", *found)
                for schema in schemas[found[1] :]:
                    self._connection.execute(_spelt(schema))
                self.changes("UPDATE store SET version = ?", max(found[1], len(schemas)))
        if found[1] > len(schemas):
            raise newer(self.name, found[1], len(schemas))
        return found[0]

    def _store(self) -> tuple[str, int] | None:
        # to_regclass would not do: after waiting for a lock it may still not know what another has made meanwhile.
        if not self.rows("SELECT 1 FROM pg_tables WHERE schemaname = 'journeyman' AND tablename = 'store'"):
            return None
        return self.rows("SELECT id, version FROM journeyman.store")[0]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._mutex, self._explained():
            self._writing = True
            try:
                # Nothing has been written yet: a connection that was lost since the last time may be made anew.
                self._surely(lambda: self._connection.execute(_BEGIN.encode()))
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
            finally:
                self._writing = False

    def _roll_back(self) -> None:
        try:
            self._connection.execute("ROLLBACK")
        except psycopg.Error:
            self._connection.close()  # the server rolls back what nobody can end

    def rows(self, sql: str, *values: Any) -> list[Any]:
        def read() -> list[Any]:
            return self._connection.cursor(binary=True).execute(_asked(sql), values).fetchall()

        with self._mutex, self._explained():
            return read() if self._writing else self._surely(read)

    def changes(self, sql: str, *values: Any) -> int:
        return self._connection.execute(_asked(sql), values).rowcount

    def write(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        if rows := list(rows):
            self._connection.cursor().executemany(_asked(sql), rows)

    def among(self, column: str, texts: Collection[str]) -> tuple[str, Any]:
        return f"{column} = ANY(?)", list(texts)

    @contextmanager
    def lock(self, purpose: str) -> Iterator[None]:
        with self._mutex, self._explained():
            # The server would give it to this connection again, as often as it is asked.
            if purpose in self._held or not self._surely(lambda: _take(self._connection, purpose)):
                raise taken(purpose, _holder(self._connection, purpose))
            self._held.add(purpose)
        try:
            yield
        finally:
            with self._mutex:
                self._held.discard(purpose)
                with suppress(psycopg.Error):  # a connection that was lost holds nothing
                    self._connection.execute(b"SELECT pg_advisory_unlock($1, $2)", (MARK, _number(purpose)))

    def scrub(self) -> None:
        with self._mutex, self._explained():
            for (table,) in self.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'journeyman'"):
                name = sql.SQL("VACUUM (FULL) {}").format(sql.Identifier("journeyman", table))
                self._surely(lambda name=name: self._connection.execute(name))

    def close(self) -> None:
        with self._mutex:
            self._closed = True
            self._connection.close()

    def _surely(self, work: Callable[[], T]) -> T:
        """Do what can be done twice, on a new connection if this one is lost."""
        try:
            return work()
        except psycopg.OperationalError:
            if self._closed or not self._connection.closed:
                raise
        self._connection = self._connect()
        return work()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what a user can act on into StoreError; anything else is a defect and stays as it is."""
        try:
            yield
        except psycopg.Error as error:
            if self._closed:
                raise
            said = error.diag.message_primary or str(error).partition("\n")[0]
            if self._connection.closed:
                raise StoreError(
                    f"{self.name}: the connection was lost ({said})", f"see that the server runs, {AGAIN}"
                ) from error
            for kind, what, remedy in _TROUBLE:
                if isinstance(error, kind):
                    raise StoreError(f"{self.name}: {what} ({said})", remedy) from error
            raise


_TROUBLE: tuple[tuple[type[psycopg.Error], str, str], ...] = (
    (errors.DiskFull, "the server's disk is full", f"free some space there {AGAIN}"),
    (errors.ReadOnlySqlTransaction, "it may be read, but not written", "give the address of the primary server"),
    (
        errors.InsufficientPrivilege,
        "access was denied",
        "let this user own the database, or grant it CREATE there and all rights in the schema journeyman",
    ),
    (errors.LockNotAvailable, f"others kept it busy for {BUSY_SECONDS} s", "try again once they are done"),
    (errors.DuplicateTable, "its schema journeyman is another program's", "give a database without that schema"),
    (errors.ProgramLimitExceeded, "a record is larger than PostgreSQL keeps (1 GB)", "split it into smaller ones"),
    (errors.DataCorrupted, "it is damaged", "restore it from a backup"),
    (errors.IndexCorrupted, "it is damaged", "restore it from a backup"),
    (psycopg.OperationalError, "the server could not do it", f"see to the server {AGAIN}"),
)
# What a failed connection says, in English; the server may speak another language.
_REFUSALS = (
    (r"password", "give the right password: in ~/.pgpass, in PGPASSWORD or in the URL"),
    (r'database ".*" does not exist', "make it with createdb, or give another one"),
    (r"role \".*\" does not exist|authentication failed|pg_hba", "give a user whom the server lets in"),
    (r"too many|remaining connection slots", "close other connections, or let the server have more"),
    (r"resolve|refused|timeout|No such file|unreachable", "see that the server runs, and that its address is right"),
)


def _unreachable(name: str, said: str) -> StoreError:
    # Of several tries the last; what libpq adds after it is advice.
    tries = [line.strip() for line in said.splitlines() if "failed" in line] or [said.partition("\n")[0]]
    what = tries[-1].removeprefix("connection failed: ")
    for pattern, remedy in _REFUSALS:
        if re.search(pattern, said):
            return StoreError(f"cannot connect to {name}: {what}", remedy)
    return StoreError(f"cannot connect to {name}: {what}", "see to its address, user, password and database")


def _parameters(url: str, name: str) -> dict[str, Any]:
    """What libpq is told. What it would say of a URL that it cannot read might hold the password: it is not let to."""
    example = "give one such as postgresql://USER@HOST/DATABASE; write @ : / ? # % in a password as %40 and so on"
    try:
        given: dict[str, Any] = conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        given = {}
    ports = str(given.get("port", "")).split(",")
    if not given or url.partition("?")[0].count("@") > 1 or not all(port.isdigit() or not port for port in ports):
        raise UsageError(f"{name} is no address of a database", example)
    return {**_CONNECTING, **given, "application_name": _who(os.getpid()), "client_encoding": "utf8"}


def _who(pid: int | str) -> str:
    """A process of this machine, as others see it on the server; of a long host name what fits."""
    return f"journeyman {pid}@{socket.gethostname()}"[:63]


def _data() -> Path:
    if chosen := os.environ.get("JOURNEYMAN_DATA"):
        return Path(chosen).expanduser().absolute()
    root = os.environ.get("XDG_DATA_HOME")
    return (Path(root) if root else Path.home() / ".local" / "share") / "journeyman"


def _take(connection: psycopg.Connection[Any], purpose: str) -> bool:
    row = connection.execute(b"SELECT pg_try_advisory_lock($1, $2)", (MARK, _number(purpose))).fetchone()
    return row == (True,)


def _holder(connection: psycopg.Connection[Any], purpose: str) -> str:
    """Its process, and its machine if that is another; "" if it cannot be seen, or has just ended."""
    row = connection.execute(_HOLDER.encode(), (MARK, _number(purpose))).fetchone()
    who = str(row[0]) if row else ""
    pid, _, host = who.removeprefix("journeyman ").partition("@")
    return f"{pid} on {host}" if host and who != _who(pid) else pid


def _number(purpose: str) -> int:
    return 1 + (zlib.crc32(purpose.encode()) >> 2)  # of a signed int4, and not WRITING


# -- SQLite's words, as PostgreSQL has them

_WORDS = {
    "INTEGER PRIMARY KEY": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    "INTEGER": "BIGINT",
    "REAL": "DOUBLE PRECISION",
    "BLOB": "BYTEA",
    "STRICT": "",
    "JSON TEXT": "JSON",
}


def _spelt(schema: str) -> bytes:
    return re.sub(rf"\b({'|'.join(_WORDS)})\b", lambda found: _WORDS[found[1]], schema).encode()


@lru_cache(256)
def _asked(sql: str) -> bytes:
    """With its values as $1, $2: `?` is the one after the last, `?1` the first."""
    last = 0

    def number(found: re.Match[str]) -> str:
        nonlocal last
        last = int(found[1]) if found[1] else last + 1
        return f"${last}"

    return re.sub(r"\?(\d*)", number, sql).encode()
