"""What runs in the sandbox: a world of which nobody knows what it does is shown a log. Started by `sandbox.replayed`.

Always holds: all that is needed is loaded, and all limits are set, before the first line of the world is run; from then
on whatever reaches outside ends the process at once.

Knows what it is told on stdin; says one line of JSON on stdout.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from journeyman.dream.worlds.calls import Call
    from journeyman.dream.worlds.induced import Induced

# Of reading a text as Python and running it, which is what all this is for; and of looking at one's own frames.
_HARMLESS = frozenset(
    "compile exec builtins.id sys._getframe object.__getattr__ object.__setattr__ code.__new__".split()
)
_TRIED = 8  # recorded calls that are tried with each argument otherwise
_ODD: dict[type, tuple[Any, ...]] = {
    int: (0, -1, 10**10, 10**18),
    float: (0.0, -1.0, 1e10, 1e18),
    str: ("", "x" * 10_000, "9" * 200),
    list: ([],),
}


def main() -> None:
    asked = json.loads(sys.stdin.buffer.read())
    sys.path[:] = asked["path"]
    out = os.dup(1)
    for number in (0, 1, 2):
        os.close(number)
    replay(asked, out)


def replay(asked: dict[str, Any], out: int) -> None:
    from journeyman.dream.worlds import book
    from journeyman.dream.worlds.calls import Call, Recording
    from journeyman.dream.worlds.fidelity import measured
    from journeyman.dream.worlds.history import History
    from journeyman.dream.worlds.induced import Induced
    from journeyman.dream.worlds.kinds import Kinds
    from journeyman.errors import JourneymanError
    from journeyman.world.outcome import CUTS

    def said(value: dict[str, Any]) -> None:
        text = json.dumps(value).encode()
        while text:
            text = text[os.write(out, text) :]

    sessions = [
        Recording(
            id, tuple(Call(*call) for call in calls), tuple(map(tuple, words)), score, tuple(map(tuple, users)), *rest
        )
        for id, calls, words, score, users, *rest in asked["sessions"]
    ]
    history = History(sessions, Kinds(sessions))

    _warm()
    _limit(asked["seconds"], asked["memory"])

    def end(why: str) -> NoReturn:
        said({"why": why})
        os._exit(3)

    def guard(event: str, _arguments: tuple[Any, ...]) -> None:
        if event not in _HARMLESS:
            end(f"it reached outside its world: {event}")

    sys.addaudithook(guard)
    try:
        made = Induced(*book.rules(book.module(asked["source"], asked["name"]), asked["name"]), history, "")
        made.loose = {tool: {(kind, field) for kind, field in each} for tool, each in asked["loose"].items()}
        found = measured(made, sessions, sessions)
        if _explodes(made, [call for each in sessions for call in each.calls if call.tool == asked["tool"]]):
            raise MemoryError
    except MemoryError:
        end("it took too much memory")
    except JourneymanError as error:
        end(error.message)
    except BaseException as error:
        end(f"it cannot be read as a world: {type(error).__name__}: {error}"[:300])
    misses: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
    for at, place, outcome in found.missed:
        told = "abstain" if outcome.error in CUTS else json.dumps(outcome.value) if outcome.ok else outcome.message
        misses[sessions[at].calls[place].tool].append((at, place, told[:2000]))
    said(
        {
            "calls": {tool: tally.n for tool, tally in found.tools.items()},
            "answered": {tool: tally.answered for tool, tally in found.tools.items()},
            "exact": {tool: tally.exact for tool, tally in found.tools.items()},
            "misses": misses,
        }
    )
    os._exit(0)


def _explodes(made: Induced, calls: Sequence[Call]) -> bool:
    """Whether calls of the tool as no log has them, but as somebody may try them, take all memory; what takes all the
    time does not come back from here."""
    broke = False
    for call in calls[:_TRIED]:
        for name, value in call.arguments.items():
            for odd in _ODD.get(type(value), ()):
                made.world.restore(made.start)
                outcome = made.world.call(call.tool, {**call.arguments, name: odd})
                broke |= outcome.message.endswith(MemoryError.__name__)
    made.world.restore(made.start)
    return broke


def _warm() -> None:
    """Load what a replay loads only when it is first needed: later, that would be reaching outside."""
    from journeyman.dream.worlds.admission import admitted
    from journeyman.dream.worlds.calls import Call, Recording

    calls = [Call("look", {"id": f"A-{n}"}, True, {"id": f"A-{n}", "state": "new"}) for n in range(3)]
    calls += [Call("look", {"id": "B-1"}, False, "no such thing")]
    admitted([Recording(str(n), tuple(calls)) for n in range(3)], "warm", hold_out=False)


def _limit(seconds: int, memory: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = int(used.ru_utime + used.ru_stime) + 1
    for what, most in (
        (resource.RLIMIT_CPU, spent + seconds),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 16),
        (resource.RLIMIT_NPROC, 0),
    ):
        _, hard = resource.getrlimit(what)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))


if __name__ == "__main__":
    main()
