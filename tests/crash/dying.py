"""Run a deed on copies of a store, killed by kill -9 before each of its writes in turn, until one lives to its end.

    python dying.py TEMPLATE COPIES MODULE:FUNCTION

TEMPLATE is a folder with a store `day.db` in it; COPIES/0, COPIES/1, ... are what its deaths leave. A write is a
statement of SQL that is no query, or a rename, a flush or a removal of a file. Prints how many writes there are.
"""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw

HARMLESS = ("select", "pragma", "with")


def deadly(left: int) -> None:
    """From now on this process dies before its write number `left`."""

    def tick() -> None:
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    class Dying(apsw.Connection):
        def execute(self, statements: str, *args: Any, **options: Any) -> Any:
            if not statements.lstrip().lower().startswith(HARMLESS):
                tick()
            return super().execute(statements, *args, **options)

        def executemany(self, statements: str, *args: Any, **options: Any) -> Any:
            tick()
            return super().executemany(statements, *args, **options)

    def dying(work: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            tick()
            return work(*args, **options)

        return call

    apsw.Connection = Dying  # type: ignore[misc]
    for name in ("rename", "replace", "unlink", "rmdir", "fsync", "link"):
        setattr(os, name, dying(getattr(os, name)))


def main() -> None:
    template, copies, deed = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    module, _, function = deed.partition(":")
    work = getattr(importlib.import_module(module), function)
    for number in range(1000):
        copy = copies / str(number)
        shutil.copytree(template, copy)
        if not (child := os.fork()):
            deadly(number)
            work(copy / "day.db")
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) == 0:
            print(number)
            return
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            raise SystemExit(f"write {number}: it ended otherwise than by the kill")
    raise SystemExit("it writes without end")


if __name__ == "__main__":
    main()
