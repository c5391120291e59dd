"""A world and its tasks, under one name.

    suite = load("shop")            # a world of this package
    suite = load("my_world:suite")  # or yours: a suite, or a function that makes one
    suite = load("worlds/desk")     # or one that `journeyman dream --out worlds/desk` has saved

Always holds: task ids are unique; every task starts from a state of the suite's own tables.

Knows rules and tasks; nothing of episodes.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from journeyman.errors import JourneymanError, WorldError
from journeyman.world.task import Task
from journeyman.world.verifier import Verifier
from journeyman.world.world import Rules

BUILT_IN = ("office", "shop")


class Suite:
    def __init__(self, rules: Rules, tasks: Iterable[Task]) -> None:
        self.rules = rules
        self.tasks: dict[str, Task] = {}
        for task in tasks:
            if task.id in self.tasks:
                raise WorldError(f"{rules.name} has two tasks {task.id!r}", "give each task an id of its own")
            if set(task.start.tables) != set(rules.tables):
                raise WorldError(f"task {task.id} starts in another world", f"start it from the tables of {rules.name}")
            self.tasks[task.id] = task
        self._verifiers: dict[str, Verifier] = {}

    def __len__(self) -> int:
        return len(self.tasks)

    def __repr__(self) -> str:
        return f"<Suite {self.rules.name}: {len(self)} tasks, {len(self.rules.tools)} tools>"

    @property
    def name(self) -> str:
        return self.rules.name

    @cached_property
    def fingerprint(self) -> str:
        return self.rules.fingerprint

    def task(self, id: str) -> Task:
        found = self.tasks.get(id)
        if found is None:
            near = ", ".join(list(self.tasks)[:3])
            raise WorldError(f"{self.name} has no task {id!r}", f"its tasks: {near}, …")
        return found

    def verifier(self, task: Task) -> Verifier:
        """One for each task, kept: making it costs more than using it."""
        found = self._verifiers.get(task.id)
        if found is None or found.task is not task:
            found = Verifier(task)
            self._verifiers[task.id] = found
        return found


def load(name: str, **options: Any) -> Suite:
    """A built-in suite by its name, one of yours as `module:attribute` (`options` go to the function that makes it), or
    a saved one by its directory.

    WorldError if there is none.
    """
    if name not in BUILT_IN and Path(name).is_dir():
        saved: Any = import_module("journeyman.world.saved")
        return saved.suite(Path(name))
    module, _, attribute = name.partition(":")
    if not attribute:
        if name not in BUILT_IN:
            remedy = f"use one of {', '.join(BUILT_IN)}, module:attribute, or a directory"
            raise WorldError(f"there is no world {name!r}", remedy)
        module, attribute = f"journeyman.world.{name}", "suite"
    try:
        found = getattr(import_module(module), attribute)
        made = found(**options) if callable(found) and not isinstance(found, Suite) else found
    except JourneymanError:  # it says itself what is wrong with this world
        raise
    except Exception as error:
        raise WorldError(
            f"{name} cannot be loaded: {type(error).__name__}: {error}", f"write module:attribute; try: import {module}"
        ) from error
    if not isinstance(made, Suite):
        raise WorldError(f"{name} is a {type(made).__name__}, not a suite", "let it be or return a Suite")
    return made
