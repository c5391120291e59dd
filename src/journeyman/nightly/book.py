"""What is written of nights beside the store: what goes on now (`nightly.json`), and a line a night (`nightly.jsonl`).

Always holds: who reads finds whole lines, whatever was killed while writing; what a process that died was at is still
there, and says so by being there although nobody holds its lock.

Does not know what the lines say.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

from journeyman.errors import StoreError
from journeyman.registry.writing import write_whole
from journeyman.store import Store

WAITING, ROUND = "nightly", "round"  # locks: who waits for the next night, and who goes from tenant to tenant


class Book:
    """The two files."""

    def __init__(self, folder: Path) -> None:
        self.now, self.log = folder / "nightly.json", folder / "nightly.jsonl"

    @classmethod
    def beside(cls, store: Store) -> Self:
        return cls(store.folder)

    def set_now(self, **state: Any) -> None:
        write_whole(self.now, json.dumps({"pid": os.getpid(), **state}) + "\n")

    def read_now(self) -> dict[str, Any] | None:
        """What somebody is doing, or was doing when he died; None: nobody is at anything."""
        try:
            return _line(self.now.read_text(encoding="utf-8"))
        except OSError:
            return None

    def clear(self, whose: int | None = None) -> None:
        """Say that nobody is at anything; `whose`: only if this process had written there last."""
        if whose is None or (self.read_now() or {}).get("pid") == whose:
            self.now.unlink(missing_ok=True)

    def add(self, line: Mapping[str, Any]) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab+") as file:
            torn = file.seek(0, os.SEEK_END) and file.seek(-1, os.SEEK_END) >= 0 and file.read(1) != b"\n"
            file.write(b"\n" * torn + json.dumps(line).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def lines(self) -> list[dict[str, Any]]:
        """Oldest first; what is torn is left out."""
        try:
            text = self.log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        return [line for each in text.splitlines() if (line := _line(each)) is not None]


@contextmanager
def alone(store: Store, purpose: str) -> Iterator[None]:
    """Hold the lock; StoreError if another does. Who only looks (`held`) has it for a moment: that is waited out."""
    with ExitStack() as stack:
        for left in (3, 2, 1, 0):
            try:
                stack.enter_context(store.lock(purpose))
                break
            except StoreError:
                if not left:
                    raise
                time.sleep(0.1)
        yield


def held(store: Store, purpose: str) -> bool:
    """Whether somebody holds the lock."""
    try:
        with store.lock(purpose):
            return False
    except StoreError:
        return True


def _line(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
