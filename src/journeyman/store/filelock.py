"""One holder at a time, between the processes of one machine.

Always holds: the kernel owns the lock, so it is free again however its holder ended, kill -9 included. The
file itself stays behind, because deleting it could give two processes a lock on two files of one name.

Knows nothing of what is locked. Children that a killed holder had forked hold on until they have ended too.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from journeyman.errors import StoreError
from journeyman.store.database import taken


@contextmanager
def held(path: Path, purpose: str) -> Iterator[None]:
    """Hold the lock `path` for the length of a with-block, or raise StoreError at once."""
    try:
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise StoreError(
            f"cannot lock {path}: {error.strerror}", "give this user write access to its folder"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            # The holder may have the lock and not yet have written who it is.
            raise taken(purpose, file.read()) from error
        except OSError as error:
            raise StoreError(
                f"cannot lock {path}: {error.strerror}", "keep the store on a disk of this machine"
            ) from error
        try:
            _write(file, str(os.getpid()))
            yield
        finally:
            _write(file, "")
            # Not left to close(): a forked child may still have the file open.
            fcntl.flock(file, fcntl.LOCK_UN)


def _write(file: TextIO, text: str) -> None:
    file.truncate(0)
    file.write(text)
    file.flush()
