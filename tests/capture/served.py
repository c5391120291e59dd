"""A gateway in a process of its own, forked from one that has loaded what gateways need, so that it starts at once."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from journeyman.cli import main

_FORKING = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload(
    [
        *("journeyman.cli.serving", "journeyman.capture.gateway", "aiohttp", "redact_secret", "datafog_core"),
        # What the model in this process needs, which takes longer to import than all that a test then does with it.
        *("journeyman.serving.embedded", "transformers.models.auto.modeling_auto", "llguidance"),
        *("transformers.models.llama.modeling_llama", "transformers.models.auto.tokenization_auto"),
        *("uvicorn", "uvicorn.lifespan.on", "uvicorn.loops.auto", "uvicorn.protocols.http.auto", "psycopg"),
        "pytest",  # a new process runs the script that began this one
    ]
)


class Served:
    """`journeyman serve`, running; `url` ends in /v1."""

    def __init__(self, store: Path | str, upstream: str | None, *options: str) -> None:
        # Tests count what reaches the engine: they probe it when they mean to.
        behind = ["--upstream", upstream, "--no-probe"] if upstream else []
        words = ["serve", *behind, "--store", str(store), "--port", "0", "--json", *options]
        self.store = store
        self.log = Path(tempfile.mkstemp(suffix=".log")[1])  # a file: nobody reads along
        self._said, saying = _FORKING.Pipe(duplex=False)
        self.process = _FORKING.Process(target=_serve, args=(words, dict(os.environ), saying, self.log), daemon=True)
        self.process.start()
        saying.close()
        with open(self._said.fileno(), closefd=False) as said:
            line = said.readline()
        if '"url"' not in line:
            self.process.join()
            raise RuntimeError(self.log.read_text())
        self.url: str = json.loads(line)["url"]

    def end(self) -> tuple[int | None, str]:
        """As Ctrl-C does; its exit code, and what it said."""
        self.process.terminate()
        self.process.join(30)
        return self.process.exitcode, self.log.read_text()

    def kill(self) -> None:
        """As kill -9 does."""
        self.process.kill()
        self.process.join()


def _serve(words: list[str], environment: Mapping[str, str], saying: Connection, log: Path) -> None:
    """In the new process: the command, with its streams where a shell would have put them."""
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(saying.fileno(), 1)
    with log.open("w") as file:
        os.dup2(file.fileno(), 2)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
    sys.exit(main(words))


@contextmanager
def serving(store: Path | str, upstream: str | None, *options: str) -> Iterator[Served]:
    served = Served(store, upstream, *options)
    try:
        yield served
    finally:
        served.kill()
        served.log.unlink()
