"""A world in a directory: its rules as a Python file, its state at the beginning, and its tasks.

    suite = load("world/")      # what `journeyman dream --out world` has written

world.py holds tables of documents and tools, start.jsonl a state, tasks.jsonl a line for each start and each task. Of
a task its words, its start and its oracle are kept; what it expects is worked out anew, and cannot drift from them.

Always holds: tasks come back with the starts (by digest) and under the rules (by fingerprint) that they were made for,
or not at all. world.py is code: open only what you have read or made yourself.

Knows documents and tasks; nothing of where they came from.
"""

from __future__ import annotations

import copy
import importlib.util
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

from journeyman.errors import WorldError
from journeyman.world.actions import parsed
from journeyman.world.context import Context
from journeyman.world.directory import settled
from journeyman.world.documents import Documents
from journeyman.world.files import load_text
from journeyman.world.imitation import Kept
from journeyman.world.outcome import Failure, Tier
from journeyman.world.state import State
from journeyman.world.suite import Suite
from journeyman.world.task import Forbidden, Task
from journeyman.world.tools import Tool
from journeyman.world.user import Line, Recorded
from journeyman.world.world import Rules

BOOK, START, TASKS, IMITATED = "world.py", "start.jsonl", "tasks.jsonl", "imitated.json"
_FORMAT = "journeyman-tasks-1"
# A tool, its argument, and the documents whose key stands there.
Key = tuple[str, str, str]


def opened(path: Path) -> ModuleType:
    """A Python file as a module. WorldError if it cannot be read as a world."""
    try:
        spec = importlib.util.spec_from_file_location(f"induced_{path.stem}", path)
        if spec is None or spec.loader is None:
            raise WorldError(f"{path} is no Python file", "name the file that `journeyman dream --out` wrote")
        made = importlib.util.module_from_spec(spec)
        sys.modules[made.__name__] = made
        spec.loader.exec_module(made)
    except WorldError:
        raise
    except FileNotFoundError as error:
        raise WorldError(f"there is no {path}", "name the file that `journeyman dream --out` wrote") from error
    except (Exception, SystemExit) as error:  # it is somebody's code, and may come to anything
        why = error if isinstance(error, OSError | SyntaxError) else f"{type(error).__name__}: {error}"
        raise WorldError(f"{path} cannot be read as a world: {why}", "undo the last change to it") from error
    return made


def rules(made: ModuleType, name: str) -> tuple[Rules, dict[str, Documents]]:
    """The module's tables and tools."""
    kinds = {each.name: each for each in vars(made).values() if isinstance(each, Documents)}
    tools = [each for each in vars(made).values() if isinstance(each, Tool)]
    tables: list[Any] = [each.table for each in kinds.values()]
    return Rules(name, tables, tools), kinds


def with_keys(found: Rules, guide: str, keys: Iterable[Key]) -> Rules:
    """The same rules with a guide, and with it said which arguments are keys of which table."""
    known = {(tool, argument): table for tool, argument, table in keys}
    tools: list[Tool] = []
    for tool in found.tools.values():
        twin = copy.copy(tool)
        twin.parameters = tuple(
            parameter._replace(shape=parameter.shape._replace(marks=(*parameter.shape.marks, found.tables[table])))
            if (table := known.get((tool.name, parameter.name))) in found.tables
            else parameter
            for parameter in tool.parameters
        )
        tools.append(twin)
    return Rules(found.name, found.tables.values(), tools, guide=guide, version=found.version)


def lines(suite: Suite, base: State, keys: Iterable[Key], origins: Mapping[str, Any]) -> Iterator[str]:
    """The lines of tasks.jsonl. `base`: the state that is saved beside it; `origins`: for each task, where it came
    from, as JSON."""
    guide = suite.rules.guide
    head = {"format": _FORMAT, "name": suite.name, "guide": guide, "keys": sorted(keys), "rules": suite.fingerprint}
    yield _written(head)
    written: set[str] = set()
    for task in suite.tasks.values():
        if task.start.digest not in written:
            written.add(task.start.digest)
            yield _written({"start": task.start.digest, **_differences(base, task.start)})
        yield _written(
            {
                "task": task.id,
                "family": task.family,
                "instruction": task.instruction,
                "from": task.start.digest,
                "oracle": [action.text for action in task.oracle],
                "forbid": [[each.tool, dict(each.args), each.why] for each in task.forbid],
                "limit": task.limit,
                **({"user": asdict(task.user)} if isinstance(task.user, Recorded) else {}),
                "origin": origins.get(task.id),
            }
        )


