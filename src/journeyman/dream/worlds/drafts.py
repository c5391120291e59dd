"""A task that is not one yet: what is asked for, the calls that do it, and where both came from.

Always holds: the words of a draft are the user's, or the calls spelled out, and it says which.

Knows pieces of work; nothing of which drafts there are, nor of whether one may stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from journeyman.dream.worlds.reentry import Exchange
from journeyman.dream.worlds.rehearsal import settled
from journeyman.dream.worlds.units import NOTHING, Drop, Piece, Step, told
from journeyman.world.actions import Action, Call
from journeyman.world.admission import Finding
from journeyman.world.mutants import play
from journeyman.world.state import State
from journeyman.world.suite import Suite
from journeyman.world.task import Forbidden, Task
from journeyman.world.user import Recorded


class Origin(NamedTuple):
    """Calls `first` to before `last` of a session; whose state it starts in, after how many calls; what took the place
    of what; whether the words are the user's, or the calls spelled out; for a near miss, the session of what is to be
    done instead."""

    session: str
    first: int
    last: int
    how: str
    start: str
    place: int
    words: str
    instead: tuple[str, str] = ("", "")
    beside: str = ""

    @property
    def sessions(self) -> tuple[str, ...]:
        """All that had a part in it."""
        return tuple(dict.fromkeys(filter(None, (self.session, self.start, self.beside))))


class Work(NamedTuple):
    """What can be asked for in a state: `words` of the user, or none where they do not tell enough."""

    words: str
    steps: Sequence[Step]
    start: State


class Draft(NamedTuple):
    """`refused`: what must not be tried; `unwanted`: calls that were asked for, and taken back; `user`: who tells
    the rest, where the instruction is not all."""

    instruction: str
    oracle: Sequence[Action]
    work: Work
    origin: Origin
    refused: tuple[Call, Forbidden] | None = None
    unwanted: Sequence[Call] = ()
    user: Recorded | None = None


def acting(suite: Suite, task: Task, calls: Sequence[Call]) -> Finding:
    """Doing what is refused, or is not wanted any more, is not paid: by itself, before the rest or after it."""
    tried = ([*calls], [*calls, *task.oracle], [*task.oracle, *calls])
    scores = [play(suite, task, actions).score for actions in tried]
    low = sum(score <= 0 for score in scores)
    return Finding("acting", low == len(scores), low, len(scores))


def drafted(words: str, steps: Sequence[Step], start: State, origin: Origin) -> Draft:
    if not any(step.wrote for step in steps):
        raise Drop(NOTHING)
    instruction, oracle = told(steps, words)
    theirs = bool(words) and instruction == words
    origin = origin._replace(words="user" if theirs else "spelled")
    return Draft(instruction, oracle, Work(words if theirs else "", steps, start), origin)


def exchanged(work: Work, found: Exchange) -> list[Call]:
    return [Call(step.call.tool, settled(dict(step.call.args), found.names)) for step in work.steps]


def alone(piece: Piece, done: Sequence[int]) -> bool:
    """Whether it is about one call alone."""
    return sum(piece.first <= place < piece.last for place in done) == 1


def if_so(text: str) -> str:
    return f"If nothing stands against it, {text[:1].lower()}{text[1:]}"
