"""A gateway in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Served:
    """`journeyman serve`, running; `url` ends in /v1."""

    def __init__(self, store: Path | str, upstream: str | None, *options: str) -> None:
        # Tests count what reaches the engine: they probe it when they mean to.
        behind = ["--upstream", upstream, "--no-probe"] if upstream else []
        command = [sys.executable, "-m", "journeyman", "serve", *behind, "--store", str(store)]
        self.store = store
        self.process = subprocess.Popen(
            [*command, "--port", "0", "--json", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        line = self.process.stdout.readline()
        if '"url"' not in line:
            raise RuntimeError(self.process.communicate()[1])
        self.url: str = json.loads(line)["url"]

    def end(self) -> tuple[int, str]:
        """As Ctrl-C does; its exit code, and what it said."""
        self.process.terminate()
        _, said = self.process.communicate(timeout=30)
        return self.process.returncode, said


@contextmanager
def serving(store: Path | str, upstream: str | None, *options: str) -> Iterator[Served]:
    served = Served(store, upstream, *options)
    try:
        yield served
    finally:
        if served.process.poll() is None:
            served.process.kill()
        served.process.communicate()
