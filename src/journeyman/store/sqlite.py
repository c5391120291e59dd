"""One SQLite file that is ours: opened, checked, written in transactions.

Always holds: what a transaction has committed survives kill -9 and power loss (WAL, synchronous=FULL); a file
that is not ours, or of a newer version, is left as it is; several threads may share one Database and several
processes one file; trouble that a user can act on is raised as StoreError.

Knows nothing of what the tables hold. Needs apsw: the sqlite3 of many Pythons has SQLite's WAL-reset race.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import apsw

from journeyman.errors import StoreError
from journeyman.store.database import AGAIN, BUSY_SECONDS, MARK, missing, newer
from journeyman.store.filelock import held


class SqliteDatabase:
    """The open file; what is too large for a record is found from its path, so that the two move together."""

    def __init__(self, path: Path, schemas: Sequence[str], create: bool = True) -> None:
        if not create and not path.exists():
            raise missing(str(path))
        self.path = path.resolve()  # one file has one lock, by whatever name it is opened
        self.name, self.folder = str(self.path), Path(f"{self.path}.d")
        self._mutex = threading.RLock()
        with _explained(self.path):
            self._connection = apsw.Connection(str(self.path))
            try:
                self._prepare(schemas)
            except BaseException:
                self._connection.close()
                raise

    def _prepare(self, schemas: Sequence[str]) -> None:
        connection = self._connection
        connection.set_busy_timeout(BUSY_SECONDS * 1000)
        connection.pragma("synchronous", "full")
        connection.pragma("foreign_keys", True)
        connection.pragma("secure_delete", True)  # what is deleted is overwritten
        if self._is_blank():
            self._write_ahead()
            with self.transaction():
                if self._is_blank():  # still: another process may have been first
                    connection.pragma("application_id", MARK)
                    self._extend(schemas)
        if connection.pragma("application_id") != MARK:
            raise StoreError(
                f"{self.path} is a database, but not a Journeyman store",
                "give another path: this file was left as it is",
            )
        found = connection.pragma("user_version")
        if found > len(schemas):
            raise newer(self.name, found, len(schemas))
        if found < len(schemas):
            with self.transaction():
                self._extend(schemas)

    def _write_ahead(self) -> None:
        """Set what is kept in the file and cannot be set within a transaction: that changes go to a log first."""
        end = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                self._connection.pragma("journal_mode", "wal")
                return
            except apsw.BusyError:
                # SQLite does not wait here by itself, as two that wait for each other would never go on.
                if time.monotonic() > end:
                    raise
                time.sleep(random.uniform(0.001, 0.02))

    def _extend(self, schemas: Sequence[str]) -> None:
        """Add what this file's version lacks. Asked for within the transaction: another process may have been first."""
        for version, schema in enumerate(schemas, 1):
            if self._connection.pragma("user_version") < version:
                self._connection.execute(schema)
                self._connection.pragma("user_version", version)

    def _is_blank(self) -> bool:
        connection = self._connection
        marks = connection.pragma("application_id"), connection.pragma("user_version")
        return marks == (0, 0) and not connection.execute("SELECT count(*) FROM sqlite_schema").get

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._mutex, _explained(self.path):
            # IMMEDIATE waits for other writers now; a read that turns into a write later could not wait.
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # after a full disk SQLite may have rolled back already
                    self._connection.execute("ROLLBACK")
                raise

    def rows(self, sql: str, *values: Any) -> list[Any]:
        with self._mutex, _explained(self.path):
            return self._connection.execute(sql, values).fetchall()

    def changes(self, sql: str, *values: Any) -> int:
        self._connection.execute(sql, values)
        return self._connection.changes()

    def write(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        self._connection.executemany(sql, rows)

    def among(self, column: str, texts: Collection[str]) -> tuple[str, Any]:
        return f"{column} IN (SELECT value FROM json_each(?))", json.dumps(list(texts))

    def lock(self, purpose: str) -> AbstractContextManager[None]:
        # A file of its own: opening and closing the database once more would drop SQLite's locks on it.
        ending = ".lock" if purpose == "night" else f".{purpose}.lock"
        return held(self.path.with_name(self.path.name + ending), purpose)

    def scrub(self) -> None:
        # Pages that were moved or split before may still hold old bytes; so may the log, until it is empty.
        with self._mutex, _explained(self.path):
            self._connection.execute("VACUUM")
            [(busy, *_)] = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        if busy:
            raise StoreError(
                f"{self.path}: another process is reading, so its log cannot be emptied yet",
                "journeyman erase --resume, once it is done",
            )

    def close(self) -> None:
        with self._mutex, _explained(self.path):
            self._connection.close()


_ACCESS = "give this user write access to the file and its folder"
_TROUBLE: tuple[tuple[type[apsw.Error], str, str], ...] = (
    (apsw.FullError, "the disk is full", f"free some space {AGAIN}"),
    (apsw.IOError, "the disk reported an error", f"check the disk and its free space {AGAIN}"),
    (apsw.ReadOnlyError, "it may be read, but not written", _ACCESS),
    (apsw.PermissionsError, "access was denied", _ACCESS),
    (apsw.CantOpenError, "it cannot be opened", "give a file in a folder that exists and may be written to"),
    (apsw.BusyError, f"other processes kept it busy for {BUSY_SECONDS} s", "try again once they are done"),
    (apsw.NotADBError, "it is not a database", "give another path: this file was left as it is"),
    (apsw.CorruptError, "the file is damaged", "restore it from a backup, or give another path"),
    (apsw.TooBigError, "a record is larger than SQLite keeps (1 GB)", "split it into smaller ones"),
)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what a user can act on into StoreError; anything else is a defect and stays as it is."""
    try:
        yield
    except apsw.Error as error:
        for kind, what, remedy in _TROUBLE:
            if isinstance(error, kind):
                raise StoreError(f"{path}: {what} ({error})", remedy) from error
        raise
