"""Logs of the worlds that come with Journeyman: their tasks solved, with looks before and after, and slips.

A session is one task. Before a call what it names is looked up where a tool does that; one call in four is tried with
something wrong in it before, and some are made twice. Names of things are those of that session alone, so that in
another one nobody has seen them.

Always holds: the same world gives the same sessions; answers are those of the world.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping
from typing import Any

from journeyman.dream.worlds.calls import Call, Recording
from journeyman.world import Suite, Task, World, actions, load

_NAME = re.compile(r"\b([A-Z]-\d+)\b")
_LOOKS = ("get", "read")


def log(name: str) -> list[Recording]:
    suite = load(name)
    tasks = list(suite.tasks.values())
    random.Random(0).shuffle(tasks)
    return [session(suite, task, number) for number, task in enumerate(tasks)]


def session(suite: Suite, task: Task, number: int) -> Recording:
    chance, world = random.Random(f"{number}:{task.id}"), World(suite.rules, task.start)
    calls: list[Call] = []

    def ask(tool: str, given: Mapping[str, Any]) -> None:
        outcome = world.call(tool, given)
        calls.append(Call(tool, dict(given), outcome.ok, json.loads(outcome.text) if outcome.ok else outcome.message))

    def act(call: actions.Call, given: Mapping[str, Any]) -> None:
        for tool, argument, key in looks(suite, call.tool, given):
            ask(tool, {argument: key})
        ask(call.tool, given)

    steps = [each for each in task.oracle if isinstance(each, actions.Call)]
    for step in steps:
        if chance.random() < 0.25:
            act(other := chance.choice(steps), slipped(other.args, chance))
        act(step, step.args)
        if chance.random() < 0.4:
            act(again := chance.choice(steps), again.args)
    return _own(Recording(task.id, tuple(calls), ((0, task.instruction),)), number)


def looks(suite: Suite, tool: str, given: Mapping[str, Any]) -> list[tuple[str, str, Any]]:
    """What shows the things that a call names: tool, argument, key."""
    tables = {each.name: each.table for each in suite.rules.tools[tool].parameters}
    found: list[tuple[str, str, Any]] = []
    for name, key in given.items():
        for each in suite.rules.tools.values():
            needed = [parameter for parameter in each.parameters if parameter.required]
            shows = not each.writes and each.name.startswith(_LOOKS) and len(needed) == 1
            if shows and needed[0].table is not None and needed[0].table == tables.get(name):
                found.append((each.name, needed[0].name, key))
                break
    return found


def slipped(given: Mapping[str, Any], chance: random.Random) -> dict[str, Any]:
    """The same with one thing wrong, or as it was."""
    made = dict(given)
    if made and chance.random() < 0.5:
        name = chance.choice(sorted(made))
        if isinstance(made[name], str):
            made[name] += "x"
        elif type(made[name]) is int:
            made[name] += chance.choice((1, 5, 50))
    return made


def _own(recording: Recording, number: int) -> Recording:
    def renamed(value: Any) -> Any:
        return json.loads(_NAME.sub(lambda found: f"{found[1]}{number:05d}", json.dumps(value)))

    calls = tuple(Call(each.tool, renamed(each.arguments), each.ok, renamed(each.value)) for each in recording.calls)
    return recording._replace(calls=calls, said=tuple((at, renamed(text)) for at, text in recording.said))
