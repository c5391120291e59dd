"""Whether an episode did what its task asks, and nothing else.

Always holds: the score is 1 if every expectation is met, every fact is told, nothing forbidden was done and no row was
changed beyond what is expected or allowed; else it is 0. What is met of what is asked is `progress`, which pays
nothing. The verdict depends on the task, the state reached, the calls and the words alone, not on their order.

Knows tasks and states; nothing of how an episode is run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
    """Made once for a task: what can be worked out before an episode is."""

    def __init__(self, task: Task) -> None:
        self.task = task
        tables = task.start.tables
        self._wants = [_Want(expected, tables[expected.table]) for expected in task.expect]
        self._met = [Evidence("expected", True, _wanted(expected)) for expected in task.expect]

    def __call__(self, state: State, calls: Sequence[Call], said: Sequence[str], trust: float = 1.0) -> Verdict:
        """state: the one reached from the task's start; calls: all that were made, in vain or not; said: what the
        agent told its user."""
        task = self.task
        changes = state.changes()
        pairs = matched(self._wants, changes)
        evidence = [
            met if at is not None else met._replace(met=False) for at, met in zip(pairs, self._met, strict=True)
        ]
        if len(changes) > len(pairs) or None in pairs:
            for at, change in enumerate(changes):
                if at not in pairs and not any(_allows(each, change, state.tables) for each in task.allow):
                    evidence.append(Evidence("collateral", False, _happened(change, state.tables)))
        if task.say or task.forbid:
            evidence += self._words(calls, "\n".join(said))
        asked = met = wrong = 0
        for each in evidence:
            if each.kind in ("expected", "fact"):
                asked += 1
                met += each.met
            wrong += not each.met
        return Verdict(0.0 if wrong else trust, met / asked, trust, tuple(evidence))

    def _words(self, calls: Sequence[Call], words: str) -> Iterator[Evidence]:
        """What was said, and what was tried."""
        for fact in self.task.say:
            rivals = fact.rivals(words)
            beside = f", and not {rivals[0]!r}" if rivals else ""
            yield Evidence("fact", fact.told(words), f"the user is to be told {fact.any_of[0]!r}{beside}")
        for each in self.task.forbid:
            if _done(each, calls, words):
                yield Evidence("forbidden", False, _broken(each))


class _Want:
    """An expected change, with its columns looked up."""

    def __init__(self, expected: Expected, table: Table[Any]) -> None:
        self.table, self.key, self.gone = expected.table, expected.key, expected.gone
        places = [(table.columns.index(column), value) for column, value in expected.values]
        self.equal = [(at, value) for at, value in places if not isinstance(value, Wording | Made)]
        self.worded = [(at, value.facts) for at, value in places if isinstance(value, Wording)]
        self.made = [(at, value.at) for at, value in places if isinstance(value, Made)]
        named = {at for at, _ in places}
        self.kept = [
            at
            for at, column in enumerate(table.columns)
            if expected.key is not None and at not in named and column not in table.given
        ]

    def could_be(self, change: Change) -> bool:
        """Whether the change is the one that is wanted, as far as it shows by itself."""
        before, after = change.before, change.after
        if change.table != self.table or (after is None) != self.gone:
            return False
        if (before is not None) if self.key is None else (before is None or change.key != self.key):
            return False
        if after is None:
            return True
        for at, value in self.equal:
            if after[at] != value:
                return False
        if before is not None:
            for at in self.kept:
                if after[at] != before[at]:
                    return False
        return all(fact.told(after[at] or "") for at, facts in self.worded for fact in facts) if self.worded else True


def matched(wants: Sequence[_Want], changes: Sequence[Change]) -> list[int | None]:
    """For each expectation the change that meets it, none twice: as many as can be met at once.

    Rows that are made are told apart by what they say and by what they refer to; which of them is which is searched.
    """
    fitting = [[at for at, change in enumerate(changes) if want.could_be(change)] for want in wants]
    first: list[int | None] = [each[0] if each else None for each in fitting]
    if None not in first and len(set(first)) == len(wants) and _refers(wants, first, changes):
        return first  # as it nearly always is
    # No more can be met than have a change that fits, and than there are such changes: where that many are, the search
    # is over. Without it, a dozen equal rows of which one is missing would be tried in all their orders.
    left = [sum(map(bool, fitting[at:])) for at in range(len(wants) + 1)]
    possible = min(left[0], len({at for each in fitting for at in each}))
    best: list[int | None] = []
    most = -1

    def place(chosen: list[int | None], met: int) -> bool:
        nonlocal best, most
        at = len(chosen)
        if at == len(wants):
            if met > most:
                best, most = chosen, met
            return met == possible
        if met + left[at] <= most:
            return False
        for candidate in fitting[at]:
            if candidate not in chosen:
                longer = [*chosen, candidate]
                if _refers(wants, longer, changes) and place(longer, met + 1):
                    return True
        return place([*chosen, None], met)

    place([], 0)
    return best


def _refers(wants: Sequence[_Want], chosen: Sequence[int | None], changes: Sequence[Change]) -> bool:
    """Whether made rows that refer to each other still do, as far as they are chosen."""
    for want, change_at in zip(wants, chosen, strict=False):
        if not want.made or change_at is None:
            continue
        after = changes[change_at].after
        for place, other in want.made:
            if other < len(chosen) and after is not None:
                target = chosen[other]
                if target is None or after[place] != changes[target].key:
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
