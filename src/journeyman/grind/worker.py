"""The process that an environment lives in: it is told what to run, and says what came of it.

Always holds: what the environment prints goes to stderr, never between our lines; an operation that cannot be done ends
in one line that says so; each target is opened in a child of its own where the system can fork, so that a process which
has imported a library serves many targets, each from the same beginning.

Knows lines of JSON; what is run is in experiments.py. Runs within the environment's own interpreter, and needs nothing
but Python (3.10 or newer).
"""

from __future__ import annotations

import importlib
import json
import os
from contextlib import suppress
from typing import IO, Any

from journeyman.grind.experiments import Workbench
from journeyman.grind.surroundings import Surroundings
from journeyman.grind.trace import raised

CLOSED = 71  # how a child ends that was told to: an environment that ends it has hardly another reason to say this
serving: list[bool] = []  # whether this process is a worker


def main() -> None:
    """Serve the lines on stdin until they end."""
    serving.append(True)
    asked = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    surroundings = Surroundings(**json.loads(asked.readline()))
    surroundings.enter()
    serve(asked, answers, surroundings)


def serve(asked: IO[str], answers: IO[str], surroundings: Surroundings) -> None:
    bench: Workbench | None = None
    me = os.getpid()
    while line := asked.readline():
        request = json.loads(line)
        operation, number = request.pop("do"), request.pop("number")

        def say(what: str, value: Any = True, number: int | None = number, **more: Any) -> None:
            if os.getpid() != me:  # noqa: B023  # the environment has split this process: this is the other one
                os._exit(0)
            answers.write(json.dumps({"number": number, what: value, **more}, ensure_ascii=True) + "\n")
            answers.flush()

        try:
            if operation == "preload":
                for module in request["modules"]:
                    with suppress(Exception):  # opening what needs it says what is wrong with it
                        importlib.import_module(module)
            elif operation == "open":
                if hasattr(os, "fork") and (child := os.fork()):
                    _, status = os.waitpid(child, 0)  # it answers all that is asked of this target
                    code = os.waitstatus_to_exitcode(status)
                    if code != CLOSED:  # whatever was asked of it last
                        say("error", f"its process ended by itself (exit code {code})", number=None)
                    continue
                me = os.getpid()
                bench = Workbench.named(request["name"])
                surroundings.opened()
            elif operation == "close":
                say("end")
                if hasattr(os, "fork"):
                    os._exit(CLOSED)
                bench = None
                continue
            elif bench is None:
                raise RuntimeError("no target is open")
            else:
                for item in getattr(bench, operation)(**request):
                    say("item", item)
            say("end")
        except (Exception, SystemExit) as error:
            say("error", raised(error), kind=type(error).__name__, remedy=getattr(error, "remedy", ""))
