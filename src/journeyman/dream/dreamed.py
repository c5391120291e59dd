"""`journeyman.dream(sessions)`: a world out of recorded sessions, with what is known of its fidelity, and its tasks.

    dreamed = journeyman.dream(journeyman.read_sessions("log.jsonl"))
    print(dreamed.card["held_out"])
    dreamed.save("world")                     # world.py to be read and corrected, start.jsonl, tasks.jsonl, card.json
    outcome = dreamed.world.call("get_order", {"order_id": "R-7"})
    env = Env(dreamed.suite)                  # tasks, made when they are first asked for

Always holds: the same sessions give the same files; only what contradicts nothing in the sessions is answered.

Knows the induction as one thing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from journeyman.dream.worlds import book
from journeyman.dream.worlds.admission import admitted, card, contradicted
from journeyman.dream.worlds.calls import recordings
from journeyman.dream.worlds.fidelity import measured
from journeyman.dream.worlds.history import History
from journeyman.dream.worlds.induced import Induced
from journeyman.dream.worlds.kinds import Kinds
from journeyman.dream.worlds.tasks import BUDGET, Tasks
from journeyman.errors import InputError, WorldError
from journeyman.records import Session
from journeyman.world import saved
from journeyman.world.files import save_text
from journeyman.world.saved import BOOK, START, TASKS
from journeyman.world.suite import Suite
from journeyman.world.world import World

CARD = "card.json"


class Dreamed:
    """A world, the Python file that it is made of (`source`), its fidelity card (JSON), and its tasks: `budget` of them
    are tried."""

    def __init__(
        self, induced: Induced, source: str, found: dict[str, Any], history: History, budget: int = BUDGET
    ) -> None:
        self.induced = induced
        self.source = source
        self.card = found
        self._history = history
        self._budget = budget

    @cached_property
    def tasks(self) -> Tasks:
        """Those that are kept, where each came from, and why others were not kept."""
        return Tasks(self.induced, self._history, self._budget)

    @property
    def suite(self) -> Suite:
        """The world with its tasks, for `Env`."""
        return self.tasks.suite

    @property
    def world(self) -> World:
        """A new one, as the log begins."""
        return World(self.induced.rules, self.induced.start)

    def save(self, directory: str | Path) -> None:
        """Its files; `journeyman.world.load` opens them as a suite. WorldError if they cannot be written."""
        where = Path(directory)
        origins = {task: origin._asdict() for task, origin in self.tasks.origins.items()}
        tasks = saved.lines(self.suite, self.induced.start, self.tasks.grounds.keys, origins)
        card = {**self.card, "tasks": self.tasks.to_json()}
        try:
            where.mkdir(parents=True, exist_ok=True)
            save_text(self.induced.start, where / START)
            _whole(where / TASKS, "".join(f"{line}\n" for line in tasks))
            _whole(where / CARD, json.dumps(card, indent=1, sort_keys=True) + "\n")
            _whole(where / BOOK, self.source)
        except OSError as error:
            raise WorldError(f"{where} cannot be written: {error.strerror}", "name another directory") from error


def dream(
    sessions: Iterable[Session | Mapping[str, Any]],
    *,
    name: str = "world",
    world: str | Path = "",
    budget: int = BUDGET,
) -> Dreamed:
    """The world of these sessions. `world`: a file that `save` has written and a person has corrected; it is measured
    instead of induced. `budget`: how many tasks are tried. InputError if no session calls a tool."""
    calls = recordings(sessions)
    if not calls:
        raise InputError("none of these sessions calls a tool", "give sessions that hold tool calls and their answers")
    if not world:
        found = admitted(calls, name)
        return Dreamed(found.induced, found.induced.source, card(found), found.induction.history, budget)
    history = History(calls, Kinds(calls))
    path = Path(world)
    made = book.opened(path)
    induced = Induced(*book.rules(made, name), history, path.read_text(encoding="utf-8"))
    again = measured(induced, calls, calls)
    report = {"sessions": len(calls), "on_path": again.to_json(), "contradicted": contradicted(again)}
    report["tools"] = {tool: {"on_path": tally.to_json()} for tool, tally in sorted(again.tools.items())}
    passes = {"passes": not report["contradicted"]}
    return Dreamed(induced, induced.source, {**report, **passes}, history, budget)


def _whole(path: Path, text: str) -> None:
    """The file is there as a whole, or as it was before."""
    scratch = path.with_name(f".new-{path.name}")
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(path)
