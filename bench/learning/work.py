"""What a kind of work gives the arms to learn from, and what they are measured on.

Always holds: no probe's prompt is a case's prompt; all arms see the same cases in the same order; whether a reply is
right is decided by a program.

Knows token ids and replies; the kinds themselves are `facts`, `coffee` and `form`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from journeyman.model import Ids
from journeyman.records import Situation

Shard = Literal["select", "report"]


@dataclass(frozen=True)
class Case:
    """One prompt to learn from.

    shown: what the veteran sees, its lesson first; placebo: the same with a lesson that does not belong there; proven:
    the response that the sessions vouch for, to its end; reward: of a reply, from 0 to 1.
    """

    prompt: Ids
    shown: Ids
    placebo: Ids
    proven: Ids
    reward: Callable[[str], float]


@dataclass(frozen=True)
class Probe:
    """One prompt to measure with; `shown` has the lesson in it, for the arm that does not train; `about`: what it has
    in common with others, which are then no independent items."""

    prompt: Ids
    shown: Ids
    right: Callable[[str], bool]
    about: str = ""


@dataclass(frozen=True)
class Rated:
    """A decision that a person found good or bad."""

    prompt: Ids
    response: Ids
    good: bool


@dataclass(frozen=True)
class Work:
    """outside: prompts where nothing that was learnt applies; there `right` says that it was applied nevertheless;
    further: more probes, of another kind; transcripts: what a session really holds, as (prompt, response); near:
    prompts like the cases' that nothing in the sessions answers, none of them in `outside`."""

    name: str
    cases: Sequence[Case]
    transcripts: Sequence[tuple[Ids, Ids]]
    probes: Sequence[Probe]
    outside: Sequence[Probe]
    reply_tokens: int
    further: Sequence[Probe] = ()
    rated: Sequence[Rated] = ()
    near: Sequence[Situation] = ()
