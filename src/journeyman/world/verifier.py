"""Whether an episode did what its task asks, and nothing else.

Always holds: the score is 1 if every expectation is met, every fact is told, nothing forbidden was done and no row was
changed beyond what is expected or allowed; else it is 0. What is met of what is asked is `progress`, which pays
nothing. The verdict depends on the task, the state reached, the calls and the words alone, not on their order.

Knows tasks and states; nothing of how an episode is run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from journeyman.world.actions import Call
from journeyman.world.state import State
from journeyman.world.tables import Change, Table
from journeyman.world.task import Allowed, Expected, Forbidden, Made, Task, Wording


class Evidence(NamedTuple):
    """One thing that was looked at."""

    kind: str  # expected, fact, collateral, forbidden
    met: bool
    what: str


class Verdict(NamedTuple):
    """`score` from 0 to 1, with `trust` (the weakest answer the agent relied on) in it; `reasons` say what is wrong."""

    score: float
    progress: float
    trust: float
    evidence: tuple[Evidence, ...]

    @property
    def reasons(self) -> list[str]:
        return [each.what for each in self.evidence if not each.met]


class Verifier:
    def __init__(self, task: Task) -> None:
        self.task = task

    def __call__(self, state: State, calls: Sequence[Call], said: Sequence[str], trust: float = 1.0) -> Verdict:
        """state: the one reached from the task's start; calls: all that were made, in vain or not; said: what the
        agent told its user."""
        task = self.task
        changes = state.changes()
        pairs = matched(task.expect, changes, state.tables)
        taken = {at for at in pairs if at is not None}
        evidence = [
            Evidence("expected", at is not None, _wanted(expected))
            for expected, at in zip(task.expect, pairs, strict=True)
        ]
        for at, change in enumerate(changes):
            if at not in taken and not any(_allows(each, change, state.tables) for each in task.allow):
                evidence.append(Evidence("collateral", False, _happened(change, state.tables)))
        words = "\n".join(said)
        for fact in task.say:
            rivals = fact.rivals(words)
            beside = f", and not {rivals[0]!r}" if rivals else ""
            evidence.append(Evidence("fact", fact.told(words), f"the user is to be told {fact.any_of[0]!r}{beside}"))
        evidence += [Evidence("forbidden", False, _broken(each)) for each in task.forbid if _done(each, calls, words)]
        asked = [each.met for each in evidence if each.kind in ("expected", "fact")]
        whole = all(each.met for each in evidence)
        return Verdict(trust if whole else 0.0, sum(asked) / len(asked), trust, tuple(evidence))


def matched(
    expected: Sequence[Expected], changes: Sequence[Change], tables: Mapping[str, Table[Any]]
) -> list[int | None]:
    """For each expectation the change that meets it, none twice: as many as can be met at once.

    Rows that are made are told apart by what they say and by what they refer to; which of them is which is searched.
    """
    fitting = [
        [at for at, change in enumerate(changes) if _could_be(wanted, change, tables[wanted.table])]
        for wanted in expected
    ]
    best: list[int | None] = [None] * len(expected)
    most = -1

    def place(at: int, chosen: list[int | None], used: frozenset[int], met: int) -> bool:
        nonlocal best, most
        if met > most:
            best, most = [*chosen, *([None] * (len(expected) - at))], met
        if at == len(expected):
            return met == len(expected)
        if met + len(expected) - at <= most:
            return False
        for candidate in fitting[at]:
            if candidate not in used and _refers(expected, at, candidate, chosen, changes, tables):
                if place(at + 1, [*chosen, candidate], used | {candidate}, met + 1):
                    return True
        return place(at + 1, [*chosen, None], used, met)

    place(0, [], frozenset(), 0)
    return best


def _could_be(wanted: Expected, change: Change, table: Table[Any]) -> bool:
    """Whether the change is the one that is wanted, as far as it shows by itself."""
    if change.table != wanted.table or (change.after is None) != wanted.gone:
        return False
    if wanted.key is None:
        if change.before is not None:
            return False
    elif change.key != wanted.key or change.before is None:
        return False
    if change.after is None:
        return True
    values = dict(wanted.values)
    for column, value in zip(table.columns[1:], change.after[1:], strict=True):
        if column not in values:
            if wanted.key is not None and change.before is not None:
                if change.before[table.columns.index(column)] != value and column not in table.given:
                    return False
            continue
        right = values[column]
        if isinstance(right, Wording):
            if not all(fact.told(value or "") for fact in right.facts):
                return False
        elif not isinstance(right, Made) and right != value:
            return False
    return True


def _refers(
    expected: Sequence[Expected],
    at: int,
    candidate: int,
    chosen: Sequence[int | None],
    changes: Sequence[Change],
    tables: Mapping[str, Table[Any]],
) -> bool:
    """Whether made rows that refer to each other still do, if expectation `at` is met by this change."""
    chosen = [*chosen, candidate]
    for number, change_at in enumerate(chosen):
        if change_at is None:
            continue
        after = changes[change_at].after
        for column, value in expected[number].values:
            if isinstance(value, Made) and value.at < len(chosen) and after is not None:
                target = chosen[value.at]
                if target is None or after[tables[expected[number].table].columns.index(column)] != changes[target].key:
                    return False
    return True


def _allows(allowed: Allowed, change: Change, tables: Mapping[str, Table[Any]]) -> bool:
    if change.table != allowed.table or (allowed.key is not None and change.key != allowed.key):
        return False
    if change.before is None:
        return not allowed.columns
    if change.after is None:
        return False
    columns = tables[change.table].columns
    differing = {c for c, old, new in zip(columns, change.before, change.after, strict=True) if old != new}
    return differing <= set(allowed.columns)


def _done(forbidden: Forbidden, calls: Sequence[Call], words: str) -> bool:
    if forbidden.said is not None:
        return forbidden.said.told(words)
    return any(
        call.tool == forbidden.tool and all(call.args.get(name) == value for name, value in forbidden.args)
        for call in calls
    )


def _wanted(expected: Expected) -> str:
    if expected.gone:
        return f"{expected.table} {expected.key} is to be gone"
    values = ", ".join(f"{column} {_shown(value)}" for column, value in expected.values)
    if expected.key is None:
        return f"a new row in {expected.table} with {values}"
    return f"{expected.table} {expected.key} is to have {values}"


def _shown(value: Any) -> str:
    if isinstance(value, Wording):
        return "saying " + " and ".join(repr(fact.any_of[0]) for fact in value.facts) if value.facts else "in any words"
    return "of the row made with it" if isinstance(value, Made) else repr(value)


def _happened(change: Change, tables: Mapping[str, Table[Any]]) -> str:
    if change.before is None:
        return f"nobody asked for the new row {change.key} in {change.table}"
    if change.after is None:
        return f"nobody asked for {change.table} {change.key} to go"
    columns = zip(tables[change.table].columns, change.before, change.after, strict=True)
    differing = ", ".join(f"{column} {old!r} to {new!r}" for column, old, new in columns if old != new)
    return f"nobody asked for {change.table} {change.key} to change {differing}"


def _broken(forbidden: Forbidden) -> str:
    what = f"saying {forbidden.said.any_of[0]!r}" if forbidden.said else f"calling {forbidden.tool}"
    return f"{what} is forbidden{': ' + forbidden.why if forbidden.why else ''}"
