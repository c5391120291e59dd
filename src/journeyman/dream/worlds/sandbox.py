"""A process of its own in which a world is tried that nobody has read yet: the whole replay of a log.

    trial = replayed(source, "shop", recordings)
    trial.wrong("cancel_order"), trial.exact["cancel_order"]

Always holds: the process is this Python, isolated (`-I`), with an empty environment and no file of ours open; before a
line of the world runs, what may be had of CPU time and memory is limited, files cannot be written, and whatever reaches
for a file, a socket, a process, a module that is not there yet or foreign code (CPython's audit events; PEP 578) ends
it. Who takes too long is killed with all that it started. What comes back is JSON, and is checked.

Knows processes and recordings. It keeps what goes wrong from us; that what is tried does not set out to deceive is for
`vetting` to see, which reads it before.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from journeyman.dream.worlds.calls import Recording

SECONDS, MEMORY = 60, 2 << 30  # of CPU time; bytes of address space
_CHILD = Path(__file__).with_name("trial.py")
_LINE = 64 << 20  # bytes of an answer
_ENDED = {signal.SIGXCPU: "it took too long", signal.SIGKILL: "it took too long, or too much memory"}


class Miss(NamedTuple):
    """A call that was answered wrongly, or not: its session and place; what the world said ("abstain": nothing)."""

    session: int
    place: int
    said: str


class Trial(NamedTuple):
    """By tool: its calls, how many were answered, and exactly, and what was not; `why`: why there is no such thing."""

    why: str = ""
    calls: Mapping[str, int] = {}
    answered: Mapping[str, int] = {}
    exact: Mapping[str, int] = {}
    misses: Mapping[str, Sequence[Miss]] = {}

    def wrong(self, tool: str) -> int:
        return self.answered.get(tool, 0) - self.exact.get(tool, 0)


def replayed(
    source: str,
    name: str,
    sessions: Sequence[Recording],
    loose: Mapping[str, Sequence[tuple[str, str]]] | None = None,
    tool: str = "",
    *,
    seconds: float = SECONDS,
    memory: int = MEMORY,
) -> Trial:
    """What the world in this file answers to all calls of the log, in its own process. `loose`: of `Induced`; `tool`:
    one that is called with odd arguments, too, to see whether it ends."""
    asked = {
        "path": [each for each in sys.path if each],
        "source": source,
        "name": name,
        "tool": tool,
        "loose": {tool: [list(each) for each in fields] for tool, fields in (loose or {}).items()},
        "sessions": sessions,
        "seconds": max(1, round(seconds)),
        "memory": memory,
    }
    with tempfile.TemporaryDirectory() as nowhere:
        process = subprocess.Popen(
            [sys.executable, "-I", "-B", str(_CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=nowhere,
            env={"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"},
            start_new_session=True,
            close_fds=True,
        )
        try:
            answer, _ = process.communicate(json.dumps(asked).encode(), timeout=2 * seconds + 10)
        except subprocess.TimeoutExpired:
            return Trial("it took too long")
        finally:
            _end(process)
    return _read(answer, process.returncode)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill it, and all that is in its session."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()


def _read(answer: bytes, code: int) -> Trial:
    try:
        found: Any = json.loads(answer[:_LINE])
        if why := found.get("why"):
            return Trial(str(why)[:300])
        counts = {
            name: {str(tool): int(count) for tool, count in found[name].items()}
            for name in ("calls", "answered", "exact")
        }
        misses = {
            str(tool): [Miss(int(at), int(place), str(said)) for at, place, said in each]
            for tool, each in found["misses"].items()
        }
        return Trial("", counts["calls"], counts["answered"], counts["exact"], misses)
    except (ValueError, KeyError, TypeError, AttributeError):
        ended = _ENDED.get(signal.Signals(-code)) if code < 0 and -code in signal.valid_signals() else None
        return Trial(ended or "it ended its process, or said what nobody understands")
