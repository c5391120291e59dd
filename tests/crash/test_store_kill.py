"""kill -9 loses nothing that a method of the store has returned from, and frees the lock."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from journeyman.errors import StoreError
from journeyman.store import open_store

# Prints the name of everything it has committed, until it is killed.
WRITER = """
import itertools, sys
from journeyman.records import Session, Turn
from journeyman.store import open_store
with open_store(sys.argv[1]) as store, store.lock("night"):
    store.begin_night("n1", {})
    for n in itertools.count():
        sessions = [Session((Turn("user", f"{n} {part} " + "word " * 200),)) for part in range(3)]
        store.add_sessions(sessions)
        print("sessions", *(session.id for session in sessions), flush=True)
        store.commit_phase("n1", f"phase-{n}", {"n": n, "text": "word " * 200}, 1.0, 1.0, n)
        print("phase", n, flush=True)
"""


@pytest.mark.parametrize("lines", [1, 2, 25, 120])
def test_what_was_committed_survives_kill_9(address: str, lines: int) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", WRITER, address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as writer:
        assert writer.stdout
        told = [writer.stdout.readline() for _ in range(lines)]
        with (
            open_store(address) as store,
            pytest.raises(StoreError, match=f"pid {writer.pid}"),
            store.lock("night"),
        ):
            pytest.fail("two nights at once")
        writer.kill()
        told += writer.stdout.readlines()
    assert writer.returncode == -9
    words = [line.split() for line in told if line.endswith("\n")]
    sessions = [name for kind, *names in words if kind == "sessions" for name in names]
    phases = [f"phase-{names[0]}" for kind, *names in words if kind == "phase"]
    assert len(words) >= lines

    with open_store(address) as store:
        kept = [session.id for session in store.sessions()]
        assert kept[: len(sessions)] == sessions
        assert len(kept) - len(sessions) in (0, 3), "a call is kept whole or not at all"
        committed = store.phases("n1")
        assert list(committed)[: len(phases)] == phases
        assert [phase.output["n"] for phase in committed.values()] == list(range(len(committed)))
        with store.lock("night"):
            store.commit_phase("n1", "the next", {}, 1.0, 1.0, 0)
            store.finish_night("n1", {})
    if Path(address).exists():
        assert apsw.Connection(address).pragma("integrity_check") == "ok"
