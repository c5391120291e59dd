"""Where experiments run: a process with surroundings of its own, or, for what has no name, this very process.

Always holds: a process is ended, with all that it started, when its lab is closed or a time limit passes; what came
before the limit is kept; an environment that dies or hangs costs its lab a check, and never the measurement.

Knows how to ask a worker; nothing of what the answers mean.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from journeyman.errors import InputError, JourneymanError, MissingExtraError, UsageError
from journeyman.grind.experiments import Workbench
from journeyman.grind.surroundings import REFERENCE, Surroundings
from journeyman.grind.target import Target
from journeyman.grind.trace import raised

IMPORT = 120.0  # seconds that a library may take to be imported
GRACE = 2.0  # seconds beyond an operation's own limit, for what is under way to end

# This package alone becomes importable in the other interpreter: not what else is installed beside it.
_BEGIN = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("journeyman", {file!r}, submodule_search_locations=[{directory!r}])
sys.modules["journeyman"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
from journeyman.grind.worker import main
main()
"""


class LabError(Exception):
    """An experiment could not be done. The message says why; it becomes evidence, or an error of the user's."""

    def __init__(self, why: str, kind: str = "", remedy: str = "") -> None:
        super().__init__(why)
        self.kind = kind
        self.remedy = remedy

    def for_user(self, target: str) -> JourneymanError:
        """The same where nothing can be measured at all."""
        message = str(self).partition(": ")[2] if self.remedy else f"{target} cannot be measured: {self}"
        errors = {"UsageError": UsageError, "MissingExtraError": MissingExtraError}
        return errors.get(self.kind, InputError)(
            message, self.remedy or "run its factory by itself; or name the Python that has it: --python PATH"
        )


class Lab:
    """A process, begun when it is first needed. One target is open at a time."""

    def __init__(
        self,
        surroundings: Surroundings = REFERENCE,
        python: str | os.PathLike[str] | None = None,
        preload: Sequence[str] = (),
    ) -> None:
        self.surroundings = surroundings
        self.python = str(python or sys.executable)
        self.preload = list(preload)
        self.target: str | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._preloading = False
        self._pending = b""
        self._number = 0  # of the request: answers to an earlier one, that nobody waits for, are passed over

    def begin(self) -> None:
        """Start the process, if there is none; what it imports, it imports while this one goes on."""
        if self._process is not None:
            return
        init = Path(__file__).resolve().parents[1] / "__init__.py"
        code = _BEGIN.format(file=str(init), directory=str(init.parent))
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # open as long as the process
        try:
            self._process = subprocess.Popen(
                [self.python, "-c", code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=self.surroundings.variables(),
                start_new_session=True,
            )
        except OSError as error:
            raise UsageError(
                f"{self.python} cannot be started: {error.strerror}", "name a Python: --python PATH"
            ) from error
        self._pending = b""
        self._write(asdict(self.surroundings))
        if self.preload:
            self._send({"do": "preload", "modules": self.preload})
        self._preloading = bool(self.preload)

    def open(self, target: str, seconds: float) -> float:
        """Seconds that went into importing a library, once for all targets. LabError if it cannot be opened."""
        self.begin()
        began = time.monotonic()
        if self._preloading:
            self._preloading = False
            list(self._answers(began + IMPORT))
        imported = time.monotonic()
        if self.target is not None:
            self.leave()
        self.begin()
        self.target = target
        try:
            self._send({"do": "open", "name": target})
            list(self._answers(imported + seconds))
        except LabError:
            self.leave()  # what could not be opened is not open: the next target is
            raise
        return imported - began

    def run(self, operation: str, limit: float, **request: Any) -> Iterator[Any]:
        """What an operation of the workbench yields. LabError when `limit` seconds, and a grace, have passed."""
        if self._process is None:
            raise LabError("the environment's process has ended")
        self._send({"do": operation, **request})
        yield from self._answers(time.monotonic() + limit + GRACE)

    def leave(self) -> None:
        """Close the target; the process stays for the next one."""
        if self._process is not None and self.target is not None:
            with suppress(LabError):
                self._send({"do": "close"})
                list(self._answers(time.monotonic() + 5))
        self.target = None

    def close(self) -> None:
        process, self._process, self.target = self._process, None, None
        if process is None:
            return
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            with suppress(OSError):
                pipe.close()
        self._errors.close()

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, request: dict[str, Any]) -> None:
        self._number += 1
        self._write({"number": self._number, **request})

    def _write(self, line: dict[str, Any]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(line).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise LabError(self._last_words()) from None

    def _answers(self, ends: float) -> Iterator[Any]:
        while True:
            line = self._line(ends)
            if line is None:
                self.close()
                raise LabError("it did not answer in time", "Timeout")
            answer = json.loads(line)
            if answer["number"] not in (self._number, None):
                continue
            if "item" in answer:
                yield answer["item"]
            elif "error" in answer:
                if answer["number"] is None:
                    self.target = None
                raise LabError(answer["error"], answer.get("kind", ""), answer.get("remedy", ""))
            else:
                return

    def _line(self, ends: float) -> bytes | None:
        """The next line, or None when the time is over."""
        assert self._process is not None
        assert self._process.stdout is not None
        if b"\n" not in self._pending:
            with selectors.DefaultSelector() as ready:
                ready.register(self._process.stdout, selectors.EVENT_READ)
                while b"\n" not in self._pending:
                    if not ready.select(max(0.0, ends - time.monotonic())):
                        return None
                    read = os.read(self._process.stdout.fileno(), 1 << 20)
                    if not read:
                        raise LabError(self._last_words())
                    self._pending += read
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def _last_words(self) -> str:
        self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, self._errors.tell() - 4000))
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        self.close()
        return f"its process ended: {lines[-1].strip()}" if lines else "its process ended"


class Here:
    """A lab within this process, for an environment that no other process can make. It knows no time limit of its own
    and has no surroundings but ours."""

    surroundings = REFERENCE

    def __init__(self, target: Target) -> None:
        self.bench = Workbench(target)
        self.target: str | None = target.name

    def begin(self) -> None:
        pass

    def open(self, target: str, seconds: float) -> float:  # noqa: ARG002  # as a Lab's
        return 0.0

    def run(self, operation: str, limit: float, **request: Any) -> Iterator[Any]:  # noqa: ARG002
        try:
            for item in getattr(self.bench, operation)(**request):
                yield json.loads(json.dumps(item))  # as it would come from another process
        except (Exception, SystemExit) as error:
            raise LabError(raised(error)) from error

    def leave(self) -> None:
        pass

    def close(self) -> None:
        pass
