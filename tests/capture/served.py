"""A gateway in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
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
        self.log = Path(tempfile.mkstemp(suffix=".log")[1])  # a file: nobody reads along
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*command, "--port", "0", "--json", *options], stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self.process.stdout
        line = self.process.stdout.readline()
        if '"url"' not in line:
            self.process.wait()
            raise RuntimeError(self.log.read_text())
        self.url: str = json.loads(line)["url"]

    def end(self) -> tuple[int, str]:
        """As Ctrl-C does; its exit code, and what it said."""
        self.process.terminate()
        self.process.communicate(timeout=30)
        return self.process.returncode, self.log.read_text()


@contextmanager
def serving(store: Path | str, upstream: str | None, *options: str) -> Iterator[Served]:
    served = Served(store, upstream, *options)
    try:
        yield served
    finally:
        if served.process.poll() is None:
            served.process.kill()
        served.process.communicate()
        served.log.unlink()
