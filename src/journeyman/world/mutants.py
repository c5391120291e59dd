"""Wrong ways to do a task, made from the right one, and agents that do not even try.

A mutant is an oracle with one thing about it changed: a step left out or done twice, another customer, another number,
a write that nobody asked for. What it comes to decides whether it is one: if the state it reaches says the same as
the oracle's (given ids apart) and the same was said, nothing observable was changed, and it is a way to do it right.

Always holds: the same task and seed give the same mutants; telling right from wrong here uses nothing of the verifier.

Knows tasks and tools; nothing of admission.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from journeyman.world.actions import Action, Call, Say
from journeyman.world.chance import Stream
from journeyman.world.env import Env
from journeyman.world.outcome import CUTS
from journeyman.world.state import State
from journeyman.world.suite import Suite
from journeyman.world.tables import Change, Table
from journeyman.world.task import Task
from journeyman.world.tools import Parameter, Tool
from journeyman.world.world import World

_ELSEWHERE = "Entirely unrelated words."


class Mutant(NamedTuple):
    kind: str
    actions: tuple[Action, ...]


class Played(NamedTuple):
    """What came of a run: its score, and all that can be observed of it."""

    score: float
    essence: Any
    env: Env


def play(suite: Suite, task: Task, actions: Sequence[Action], seed: int = 0) -> Played:
    """Act; where the episode is still open then, say good-bye."""
    env = Env(suite)
    env.reset(task, seed)
    for action in (*actions, Say("")):
        if env.info["over"]:
            break
        env.step(action)
    while not env.info["over"]:  # a user who would not go
        env.step(Say(""))
    said = tuple(turn.action.said for turn in env.snapshot().turns if isinstance(turn.action, Say) and turn.action.said)
    verdict = env.verdict
    return Played(verdict.score if verdict else 0.0, (essence(env.world.state), said if task.say else ()), env)


def essence(state: State) -> Mapping[Any, int]:
    """What has changed since the start, without the ids that the world gave: a made row is its values, and where it
    refers to another made row, that row's."""
    changes = state.changes()
    made = {(change.table, change.key): change for change in changes if change.before is None}
    return Counter(_labelled(change, made, state.tables, ()) for change in changes)


def _labelled(
    change: Change,
    made: Mapping[tuple[str, str], Change],
    tables: Mapping[str, Table[Any]],
    above: tuple[Change, ...],  # those through which this one was come to
) -> Any:
    if change.after is None:
        return (change.table, change.key, None)
    table = tables[change.table]
    values: list[Any] = []
    path = (*above, change)
    for column, value in zip(table.columns[1:], change.after[1:], strict=True):
        target = made.get((table.references.get(column, ""), value)) if type(value) is str else None
        if target is None:
            values.append(value)
        elif target in path:  # they refer to each other: how far back says as much
            values.append((table.references[column], len(path) - path.index(target)))
        else:
            values.append(_labelled(target, made, tables, path))
    return (change.table, None if change.before is None else change.key, tuple(values))


# -- mutants


def mutants(suite: Suite, task: Task) -> Iterator[Mutant]:
    """Single faults, each in every place where it fits."""
    oracle = task.oracle
    tools = suite.rules.tools
    chance = Stream("mutants", task.id)
    for at, action in enumerate(oracle):
        before, after = oracle[:at], oracle[at + 1 :]
        yield Mutant("dropped", (*before, *after))
        if isinstance(action, Call):
            tool = tools[action.tool]
            if tool.writes:
                yield Mutant("repeated", (*before, action, action, *after))
            for parameter in tool.parameters:
                if parameter.name in action.args:
                    kind = "another" if parameter.table else "perturbed"
                    for value in _others(parameter, action.args[parameter.name], task.start, chance):
                        changed = Call(action.tool, {**action.args, parameter.name: value})
                        yield Mutant(kind, (*before, changed, *after))
    for at in range(len(oracle) - 1):
        yield Mutant("reordered", (*oracle[:at], oracle[at + 1], oracle[at], *oracle[at + 2 :]))
    if len(oracle) > 2:
        yield Mutant("reordered", tuple(reversed(oracle)))
    for call in _writes(suite, task, chance, 4):
        yield Mutant("collateral", (call, *oracle))


def wrong_entity(suite: Suite, task: Task) -> tuple[Action, ...]:
    """The oracle for somebody else: every key exchanged for another of its table."""
    chance = Stream("wrong entity", task.id)
    swapped: dict[tuple[str, str], str] = {}

    def other(table: str, key: str) -> str:
        if (table, key) not in swapped:
            keys = [each for each in task.start.keys(table) if each != key]
            swapped[table, key] = chance.choice(keys) if keys else key
        return swapped[table, key]

    actions: list[Action] = []
    for action in task.oracle:
        if isinstance(action, Call):
            args = dict(action.args)
            for parameter in suite.rules.tools[action.tool].parameters:
                value = args.get(parameter.name)
                if parameter.table and isinstance(value, str):
                    args[parameter.name] = other(parameter.table, value)
                elif parameter.table and isinstance(value, list):
                    args[parameter.name] = [other(parameter.table, each) for each in value]
            action = Call(action.tool, args)
        actions.append(action)
    return tuple(actions)


