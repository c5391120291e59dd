"""What a night may spend: time, CPU and memory; and whether it was asked to end.

Always holds: a night ends between two phases, with all that it has done committed, so that it can be gone on with; a
phase that was begun is finished, whatever it takes, so that each night gets on; only memory is a wall.

Does not know what the phases are.
"""

from __future__ import annotations

import math
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from journeyman.errors import Interrupted

Progress = Callable[[str, float], None]
Spent = Literal["", "request", "time", "cpu"]
_WORDS = {"request": "it was asked to end", "time": "its time is spent", "cpu": "its CPU time is spent"}


@dataclass
class Budget:
    """until: the last moment at which a phase may begin, by `clock`; cpu: seconds of this process, from now on, on all
    cores; memory: bytes; asked: somebody wants it to end."""

    until: float = math.inf
    cpu: float = math.inf
    memory: int | None = None
    clock: Callable[[], float] = time.time
    asked: bool = False
    cpu_before: float = field(default_factory=time.process_time)

    def spent(self) -> Spent:
        """What is spent; "": nothing yet."""
        if self.asked:
            return "request"
        if self.clock() >= self.until:
            return "time"
        return "cpu" if time.process_time() - self.cpu_before >= self.cpu else ""

    def between_phases(self, report: Progress) -> Progress:
        """The same, which raises Interrupted before a phase that may not begin any more."""
        under_way = ""

        def each(phase: str, share: float) -> None:
            nonlocal under_way
            if phase != under_way and (why := self.spent()):
                raise Interrupted(
                    f"the night stopped before the phase {phase!r}: {_WORDS[why]}", "the next night goes on from there"
                )
            under_way = phase
            report(phase, share)

        return each

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Within it, Ctrl-C and SIGTERM ask for the end, and once more means at once."""

        def hear(*_: object) -> None:
            if self.asked:
                raise KeyboardInterrupt
            self.asked = True
            print("the phase under way is finished first; once more ends it at once", file=sys.stderr, flush=True)

        if threading.current_thread() is not threading.main_thread():  # whoever called us there handles signals
            yield
            return
        before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def walled(self) -> Iterator[None]:
        """Within it memory is limited, by RLIMIT_DATA: what a process has for itself, however it was asked for (Linux).
        Shared files, such as weights that are mapped, do not count. An allocation fails, which most code survives as an
        error; a library that does not (OpenBLAS, as it loads) ends the process, as a kill would."""
        if self.memory is None:
            yield
            return
        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        wall = self.memory if hard == resource.RLIM_INFINITY else min(self.memory, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (wall, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
