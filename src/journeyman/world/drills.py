"""Drills: the single steps of a world's tasks, each a task of its own that spells its calls out.

    easy = drills(load("shop"))          # "Call cancel_order with order R-2214."

What a task leaves to be found out (which order, what policy says) a drill tells; what is left is to write the call
down as the world takes it. So they are the easiest tasks of any world, and there are as many as its oracles have steps.

Always holds: a drill starts where its task's oracle stands before the step, expects what the oracle changes from there,
is over after as many actions as it has calls, and takes a change: a step that only reads is none.

Knows tasks and their oracles; nothing of who acts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from journeyman.errors import WorldError
from journeyman.world.actions import Call
from journeyman.world.state import State
from journeyman.world.suite import Suite
from journeyman.world.task import Task
from journeyman.world.world import World


def drills(suite: Suite, calls: int = 1) -> Suite:
    """The same world with a drill for every `calls` successive writes of its oracles; their family is the first tool.

    WorldError if there are none.
    """
    found = [drill for task in suite.tasks.values() for drill in _of(suite, task, calls)]
    if not found:
        raise WorldError(f"no oracle of {suite.name} has {calls} successive writes", "ask for drills of fewer calls")
    return Suite(suite.rules, found)


def spelled(calls: Sequence[Call]) -> str:
    """The instruction that tells exactly these calls."""
    told = [f"call {call.tool} with {', '.join(f'{name} {_value(each)}' for name, each in call.args.items())}"
            for call in calls]  # fmt: skip
    text = ", then ".join(told)
    return f"{text[0].upper()}{text[1:]}."


def _of(suite: Suite, task: Task, calls: int) -> Iterator[Task]:
    world = World(suite.rules, task.start.as_start())
    run: list[tuple[State, Call]] = []  # the writes since the last step that was none, each with the state before it
    number = 0
    for action in task.oracle:
        if not isinstance(action, Call):
            run = []
            continue
        before = world.state
        world.call(action.tool, action.args)
        if world.state.digest == before.digest:
            run = []
            continue
        run.append((before, action))
        if len(run) >= calls:
            number += 1
            start = run[-calls][0]
            steps = [call for _, call in run[-calls:]]
            yield Task.derive(
                suite.rules,
                f"{task.id}/{number}",
                spelled(steps),
                start.as_start(),
                steps,
                limit=calls,
                family=steps[0].tool,
            )


def _value(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
