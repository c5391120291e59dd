"""Whether a task may be trained on: what must earn the full score does, and what must not earn anything does not.

    for finding in admit(suite, suite.task("cancel-1")):
        print(finding.check, finding.passed, finding.value, finding.evidence)

Always holds: each finding has the number of trials behind it, and the trial that speaks against the task; nothing is
taken as passed that was not tried: it is None then, and refuses a task only where it is among TRIED.

Knows suites; the instrument for any environment, and its statistics, is the next room.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from journeyman.world.actions import Call, Say
from journeyman.world.context import Context
from journeyman.world.env import Env
from journeyman.world.mutants import (
    Mutant,
    at_random,
    every_tool,
    mutants,
    one_call,
    play,
    read_only,
    wrong_entity,
)
from journeyman.world.outcome import CUTS, Failure, Tier
from journeyman.world.purity import sealed
from journeyman.world.state import State
from journeyman.world.suite import Suite
from journeyman.world.task import Task

CAUGHT = 0.95  # the share of mutants that have to be caught, over a suite
SEEDS = (0, 1)  # of the oracle: what a tool draws differs between them
# What a task cannot be without; a task may well have no other entity, no equal order, and no column to spoil.
TRIED = ("oracle", "mutants", "repeats")


class Finding(NamedTuple):
    """`value` of `n` trials went as they have to; `passed` is None where there was none."""

    check: str
    passed: bool | None
    value: int
    n: int
    evidence: tuple[str, ...] = ()


def refused(findings: Sequence[Finding]) -> str | None:
    """The check for which a task is not to be trained on: the first that failed, or was not tried and must be."""
    return next((each.check for each in findings if each.passed is False), None) or next(
        (each.check for each in findings if each.passed is None and each.check in TRIED), None
    )


def admit(suite: Suite, task: Task, *, randoms: int = 8) -> list[Finding]:
    """All checks of one task."""
    with sealed():
        solved = [play(suite, task, task.oracle, seed) for seed in SEEDS]
    unpaid = [each for each in solved if each.score <= 0]
    if unpaid:
        reasons = unpaid[0].env.verdict.reasons if unpaid[0].env.verdict else []
        return [_finding("oracle", len(solved) - len(unpaid), len(solved), reasons)]
    right = solved[0]
    floors: list[tuple[str, list[float]]] = [
        ("no-op", [play(suite, task, ()).score]),
        ("stop", [play(suite, task, (Say("Done."),)).score]),
        ("echo", [play(suite, task, (Say(task.instruction),)).score]),
        ("random", [at_random(suite, task, seed).score for seed in range(randoms)]),
        ("read-only", [read_only(suite, task).score]),
        ("every-tool", [every_tool(suite, task).score]),
        ("one-call", [one_call(suite, task).score]),
        ("wrong-entity", _wrong_entities(suite, task, right.essence)),
    ]
    findings = [_finding("oracle", len(solved), len(solved))]
    findings += [_finding(check, sum(score <= 0 for score in scores), len(scores)) for check, scores in floors]
    return [*findings, *_mutation(suite, task, right.essence), _rows(suite, task, right.env), _repeats(right.env)]


def _finding(check: str, value: int, n: int, evidence: Sequence[str] = ()) -> Finding:
    return Finding(check, value == n if n else None, value, n, tuple(evidence))


def _wrong_entities(suite: Suite, task: Task, right: object) -> list[float]:
    played = play(suite, task, wrong_entity(suite, task))
    return [] if played.essence == right else [played.score]


def _mutation(suite: Suite, task: Task, right: object) -> list[Finding]:
    """Mutants that differ in what can be observed are to be caught; those that do not are to pass."""
    caught, alive, same, unpaid = 0, [], 0, []
    collateral, unseen = 0, []
    for mutant in mutants(suite, task):
        played = play(suite, task, mutant.actions)
        if played.essence == right:
            if _broke_a_ban(task, mutant) or _cut(played.env):
                continue
            same += 1
            if played.score <= 0:
                reasons = played.env.verdict.reasons if played.env.verdict else []
                unpaid.append(_told(mutant, reasons))
        elif mutant.kind == "collateral":
            collateral += 1
            if played.score > 0:
                unseen.append(_told(mutant, ()))
        elif played.score > 0:
            alive.append(_told(mutant, ()))
        else:
            caught += 1
    total = caught + len(alive)
    return [
        _finding("mutants", caught, total, alive),
        _finding("collateral", collateral - len(unseen), collateral, unseen),
        _finding("equivalents", same - len(unpaid), same, unpaid),
    ]


def _broke_a_ban(task: Task, mutant: Mutant) -> bool:
    """Doing what is forbidden, in vain, leaves no trace in the state and is wrong all the same."""
    forbidden = {each.tool for each in task.forbid}
    return any(isinstance(action, Call) and action.tool in forbidden for action in mutant.actions)


def _cut(env: Env) -> bool:
    """Nobody knew an answer, and what an agent does then proves nothing, right or wrong."""
    last = env.snapshot().last
    return last is not None and last.error in CUTS


def _rows(suite: Suite, task: Task, done: Env) -> Finding:
    """Rows changed behind the verifier's back, after the oracle: each column that is not free words."""
    verifier = suite.verifier(task)
    calls = [action for action in task.oracle if isinstance(action, Call)]
    said = [action.said for action in task.oracle if isinstance(action, Say)]
    allowed = {(each.table, column) for each in task.allow for column in each.columns}
    seen: list[str] = []
    tried = 0
    for change in done.world.state.changes():
        table = suite.rules.tables[change.table]
        for column in table.columns[1:]:
            if column in table.worded or column in table.given or (change.table, column) in allowed:
                continue
            spoiled = _spoiled(done, change.table, change.key, column)
            if spoiled is None:
                continue
            tried += 1
            if verifier(spoiled, calls, said).score > 0:
                seen.append(f"{change.table} {change.key}: {column}")
    return _finding("rows", tried - len(seen), tried, seen)


def _spoiled(env: Env, table: str, key: str, column: str) -> State | None:
    """The state with another value in this column, if the table admits one."""
    state = env.world.state
    row = state.row(table, key)
    if row is None:
        return None
    spec = state.tables[table]
    place = spec.columns.index(column)
    values = [other[place] for other in state.rows(table)]
    values += [other[0] for other in state.rows(spec.references[column])] if column in spec.references else []
    for other in values:
        if other == row[place]:
            continue
        here = Context(state, True, Tier.CODE)
        try:
            here.put(spec, spec.changed(row, place, other))
        except Failure:
            continue
        return here.result()
    return None


def _repeats(whole: Env) -> Finding:
    """The same again, from forks at every step of the oracle, gives the same digests and verdict."""
    snapshot = whole.snapshot()
    actions = [turn.action for turn in snapshot.turns]
    equal = 0
    for step in range(len(actions)):
        fork = whole.at(step)
        for action in actions[step:]:
            fork.step(action)
        equal += fork.snapshot().digest == snapshot.digest and fork.verdict == whole.verdict
    return _finding("repeats", equal, len(actions))


def _told(mutant: Mutant, reasons: Sequence[str]) -> str:
    actions = "; ".join(action.text for action in mutant.actions)
    return f"{mutant.kind}: {actions}" + (f" ({'; '.join(reasons)})" if reasons else "")
