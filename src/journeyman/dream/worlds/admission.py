"""Which tools of an induced world may be trusted: those that do not contradict what was recorded.

Each recorded session is gone through call by call; a tool that gives another answer than the real one loses what was
wrong of it: its refusals, if it refused what worked; otherwise what it does when it does not refuse. What is lost
abstains from then on. A part of the log is kept out of the induction for a first count of what was never seen.

Always holds: in the world that comes out, no tool contradicts more than NOISE of its recorded calls: of less than two
hundred, none.

Knows induced worlds and how to measure them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from math import sqrt
from typing import Any, NamedTuple

from journeyman.dream.worlds.blame import Window, blame, windows
from journeyman.dream.worlds.calls import Recording
from journeyman.dream.worlds.doubts import mended
from journeyman.dream.worlds.fidelity import Measured, measured
from journeyman.dream.worlds.induced import Induced
from journeyman.dream.worlds.induction import Induction
from journeyman.world.outcome import Fault, Outcome

NOISE = 0.005  # of a tool's recorded calls may be contradicted: logs have slips; of fewer than 200, none
_HELD_OUT = 5  # every so many-th session, from the end of the log
_WRONG = 0.05  # of a tool's answers on sessions kept out; if it is surely more, it is not admitted


class Admitted(NamedTuple):
    """`tools`: how each came through: "admitted", "refusals only", "recorded answers only" or "abstains"."""

    induced: Induced
    induction: Induction
    tools: dict[str, str]
    on_path: Measured
    held_out: Measured | None


def admitted(sessions: Sequence[Recording], name: str, hold_out: bool = True) -> Admitted:
    """The world of a log, with nothing in it that the log contradicts."""
    held: Measured | None = None
    doubted: set[str] = set()
    if hold_out and len(sessions) >= 2 * _HELD_OUT:
        cut = len(sessions) - len(sessions) // _HELD_OUT
        first = admitted(sessions[:cut], name, hold_out=False)
        held = measured(first.induced, sessions[cut:], sessions[:cut])
        wrong: Counter[str] = Counter()
        for at, place, outcome in held.contradictions:
            call = sessions[cut + at].calls[place]
            left_behind = call.ok and outcome.ok and call.tool in first.induction.kinds.whole
            wrong[call.tool] += not left_behind  # what others left behind is laid to them below, if it is still so
        for tool, tally in held.tools.items():
            if at_least(wrong[tool], tally.answered) > _WRONG:
                doubted.add(tool)
    induction = Induction(sessions)
    for tool in sorted(doubted & induction.programs.keys()):
        _withdraw(induction, tool)
    while True:
        induced = Induced.of(induction, name)
        found = measured(induced, sessions, sessions)
        often = contradicted(found)
        if not often:
            break
        wrong_of = [each for each in found.contradictions if sessions[each[0]].calls[each[1]].tool in often]
        stale: list[Window] = []
        for at, place, outcome in wrong_of:
            call = sessions[at].calls[place]
            if outcome.ok and call.ok and call.tool in induction.kinds.whole:
                stale += windows(induction.history, induction.programs, at, place)
        if blame(induction.programs, stale):
            continue  # perhaps that was all
        if _mended(induction, [(at, place, outcome) for at, place, outcome in wrong_of if outcome.ok]):
            continue
        silent = {tool for tool, program in induction.programs.items() if program.answer is None}
        for at, place, outcome in wrong_of:
            call = sessions[at].calls[place]
            _withdraw(induction, call.tool, (call.ok and not outcome.ok) or call.tool in silent)
    tools = {tool: _standing(induction, tool) for tool in sorted(induction.programs)}
    return Admitted(induced, induction, tools, found, held)


def at_least(wrong: int, n: int) -> float:
    """The share that is surely wrong: the lower end of Wilson's interval at 95 % (Wilson 1927)."""
    if not n:
        return 0.0
    z, share = 1.96, wrong / n
    middle, width = share + z * z / (2 * n), z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (middle - width) / (1 + z * z / n)


def _mended(induction: Induction, wrong: Sequence[tuple[int, int, Outcome]]) -> bool:
    """Whether what the tools got wrong can be told from what they got right, and is doubted now."""
    calls: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for at, place, _ in wrong:
        calls[induction.history.sessions[at].calls[place].tool].add((at, place))
    found = [
        mended(induction.programs[tool], induction.explainers[tool].conditions, frozenset(places))
        for tool, places in sorted(calls.items())
        if induction.programs[tool].answer is not None
    ]
    return any(found)


def _withdraw(induction: Induction, tool: str, refusals: bool = False) -> None:
    program = induction.programs[tool]
    program.answer, program.unexplained = None, ("what it does: the log contradicts what was thought",)
    changed = dict.fromkeys((*program.forgets, *((effect.target, effect.field) for effect in program.side)))
    program.effects, program.side, program.made, program.doubts, program.forgets = [], [], (), (), tuple(changed)
    if refusals:
        if not program.refusals:
            program.writes = True  # not even recorded answers
        program.refusals = ()


def _standing(induction: Induction, tool: str) -> str:
    program = induction.programs[tool]
    if program.answer is not None:
        return "admitted"
    if program.refusals:
        return "refusals only"
    return "abstains" if program.writes else "recorded answers only"


def contradicted(found: Measured) -> list[str]:
    """Tools that gave another answer than the real ones, more often than logs have slips."""
    return sorted(tool for tool, tally in found.tools.items() if tally.wrong > NOISE * tally.answered)


def broken(found: Measured) -> dict[str, str]:
    """Tools that break, and how: what a person may have mistyped."""
    return {
        outcome.message.split()[0]: outcome.message for _, _, outcome in found.missed if outcome.error == Fault.kind
    }


def card(found: Admitted) -> dict[str, Any]:
    """What is known of a world's fidelity, for people and for whoever decides whether to train in it."""
    held = found.held_out
    return {
        "sessions": len(found.induction.history.sessions),
        "tools": {
            tool: {
                "standing": standing,
                "on_path": found.on_path.tools[tool].to_json(),
                "held_out": held.tools[tool].to_json() if held is not None and tool in held.tools else None,
            }
            for tool, standing in found.tools.items()
        },
        "on_path": found.on_path.to_json(),
        "held_out": None if held is None else held.to_json(),
        "passes": held is not None and held.passes,
    }
