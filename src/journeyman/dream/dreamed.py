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
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from journeyman.dream.asking import Asked
from journeyman.dream.worlds import book
from journeyman.dream.worlds.admission import admitted, broken, card, contradicted
from journeyman.dream.worlds.agreement import agreement
from journeyman.dream.worlds.calls import Recording, called, unwritable
from journeyman.dream.worlds.fidelity import ANSWERED, measured
from journeyman.dream.worlds.filler import fill
from journeyman.dream.worlds.history import History
from journeyman.dream.worlds.imitator import Imitated
from journeyman.dream.worlds.induced import Induced
from journeyman.dream.worlds.kinds import Kinds
from journeyman.dream.worlds.personas import foreseen
from journeyman.dream.worlds.proposer import Outcome, completed
from journeyman.dream.worlds.tasks import BUDGET, Tasks
from journeyman.errors import InputError, WorldError
from journeyman.records import Session
from journeyman.world import saved
from journeyman.world.directory import replacing
from journeyman.world.files import save_text
from journeyman.world.saved import BOOK, IMITATED, START, TASKS
from journeyman.world.suite import Suite
from journeyman.world.world import World

CARD = "card.json"


class Dreamed:
    """A world, the Python file that it is made of (`source`), its fidelity card (JSON), and its tasks: `budget` of them
    are tried."""

    def __init__(self, induced: Induced, card: dict[str, Any], history: History, budget: int = BUDGET) -> None:
        self.induced = induced
        self.source = induced.source
        self.card = card
        self._history = history
        self._budget = budget
        self.imitator: Imitated | None = None

    @cached_property
    def tasks(self) -> Tasks:
        """Those that are kept, where each came from, and why others were not kept."""
        return Tasks(self.induced, self._history, self._budget)

    @cached_property
    def outcomes(self) -> dict[str, Any] | None:
        """How often the world's verdicts are what really came of sessions; None where the log does not tell."""
        return agreement(self.tasks)

    @cached_property
    def suite(self) -> Suite:
        """The world with its tasks, for `Env`."""
        made = self.tasks.suite
        return made if self.imitator is None else Suite(made.rules.imitated(self.imitator), made.tasks.values())

    @property
    def world(self) -> World:
        """A new one, as the log begins."""
        rules = self.induced.rules
        return World(rules if self.imitator is None else rules.imitated(self.imitator), self.induced.start)

    def save(self, directory: str | Path) -> None:
        """Its files, all of them or, if that is stopped, none; `journeyman.world.load` opens them as a suite.
        WorldError if they cannot be written, or if a world.py would be lost that a person has changed."""
        where = Path(directory)
        free(where, self.source)
        origins = {task: origin._asdict() for task, origin in self.tasks.origins.items()}
        tasks = saved.lines(self.suite, self.induced.start, self.tasks.grounds.keys, origins)
        card = {**self.card, "tasks": self.tasks.to_json(), "outcomes": self.outcomes, "book": _hash(self.source)}
        try:
            with replacing(where, gone=(IMITATED,)) as new:
                save_text(self.induced.start, new(START))
                _write(new(TASKS), "".join(f"{line}\n" for line in tasks))
                _write(new(CARD), json.dumps(card, indent=1, sort_keys=True) + "\n")
                _write(new(BOOK), self.source)
                if self.imitator is not None:  # what it has said so far; who opens this asks nobody
                    _write(new(IMITATED), json.dumps(self.imitator.answers, indent=1, sort_keys=True) + "\n")
        except OSError as error:
            raise WorldError(f"{where} cannot be written: {error.strerror}", "name another directory") from error


def free(directory: Path, source: str | None = None) -> None:
    """WorldError unless a world may be saved there: where another may take its place, of which nobody has changed
    world.py, but to what is to be saved, `source`."""
    near = next(each for each in (directory, *directory.absolute().parents) if each.exists())
    if not near.is_dir() or not os.access(near, os.W_OK | os.X_OK):
        why = "it cannot be written to" if near.is_dir() else f"{near} is no directory"
        raise WorldError(f"no world can be put into {directory}: {why}", "name another directory")
    book = directory / BOOK
    if not book.exists():
        return
    try:
        text, card = book.read_text(encoding="utf-8"), json.loads((directory / CARD).read_text(encoding="utf-8"))
        was = card.get("book", _hash(text)) if isinstance(card, dict) else ""
    except (OSError, ValueError):
        text, was = "", ""
    if text != source and _hash(text) != was:
        raise WorldError(
            f"{book} is not as it was written, and would be lost",
            f"have it measured as it is now, --world {book}, or name another directory",
        )


def dream(
    sessions: Iterable[Session | Mapping[str, Any]],
    *,
    name: str = "world",
    world: str | Path = "",
    budget: int = BUDGET,
    proposer: Asked | None = None,
    outcomes: Mapping[str, float] | None = None,
    filler: bool = False,
    imitator: Asked | None = None,
) -> Dreamed:
    """The world of these sessions. `world`: a file that `save` has written and a person has corrected; it is measured
    instead of induced. `budget`: how many tasks are tried. `proposer`: a model that may write the tools that could not
    be induced; it is shown recorded calls. `outcomes`: by a session's id, what came of it: what is not above 0 failed,
    and nobody is to do it like that. `filler`: make up what was only named; the card's counts are of the world without
    it. `imitator`: a model that answers reads where the world does not know. InputError if no session calls a tool."""
    came = outcomes or {}
    everything = [(each, unwritable(each)) for each in called(sessions)]
    missing = dict(Counter(tool for _, tools in everything for tool in tools).most_common())
    calls = [each._replace(score=came.get(each.id, each.score)) for each, tools in everything if not tools]
    if not calls and missing:
        names = ", ".join(list(missing)[:5])
        raise InputError(
            f"no world can be written for these tools: {names}", "their names and arguments have to be names in Python"
        )
    if not calls:
        raise InputError("none of these sessions calls a tool", "give some with calls and their answers")
    if world:
        induced, history, report = _corrected(Path(world), calls, name)
    else:
        found, proposed = admitted(calls, name), dict[str, Outcome]()
        if proposer is not None:
            found, proposed = completed(found, calls, proposer, name)
        induced, history, report = found.induced, found.induction.history, card(found)
        report["users"] = foreseen(calls)
        if proposer is not None:
            wrote = {tool: outcome._asdict() for tool, outcome in proposed.items()}
            report["proposed"] = {"model": proposer.model, "tokens": proposer.tokens, "tools": wrote}
    report["left_out"] = missing
    if filler:
        report["filled"] = fill(induced)
    made = Dreamed(induced, report, history, budget)
    made.imitator = Imitated(imitator, calls) if imitator is not None else None
    return made


def _corrected(path: Path, calls: Sequence[Recording], name: str) -> tuple[Induced, History, dict[str, Any]]:
    """A world that a person has corrected, and what is known of it: how it answers the whole log."""
    history = History(calls, Kinds(calls))
    induced = Induced(*book.rules(book.opened(path), name), history, path.read_text(encoding="utf-8"))
    found = measured(induced, calls, calls)
    report: dict[str, Any] = {"sessions": len(calls), "on_path": found.to_json()}
    report["tools"] = {tool: {"on_path": tally.to_json()} for tool, tally in sorted(found.tools.items())}
    report["contradicted"], report["broken"] = contradicted(found), broken(found)
    enough = found.all.answered >= ANSWERED * found.all.n
    report["passes"] = enough and not report["contradicted"] and not report["broken"]
    return induced, history, report


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