def suite(directory: Path) -> Suite:
    """The world that was saved there. WorldError if a file is missing or damaged, or if world.py was changed since."""
    try:
        settled(directory)
    except OSError as error:
        raise WorldError(
            f"the world in {directory} was being saved when that was stopped, and it cannot be finished here: {error}",
            "open it once from where it can be written to, or save it again",
        ) from error
    if not (directory / BOOK).exists():
        raise WorldError(f"there is no world in {directory}", "name what `journeyman dream --out` wrote")
    try:
        text = (directory / TASKS).read_text(encoding="utf-8")
        head, *rest = map(json.loads, text.splitlines())
        if head["format"] != _FORMAT:
            raise _unusable(directory, f"its tasks are of format {head['format']!r}")
        found, _ = rules(opened(directory / BOOK), head["name"])
        made = with_keys(found, head["guide"], map(tuple, head["keys"]))
        if (directory / IMITATED).exists():
            made = made.imitated(Kept(json.loads((directory / IMITATED).read_text(encoding="utf-8"))))
        if made.fingerprint != head["rules"]:
            raise _unusable(directory, f"{BOOK} was changed since its tasks were made")
        base = load_text(directory / START, made.tables.values())
        starts: dict[str, State] = {}
        tasks: list[Task] = []
        for line in rest:
            if "start" in line:
                starts[line["start"]] = _restored(base, line)
            else:
                tasks.append(_task(made, starts[line["from"]], line))
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, Failure) as error:
        raise _unusable(directory, str(error)) from error
    return Suite(made, tasks)


def _task(found: Rules, start: State, line: Mapping[str, Any]) -> Task:
    return Task.derive(
        found,
        line["task"],
        line["instruction"],
        start,
        [parsed(action) for action in line["oracle"]],
        forbid=tuple(Forbidden(tool, tuple(args.items()), why=why) for tool, args, why in line["forbid"]),
        limit=line["limit"],
        family=line["family"],
        user=_user(line["user"]) if "user" in line else None,
    )


def _user(value: Mapping[str, Any]) -> Recorded:
    lines, habits = ([Line(*each) for each in value[name]] for name in ("lines", "habits"))
    said, vain = value["memory"]
    return Recorded(tuple(lines), tuple(habits), value["patience"], (said, vain))


def _differences(base: State, start: State) -> dict[str, Any]:
    """What makes one state out of another."""
    rows: list[Any] = []
    gone: list[Any] = []
    for table in sorted(base.tables):
        rows += [[table, *row] for row in start.rows(table) if base.row(table, row[0]) != row]
        gone += [[table, key] for key in base.keys(table) if start.row(table, key) is None]
    return {"rows": rows, "gone": gone, "counters": start.counters, "draws": start.draws}


def _restored(base: State, line: Mapping[str, Any]) -> State:
    here = Context(base, True, Tier.RECORDED)
    for table, key in line["gone"]:
        here.remove(base.tables[table], key)
    for table, *values in line["rows"]:
        here.put(base.tables[table], base.tables[table].parsed(values))
    made = here.result().as_start()
    counters, draws = line["counters"], line["draws"]
    state = State(made.tables, made.contents, made.clock, made.seed, draws, counters, {}, None, made.summed)
    if state.digest != line["start"]:
        raise ValueError("the digest of a start is another")
    return state


def _unusable(directory: Path, why: str) -> WorldError:
    return WorldError(
        f"the world in {directory} cannot be used: {why}",
        f"have its tasks made again: journeyman dream --world {directory / BOOK} --out {directory}",
    )


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
