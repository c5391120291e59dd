"""Power cuts for nights: a process that is killed (kill -9) as it says that it begins something.

Always holds: what it had written until then stays as it was; nothing of this process runs on in it.

Knows processes; not what they do.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

Progress = Callable[[str, float], None]


def killed_in(phase: str, work: Callable[[Progress], Any]) -> bool:
    """Do `work` in a fork of this process, which is killed as it says that it begins `phase`; whether it came so far.

    A fork, so that it need not import everything anew, which takes longer than a short night. The process that forks
    has to have one thread.
    """
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with os.fdopen(writes, "w") as said:
                work(lambda name, _share: print(name, file=said, flush=True))
        finally:
            os._exit(1)
    os.close(writes)
    came = False
    with os.fdopen(reads) as said:
        for line in said:
            if phase in line:
                came = True
                os.kill(child, signal.SIGKILL)
                break
    os.waitpid(child, 0)
    return came
