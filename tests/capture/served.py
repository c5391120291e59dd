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

    def __init__(self, store: Path, upstream: str, *options: str) -> None:
        command = [sys.executable, "-m", "journeyman", "serve", "--upstream", upstream, "--store", str(store)]
        self.store, self.log = store, store.with_suffix(".log")  # a file: nobody reads along
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
def serving(store: Path, upstream: str, *options: str) -> Iterator[Served]:
    served = Served(store, upstream, *options)
    try:
        yield served
    finally:
        if served.process.poll() is None:
            served.process.kill()
        served.process.communicate()
