"""The world as a Python file that a person can read and correct, and that file as a world.

    book = written(induction, "coffee")
    rules = opened(path)

Always holds: a file gives the same rules wherever it is read, and reaches for nothing but `journeyman.world`; it is
code, so open only what you have read or made yourself.

Knows programs; nothing of how they were induced.
"""

from __future__ import annotations

import importlib.util
import linecache
import sys
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

from journeyman.dream.worlds.kinds import Kind
from journeyman.dream.worlds.program import Program
from journeyman.errors import WorldError
from journeyman.world.documents import Documents
from journeyman.world.tools import Tool
from journeyman.world.world import Rules

_HEAD = '''"""What {name}'s tools do, induced from {sessions} recorded sessions.

Correct what is wrong, and have it admitted again. `agreed` stands where what was seen can be read in more than one
way: leave the right reading.
"""

# ruff: noqa
from typing import Any

from journeyman.world import Context, read, write
from journeyman.world.documents import (
    Abstain,
    Desk,
    Documents,
    Refused,
    agreed,
    beyond,
    case,
    calculated,
    culprit,
    doubt_if,
    entry,
    first,
    merged,
    never_below_zero,
    present,
    refuse_if,
    refuse_one,
)

'''


def written(
    name: str, sessions: int, kinds: Iterable[Kind], closed: Iterable[str], programs: Mapping[str, Program]
) -> str:
    closed = set(closed)
    lines = [_HEAD.format(name=name, sessions=sessions)]
    for kind in kinds:
        fields = ", ".join(repr(field) for field in sorted(kind.fields))
        lines.append(f'{kind.name.upper()} = Documents("{kind.name}", ({fields},), closed={kind.name in closed})\n')
    for tool in sorted(programs):
        if recorded(programs[tool]):
            lines.append(f'{programs[tool].recordings} = Documents("{recordings_of(tool)}", ("answer",))\n')
    for tool in sorted(programs):
        lines.append("\n\n" + programs[tool].source())
    return "".join(lines)


def recordings_of(tool: str) -> str:
    """The table of what a tool was seen to answer."""
    return f"{tool}_recorded"


def recorded(program: Program) -> bool:
    """Whether all that is known of the tool is what it was seen to answer."""
    return program.answer is None and not program.writes


def module(text: str, name: str) -> ModuleType:
    """The file's text as a module, without a file."""
    at = f"<world {name} {sha256(text.encode()).hexdigest()[:12]}>"
    made = ModuleType(f"induced_{name}")
    made.__file__ = at
    linecache.cache[at] = (len(text), None, text.splitlines(keepends=True), at)
    sys.modules[made.__name__] = made
    exec(compile(text, at, "exec"), vars(made))
    return made


def opened(path: Path) -> ModuleType:
    """WorldError if the file cannot be read as a world."""
    try:
        spec = importlib.util.spec_from_file_location(f"induced_{path.stem}", path)
        if spec is None or spec.loader is None:
            raise WorldError(f"{path} is no Python file", "name the file that `journeyman dream --out` wrote")
        made = importlib.util.module_from_spec(spec)
        sys.modules[made.__name__] = made
        spec.loader.exec_module(made)
    except (OSError, SyntaxError, NameError, TypeError, ImportError) as error:
        raise WorldError(f"{path} cannot be read as a world: {error}", "undo the last change to it") from error
    return made


def rules(made: ModuleType, name: str) -> tuple[Rules, dict[str, Documents]]:
    """Its tables and tools."""
    kinds = {each.name: each for each in vars(made).values() if isinstance(each, Documents)}
    tools = [each for each in vars(made).values() if isinstance(each, Tool)]
    tables: list[Any] = [each.table for each in kinds.values()]
    return Rules(name, tables, tools), kinds
