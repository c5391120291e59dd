"""What a store needs of the database under it: a SQLite file, or a PostgreSQL server.

Always holds: what a transaction has committed survives kill -9 and power loss; transactions follow one another, in
whatever process they are, so that what arrived later has the larger `seq`; several threads may share one Database, and
several processes what is behind it; one that is not ours, or of a newer version, is left as it is; trouble that a user
can act on is raised as StoreError, without any password.

SQL is written in SQLite's words, with `?` or `?1` for a value, and holds neither in a text; another database says it in
its own. Text in a column has no NUL and no half of a surrogate pair (names and hashes have neither); JSON, dumped as
ASCII, may stand for both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from journeyman.errors import StoreError, UsageError

MARK = 0x4A4D414E  # "JMAN": what is ours, at byte 68 of a file and among a server's locks
BUSY_SECONDS = 10  # how long to wait for another's transaction
AGAIN = "and run the same command again: what was committed is kept"


class Database(Protocol):
    """It is opened with schemas, which make the tables, one a version: a new database gets all of them, one of an
    earlier version those that it lacks, and the number of the last is written into it.

    `name` is what people call it, without a secret; what is too large for a record lies in `folder`.
    """

    name: str
    folder: Path

    def transaction(self) -> AbstractContextManager[None]:
        """All that is written in the with-block, or, if it raises, nothing."""
        ...

    def rows(self, sql: str, *values: Any) -> list[Any]: ...

    def changes(self, sql: str, *values: Any) -> int:
        """Write inside a transaction; how many rows that changed."""
        ...

    def write(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Write many rows inside a transaction."""
        ...

    def among(self, column: str, texts: Collection[str]) -> tuple[str, Any]:
        """The condition that `column` is one of `texts`, however many, and the one value to bind in it."""
        ...

    def lock(self, purpose: str) -> AbstractContextManager[None]:
        """Be the only one with this purpose; StoreError, at once, if there is another. Free however its holder ends."""
        ...

    def scrub(self) -> None:
        """Rewrite what holds the tables, so that no byte is left of what was deleted; StoreError if others keep it from
        that. A server's own log and its copies are the server's."""
        ...

    def close(self) -> None: ...


def missing(name: str) -> UsageError:
    return UsageError(
        f"there is no store at {name}",
        f"give its path or URL with --store, or make it: journeyman import FILE --store {name}",
    )


def newer(name: str, found: int, known: int) -> StoreError:
    return StoreError(
        f"{name} was made by a newer Journeyman (schema {found}; this one knows {known})",
        "upgrade with: pip install --upgrade journeyman",
    )


def taken(purpose: str, holder: str) -> StoreError:
    return StoreError(
        f"another {purpose} is running (pid {holder or 'unknown'})", "wait until it has ended, or stop it"
    )
