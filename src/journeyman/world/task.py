"""A task: what is asked, where it starts, one way to do it, and what will tell that it was done.

All from one spec. Who writes a task gives the instruction and an oracle (the calls that solve it); the expected changes
are those that the oracle makes when it is run, so that instruction, start, oracle and verifier cannot drift apart.

    task = Task.derive(rules, "move-1", "Move the review to Friday at ten.", start,
                       [Call("move_event", {"event": "E-4", "start": "2026-03-06 10:00"})])

Always holds: a task expects a change or a fact, so that doing nothing never solves it; rows that are made are expected
by what they say, never by the ids the world gave them, so that the order of equal work does not matter.

Knows states and calls; nothing of episodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from journeyman.errors import WorldError
from journeyman.world.actions import Action, Call
from journeyman.world.saying import Fact
from journeyman.world.state import State
from journeyman.world.tables import Change, Table
from journeyman.world.user import UserSim
from journeyman.world.world import Rules, World


class Made(NamedTuple):
    """Stands for the key of a row that an episode makes: that of expectation number `at`."""

    at: int


class Wording(NamedTuple):
    """Stands for free words: they have to hold these facts."""

    facts: tuple[Fact, ...]


class Expected(NamedTuple):
    """One change that has to be there. `key` is None for a row that is made; `values` are the columns that matter:
    all of a made row's, and those that change in one that was there."""

    table: str
    key: str | None
    gone: bool
    values: tuple[tuple[str, Any], ...]


class Allowed(NamedTuple):
    """Changes that may be there: of these columns in rows of this table (of this key, if there is one), or, where
    `columns` is empty, rows that are made in it."""

    table: str
    columns: tuple[str, ...] = ()
    key: str | None = None


class Forbidden(NamedTuple):
    """Something that must not be done, even in vain: calling this tool with these arguments, or saying this."""

    tool: str = ""
    args: tuple[tuple[str, Any], ...] = ()
    said: Fact | None = None
    why: str = ""


@dataclass(frozen=True)
class Task:
    """`say` has to be told to the user; `limit` is how many actions an episode may take."""

    id: str
    instruction: str
    start: State
    oracle: tuple[Action, ...]
    expect: tuple[Expected, ...]
    say: tuple[Fact, ...] = ()
    allow: tuple[Allowed, ...] = ()
    forbid: tuple[Forbidden, ...] = ()
    user: UserSim | None = None
    limit: int = 30
    family: str = ""

    def __post_init__(self) -> None:
        if not self.expect and not self.say:
            raise WorldError(
                f"task {self.id} would pay an agent that does nothing",
                "let it expect a change or something to be said",
            )

    @classmethod
    def derive(
        cls,
        rules: Rules,
        id: str,
        instruction: str,
        start: State,
        oracle: Sequence[Action],
        *,
        wording: Mapping[tuple[str, str], Iterable[Fact]] | None = None,
        **rest: Any,
    ) -> Task:
        """A task that expects what its oracle does. `wording` has the facts that free words must hold, by table and
        column; `rest` goes into the task. WorldError if a call of the oracle fails."""
        start = start.as_start()
        world = World(rules, start)
        for action in oracle:
            if isinstance(action, Call):
                outcome = world.call(action.tool, action.args)
                if not outcome.ok:
                    raise WorldError(
                        f"task {id}: its oracle fails at {action.tool}: {outcome.message}", "correct the oracle"
                    )
        facts = {at: tuple(each) for at, each in (wording or {}).items()}
        expect = expectations(rules.tables, world.state.changes(), facts)
        return cls(id, instruction, start, tuple(oracle), expect, **rest)


def expectations(
    tables: Mapping[str, Table[Any]],
    changes: Sequence[Change],
    wording: Mapping[tuple[str, str], tuple[Fact, ...]],
) -> tuple[Expected, ...]:
    """Changes that happened, as changes to expect: given ids and columns left open, free words by their facts."""
    made = {(change.table, change.key): Made(at) for at, change in enumerate(changes) if change.before is None}
    expected: list[Expected] = []
    for change in changes:
        table = tables[change.table]
        if change.after is None:
            expected.append(Expected(change.table, change.key, True, ()))
            continue
        values: list[tuple[str, Any]] = []
        for place, column in enumerate(table.columns):
            value = change.after[place]
            if place == 0 or column in table.given or (change.before is not None and change.before[place] == value):
                continue
            if column in table.worded:
                if facts := wording.get((change.table, column)):
                    values.append((column, Wording(facts)))
                elif change.before is not None:
                    values.append((column, Wording(())))
                continue
            target = table.references.get(column)
            values.append((column, made.get((target or "", value), value) if type(value) is str else value))
        key = None if change.before is None else change.key
        expected.append(Expected(change.table, key, False, tuple(values)))
    return tuple(expected)
