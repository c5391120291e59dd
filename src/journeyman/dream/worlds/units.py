"""Pieces of work in recorded sessions: which calls did what which words of the user asked for.

A session is cut where the user speaks again after something was done. A piece of work is played in the induced world:
what the real tools answered has to be answered there as well, and what it leaves behind is what was wanted. Of its
reads those stay that show what a later call needs and the words do not say.

Always holds: words count as the user's instruction only if each thing that is done has something of its arguments in
them, and everything else that it needs is shown by a read; else the calls are spelled out, as drills are.

Knows recordings and worlds; nothing of what becomes of the pieces.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from journeyman.dream.worlds.calls import Call, Recording, leaves
from journeyman.dream.worlds.fidelity import is_right
from journeyman.dream.worlds.rehearsal import renamed, settled
from journeyman.world import actions
from journeyman.world.drills import spelled
from journeyman.world.outcome import CUTS
from journeyman.world.saying import holds, normal
from journeyman.world.state import State
from journeyman.world.world import Rules, World

FAILED = "the session failed"
UNKNOWN = "the world does not know what happens"
DIFFERS = "the world answers otherwise than the log"
NOTHING = "nothing is changed by it"


class Drop(Exception):
    """No task comes of this, for that reason. `refused`: the call that the world refuses, with its words."""

    def __init__(self, reason: str, refused: tuple[actions.Call, str] | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.refused = refused


class Piece(NamedTuple):
    """The calls from `first` to before `last` of a session, and what its user said about them."""

    first: int
    last: int
    words: str


class Step(NamedTuple):
    """One call, what it answered, and whether it changed anything."""

    call: actions.Call
    answer: Any
    wrote: bool


def pieces(session: Recording, does: Collection[str]) -> list[Piece]:
    """All of the session first, then its parts, if there are several. `does`: tools that do more than look."""

    def done(first: int, last: int) -> bool:
        return any(call.tool in does for call in session.calls[first:last])

    parts: list[Piece] = []
    first, words = 0, list[str]()
    for place, text in session.asked:
        if words and done(first, place):
            parts.append(Piece(first, place, "\n".join(words)))
            first, words = place, []
        words.append(text)
    end = len(session.calls)
    if done(first, end):
        parts.append(Piece(first, end, "\n".join(words)))
    if len(parts) > 1:
        parts.insert(0, Piece(0, parts[-1].last, "\n".join(part.words for part in parts)))
    return parts


def recorded(rules: Rules, start: State, calls: Iterable[Call]) -> list[Step]:
    """The steps that succeeded, in the world's own names for what is new. Drop if it answers otherwise."""
    world, names = World(rules, start), dict[str, str]()
    steps: list[Step] = []
    for call in calls:
        if not call.ok:
            continue
        before = world.state
        asked = actions.Call(call.tool, settled(call.arguments, names))
        outcome = world.call(*asked)
        tool = rules.tools.get(call.tool)
        if outcome.error in CUTS and tool is not None and not tool.writes:
            continue  # whoever looks elsewhere does as well
        if not outcome.ok:
            raise Drop(UNKNOWN if outcome.error in CUTS else DIFFERS)
        new = renamed(outcome.value, call.value, lambda text: is_new(world.state, text))
        if not is_right(outcome, call, new):
            raise Drop(DIFFERS)
        names |= {real: mine for mine, real in new.items()}
        steps.append(Step(asked, outcome.value, world.state.digest != before.digest))
    return steps


def acted(rules: Rules, start: State, calls: Iterable[actions.Call]) -> list[Step]:
    """The same calls for others. Drop if one of them does not succeed."""
    world = World(rules, start)
    steps: list[Step] = []
    for call in calls:
        before = world.state
        outcome = world.call(*call)
        if not outcome.ok:
            cut = outcome.error in CUTS
            raise Drop(UNKNOWN if cut else "it is refused", None if cut else (call, outcome.message))
        steps.append(Step(call, outcome.value, world.state.digest != before.digest))
    return steps


def is_new(state: State, text: str) -> bool:
    """Whether the world has made this up, as a name for something new."""
    return any(text.startswith(f"{kind}-") for kind in state.counters)


def told(steps: Sequence[Step], words: str) -> tuple[str, list[actions.Call]]:
    """An instruction, and the calls that follow it: the user's words where they tell enough, else the calls' own."""
    plain = normal(words)
    wanted: set[str] = set()
    kept: list[actions.Call] = []
    enough = bool(words.strip())
    for step in reversed(steps):
        shown = wanted & {*leaves(step.answer), *scalars(step.answer)}
        if not (step.wrote or shown):
            continue
        parts = set(scalars(step.call.args))
        unsaid = {part for part in parts if not holds(plain, part)}
        if step.wrote and parts and parts == unsaid:
            enough = False
        wanted = (wanted - shown) | unsaid
        kept.append(step.call)
    if enough and not wanted:
        return words, kept[::-1]
    writes = [step.call for step in steps if step.wrote]
    return spelled(writes), writes


def scalars(value: Any) -> Iterator[str]:
    """Strings and numbers in a JSON value, as text; no names of fields."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from scalars(each)
    elif isinstance(value, str):
        if value.strip():
            yield value
    elif value is not None and not isinstance(value, bool):
        yield str(value)