def _others(parameter: Parameter, value: Any, state: State, chance: Stream) -> list[Any]:
    """Values that could stand there by mistake."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int | float):
        return [value + 1, value - 1, value * 2]
    if isinstance(value, list):
        other = _others(parameter, value[0], state, chance) if value else []
        return [value[:-1], *([*value, each] for each in other[:1] if each not in value)]
    if isinstance(value, dict):
        others = {name: _others(parameter, each, state, chance)[:1] for name, each in value.items()}
        return [{**value, name: other[0]} for name, other in others.items() if other]
    schemas = parameter.shape.schema.get("anyOf", [parameter.shape.schema])
    if any("enum" in schema for schema in schemas):
        return [each for schema in schemas for each in schema.get("enum", ()) if each != value][:3]
    if not isinstance(value, str):
        return []
    if parameter.table:
        keys = [key for key in state.keys(parameter.table) if key != value]
        return chance.sample(keys, 2)
    if parameter.worded:
        return [_ELSEWHERE]
    return [f"{value}x", value[:-1]] if value else [_ELSEWHERE]


# -- agents that know nothing


def guess(task: Task, tool: Tool, chance: Stream, state: State) -> Call:
    """A call with arguments of the right kind, and no idea behind them."""
    args: dict[str, Any] = {}
    for parameter in tool.parameters:
        if parameter.required or chance.below(2):
            args[parameter.name] = _guessed(parameter, parameter.shape.schema, chance, state, task.instruction)
    return Call(tool.name, args)


def _guessed(parameter: Parameter, schema: Mapping[str, Any], chance: Stream, state: State, text: str) -> Any:
    again = partial(_guessed, parameter, chance=chance, state=state, text=text)
    if "anyOf" in schema:
        return again(chance.choice(schema["anyOf"]))
    if "enum" in schema:
        return chance.choice(schema["enum"])
    kind = schema.get("type", "string")  # Any
    if kind == "array":
        return [again(schema["items"]) for _ in range(chance.between(1, 2))]
    if kind == "string":
        if parameter.table:
            keys = state.keys(parameter.table)
            return chance.choice(keys) if keys else "none"
        return chance.choice(text.split() or [""])
    choices = {"integer": chance.below(100), "number": float(chance.below(100)), "boolean": bool(chance.below(2))}
    return choices.get(kind)


def at_random(suite: Suite, task: Task, seed: int) -> Played:
    """Any tools with any arguments, then some words of the instruction."""
    chance = Stream("at random", task.id, seed)
    tools = list(suite.rules.tools.values())
    many = chance.between(1, 12) if tools else 0  # a world may offer nothing but words
    calls = [guess(task, chance.choice(tools), chance, task.start) for _ in range(many)]
    return play(suite, task, [*calls, Say(" ".join(chance.sample(task.instruction.split(), 5)))], seed)


def every_tool(suite: Suite, task: Task) -> Played:
    """Each tool, some times over, whatever it does."""
    chance = Stream("every tool", task.id)
    tools = list(suite.rules.tools.values()) * 3
    return play(suite, task, [guess(task, tool, chance, task.start) for tool in tools])


def one_call(suite: Suite, task: Task) -> Played:
    """The same look at the world, over and over, until the episode ends."""
    chance = Stream("one call", task.id)
    tools = suite.rules.tools
    looks = [action for action in task.oracle if isinstance(action, Call) and not tools[action.tool].writes]
    reads = [tool for tool in tools.values() if not tool.writes] or list(tools.values())
    if not looks and reads:
        looks = [guess(task, chance.choice(reads), chance, task.start)]
    return play(suite, task, looks[:1] * task.limit)


def read_only(suite: Suite, task: Task) -> Played:
    """Looks at what it can, and then repeats all that there is to know."""
    chance = Stream("read only", task.id)
    world = World(suite.rules, task.start)
    reads = [tool for tool in suite.rules.tools.values() if not tool.writes]
    calls = [action for action in task.oracle if isinstance(action, Call) and not suite.rules.tools[action.tool].writes]
    while reads and len(calls) < task.limit - 1:
        calls.append(guess(task, chance.choice(reads), chance, task.start))
    answers = [(call, world.call(call.tool, call.args)) for call in calls[: task.limit - 1]]
    known = [(call, answer.text) for call, answer in answers if answer.error not in CUTS]
    dump = "\n".join([*(text for _, text in known), *_everything(task.start)])
    return play(suite, task, [*(call for call, _ in known), Say(dump)])


def _everything(state: State) -> Iterator[str]:
    """More than any agent could have read in so few calls: the whole state."""
    for name in state.tables:
        for row in state.rows(name):
            yield json.dumps(row)


def _writes(suite: Suite, task: Task, chance: Stream, count: int) -> Iterator[Call]:
    """Calls that change something at the task's start and that nobody asked for."""
    writes = [tool for tool in suite.rules.tools.values() if tool.writes]
    start, found = task.start.as_start(0), 0
    for _ in range(60 if writes else 0):
        call = guess(task, chance.choice(writes), chance, task.start)
        world = World(suite.rules, start)
        world.call(call.tool, call.args)
        if world.state.changes():
            yield call
            if (found := found + 1) == count:
                return
