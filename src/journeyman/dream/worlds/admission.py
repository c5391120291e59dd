"""Which tools of an induced world may be trusted: those that do not contradict what was recorded.

Each recorded session is gone through call by call; a tool that gives another answer than the real one loses what was
wrong of it: its refusals, if it refused what worked; otherwise what it does when it does not refuse. What is lost
abstains from then on. A part of the log is kept out of the induction for a first count of what was never seen.

Always holds: in the world that comes out, no tool contradicts more than NOISE of its recorded calls: of less than two
hundred, none.

Knows induced worlds and how to measure them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from journeyman.dream.worlds.calls import Recording
from journeyman.dream.worlds.fidelity import Measured, measured
from journeyman.dream.worlds.induced import Induced
from journeyman.dream.worlds.induction import Induction

NOISE = 0.005  # of a tool's recorded calls may be contradicted: logs have slips; of fewer than 200, none
_HELD_OUT = 5  # every so many-th session, from the end of the log
_WRONG = 0.05  # of a tool's answers on sessions kept out; more, and it is not admitted
_ANSWERS = 5


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
        for tool, tally in held.tools.items():
            if tally.answered >= _ANSWERS and tally.answered - tally.exact > _WRONG * tally.answered:
                doubted.add(tool)
    induction = Induction(sessions)
    for tool in sorted(doubted & induction.programs.keys()):
        _withdraw(induction, tool)
    while True:
        induced = Induced.of(induction, name)
        found = measured(induced, sessions, sessions)
        often = {tool for tool, tally in found.tools.items() if tally.answered - tally.exact > NOISE * tally.answered}
        wrong = {(tool, says != "ok" and truth == "ok") for tool, truth, says in found.wrong if tool in often}
        if not wrong:
            break
        for tool, refused in sorted(wrong):
            _withdraw(induction, tool, refusals=refused or induction.programs[tool].answer is None)
    tools = {tool: _standing(induction, tool) for tool in sorted(induction.programs)}
    return Admitted(induced, induction, tools, found, held)


def _withdraw(induction: Induction, tool: str, refusals: bool = False) -> None:
    program = induction.programs[tool]
    program.answer, program.unexplained = None, ("what it does: the log contradicts what was thought",)
    program.effects, program.side, program.made, program.doubts, program.forgets = [], [], (), (), ()
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
    """Tools that gave another answer than the real ones."""
    return sorted({tool for tool, _, _ in found.wrong})


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
